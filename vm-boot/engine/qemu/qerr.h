/* SPDX-License-Identifier: ISC */
/* qerr.h - what QEMU says on its stderr. */
#ifndef QERR_H
#define QERR_H

#include <stddef.h>

#include "log.h"

struct loop;

struct qerr {
	struct loop *loop;
	int fd;                 /* our end of the pipe */
	int id;
	struct log_limit limit;
	size_t len;
	char line[400];
};

#define QERR_INIT { .fd = -1, .id = -1, .limit = { .left = 32 } }

void qerr_first(struct qerr *e, char *err, size_t errsize);
int qerr_watch(struct qerr *e, struct loop *loop);
void qerr_finish(struct qerr *e);
void qerr_free(struct qerr *e);

#endif

/* SPDX-License-Identifier: ISC */
/* qchild.h - start QEMU, with its ends of what we talk to it by. */
#ifndef QCHILD_H
#define QCHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "netconf.h"

struct spawned;
struct vm_config;

/* Each: ours, QEMU's. */
struct qends {
	int monitor[2], console[2], log[2], err[2], vsock[2];
	int net[NETCONF_MAX][2];
};

#define QENDS_INIT { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 }, \
	{ { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } } }
_Static_assert(NETCONF_MAX == 4, "QENDS_INIT");

int qends_make(struct qends *e, bool log, unsigned int nets);
void qends_close_theirs(struct qends *e);
void qends_close(struct qends *e);
int qchild_start(struct spawned *child, const struct vm_config *cfg, const struct qends *e, char *err,
		 size_t errsize);

#endif

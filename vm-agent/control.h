/* SPDX-License-Identifier: ISC */
/* control.h - a control connection: records both ways. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

#include "wire.h"

struct loop;

struct control_ops {
	/* A record came. Return: 0; -errno: it means nothing, the connection is lost. */
	int (*record)(void *arg, const struct wire_record *r);
	/* All that was to be sent is. */
	void (*sent)(void *arg);
	/* The connection is stopped. @err: 0: end of file, else -errno. */
	void (*lost)(void *arg, int err);
};

struct control {
	struct loop *loop;
	int fd, watch;			/* -1: stopped */
	struct wire_in in;
	uint8_t *out;			/* records to be sent yet, NULL: none */
	size_t out_at, out_len;
	const struct control_ops *ops;
	void *arg;
};

#define CONTROL_INIT { .fd = -1, .watch = -1 }

int control_start(struct control *c, struct loop *l, int *fd, const struct control_ops *ops, void *arg);
int control_send(struct control *c, struct wire_out *w);
bool control_busy(const struct control *c);
void control_only_small(struct control *c);
void control_stop(struct control *c);

#endif

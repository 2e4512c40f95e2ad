/* SPDX-License-Identifier: ISC */
/* cable.h - the frames socket to one guest, plugged in or not. */
#ifndef CABLE_H
#define CABLE_H

#include <stdbool.h>

#include "frames.h"

struct loop;

struct cable_ops {
	/* A frame of the guest. Borrowed until the return. */
	void (*frame)(void *arg, const uint8_t *frame, size_t len);
	/* Some frames came, and there are no more for now. */
	void (*batch)(void *arg);
	/* The peer has ended, or talks nonsense; the cable is unplugged. */
	void (*gone)(void *arg);
};

struct cable {
	struct loop *loop;
	int fd, watch;                  /* -1: not plugged in */
	struct frames_in in;
	struct frames_out out;
	const struct cable_ops *ops;
	void *arg;

	/* Of cable_limit(): bytes that may pass now, either way; less than 0: that many too many did. */
	uint64_t rate, refilled;        /* bytes a second, 0: no limit; when, msec */
	int64_t in_left, out_left;
	int timer;
};

int cable_init(struct cable *c, struct loop *loop, const struct cable_ops *ops, void *arg);
int cable_limit(struct cable *c, uint64_t rate);
void cable_free(struct cable *c);
int cable_plug(struct cable *c, int *fd);
void cable_unplug(struct cable *c);
void cable_send(struct cable *c, const struct iovec *iov, unsigned int n);
void cable_flush(struct cable *c);

static inline bool cable_plugged(const struct cable *c)
{
	return c->fd >= 0;
}

#endif

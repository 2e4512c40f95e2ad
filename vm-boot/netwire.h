/* SPDX-License-Identifier: ISC */
/* netwire.h - one end of a wire: a frames socket whose other end may leave, come back, and be slow. */
#ifndef NETWIRE_H
#define NETWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frames.h"

struct worker;

/* How long a side may keep the other waiting before frames are dropped. */
enum { NETWIRE_PATIENCE_MSEC = 1000 };

struct netwire {
	struct worker *worker;
	int fd, watch;                  /* -1: nobody is there */
	int timer;                      /* runs while @stuck and not @dropping */
	struct frames_in in;
	struct frames_out out;
	const uint8_t *frame;           /* the next one that came, NULL: none was looked at */
	size_t len;
	unsigned int turns;             /* reads left before others get their turn */
	bool held;                      /* nobody takes what comes: it is not read */
	bool stuck;                     /* the peer takes nothing: EPOLLOUT is awaited */
	bool dropping;                  /* it has done so for too long */
	uint64_t dropped;               /* beside out.dropped: frames for nobody, and from nobody's buffers */
	void (*came)(void *arg);        /* a frame may be there */
	void (*room)(void *arg);        /* netwire_takes() may be true again */
	void (*gone)(void *arg);        /* the peer has left, or broke the rules; nobody is there now */
	void *arg;
};

int netwire_init(struct netwire *w, struct worker *worker);
void netwire_free(struct netwire *w);
int netwire_attach(struct netwire *w, int *fd);

bool netwire_next(struct netwire *w, const uint8_t **frame, size_t *len);
void netwire_taken(struct netwire *w);
void netwire_turn(struct netwire *w);
void netwire_hold(struct netwire *w);
void netwire_drop(struct netwire *w);

bool netwire_takes(const struct netwire *w);
void netwire_put(struct netwire *w, const struct iovec *iov, unsigned int n);
void netwire_flush(struct netwire *w);

#endif

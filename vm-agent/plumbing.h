/* SPDX-License-Identifier: ISC */
/* plumbing.h - the pipes or the terminal between a command and its streams. */
#ifndef PLUMBING_H
#define PLUMBING_H

#include "child.h"

struct winsize;

/* Both sides; -1: none. Ours are O_NONBLOCK. */
struct plumbing {
	struct child_stdio child;	/* close when it was forked */
	int input, output, errors;	/* with a terminal, two descriptors of its master */
	int master;			/* a third one: for its size, and so that it is not hung up */
};

#define PLUMBING_INIT { .child = { .fd = { -1, -1, -1 } }, \
			.input = -1, .output = -1, .errors = -1, .master = -1 }

int plumbing_open(struct plumbing *p, uint32_t streams, const struct winsize *size);
void plumbing_close_child(struct plumbing *p);
void plumbing_close(struct plumbing *p);

#endif

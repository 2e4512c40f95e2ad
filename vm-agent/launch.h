/* SPDX-License-Identifier: ISC */
/* launch.h - from a request to a running command. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "request.h"
#include "user.h"

struct loop;
struct plumbing;

/* Called once. @status: 0: the command runs; else 125 to 127, and @text says why it does not. */
typedef void launch_fn(void *arg, int status, const char *text);

struct launch {
	struct request request;		/* until it is over, but for the size */
	struct identity identity;
	struct loop *loop;
	int status, watch;		/* pipe from the child; -1: none */
	launch_fn *done;
	void *arg;
};

#define LAUNCH_INIT { .status = -1, .watch = -1 }

pid_t launch_begin(struct launch *l, struct loop *loop, struct plumbing *p, launch_fn *done, void *arg);
void launch_settle(struct launch *l);
void launch_stop(struct launch *l);

#endif

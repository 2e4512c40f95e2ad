/* SPDX-License-Identifier: ISC */
/* session.h - one command in the guest, from its request to its end. */
#ifndef SESSION_H
#define SESSION_H

#include "agent.h"
#include "control.h"
#include "escape.h"
#include "loop.h"
#include "outcome.h"
#include "pump.h"
#include "term.h"

enum session_state {
	SESSION_STARTING,
	SESSION_RUNNING,
	SESSION_ENDED,
	SESSION_LOST,
	SESSION_OVER
};

struct session {
	enum session_state state;
	const struct config *cfg;
	struct agent *agent;
	const struct term *term;
	struct loop *loop;
	struct control control;
	struct pump in, out, err;       /* a terminal's bytes are in and out */
	struct escape escape;
	int timeout, grace;             /* timers */
	int vm_watch;                   /* of the VM's control socket, once the agent is lost */
	bool timed_out, interrupted;    /* --timeout has killed the command; SIGINT was passed on */
	bool vm_heard;                  /* the VM has said how it is, or had its time */
	uint64_t grace_moved;           /* bytes of output when @grace was set */
	int (*started)(void *arg);      /* the command runs; returns 0 or -errno of the terminal */
	void (*flushed)(void *arg);     /* the agent was sent all that was to be sent */
	void *arg;
	struct outcome end;             /* what `exit` said */
	struct outcome outcome;
};

int session_init(struct session *s, const struct config *c, struct agent *a, const struct term *t,
		 uint64_t timeout);
void session_signal(struct session *s, int sig, const char *name);
void session_resize(struct session *s);

#endif

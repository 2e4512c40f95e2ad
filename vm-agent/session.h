/* SPDX-License-Identifier: ISC */
/* session.h - the main process, and every orphan. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <sys/types.h>

struct request;

struct session {
	pid_t pid;		/* the main process, leader of its group; 0: none (any more) */
	bool ended;
	int status;		/* of waitpid(2), once ended */
	pid_t agent;		/* the exec server; 0 or less: none (any more) */
	bool agent_absent;	/* it has left: there is no vsock to serve */
	int agent_socket;	/* to it; -1: none (any more) */
};

int session_start(struct session *s, int console, struct request *r);
bool session_reap(struct session *s);

#endif

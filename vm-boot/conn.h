/* SPDX-License-Identifier: ISC */
/* conn.h - one connection to the control socket, as ctl.c and verbs.c see it. */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "msg.h"

struct ctl;
struct vm;

enum { STOP_GRACE_MSEC = 10000 };

/* What a connection's unanswered request waits for. */
enum waits { WAITS_NOT, WAITS_BOOT, WAITS_AGENT, WAITS_DIAL, WAITS_PLUG, WAITS_STOP, WAITS_END };

struct conn {
	struct ctl *ctl;
	struct vm *vm;
	int sock;               /* -1: free */
	int watch;
	bool shared;
	enum waits waits;
	uint64_t id;            /* never used again */
};

void conn_reply(struct conn *c, struct msg *m);
void conn_error(struct conn *c, int err, const char *text);
void conn_ok(struct conn *c);
void conn_end(struct conn *c);
void conn_wait_for(struct conn *c, enum waits what);
void conn_answered(struct conn *c);
struct conn *conn_add(struct ctl *ctl, int *sock, bool shared);

void verb_run(struct conn *c, struct msg *request);

#endif

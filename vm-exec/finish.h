/* SPDX-License-Identifier: ISC */
/* finish.h - how a session ends: for session.c. */
#ifndef FINISH_H
#define FINISH_H

#include "log.h"
#include "session.h"

enum {
	SESSION_ANSWER = 60000, /* ms for `started` or `failed`; vm-agent hangs up on a request after 35 s */
	SESSION_GRACE = 10000,  /* ms without a byte that `exit` has promised, or the end */
};

void session_over(struct session *s, enum outcome_kind kind);
void session_fail(struct session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void session_check(struct session *s);
void session_patience(struct session *s, uint64_t msec);
void session_hung_up(void *arg, int err);
int session_timers(struct session *s, uint64_t timeout);

#endif

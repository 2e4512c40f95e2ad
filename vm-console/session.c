// SPDX-License-Identifier: ISC
/*
 * session.c - the talk with our helper in a shell on the console.
 *
 * States: AWAY (nothing of ours is in the guest), LOADING (the loader was typed), READY (the helper
 * listens), BUSY (the helper runs a command).
 *
 *	AWAY	the newest probe is answered, the loader typed (start.c)	-> LOADING
 *	LOADING	the helper says H (start.c)				-> READY
 *	LOADING	nothing comes: an empty line ends the loader		-> AWAY, a few times
 *	READY	x is sent (run.c)					-> BUSY
 *	BUSY	D came, e is acknowledged (run.c)			-> READY
 *	READY	q is acknowledged, the terminal's modes are restored	-> AWAY
 *	all	z is sent: the guest clears up by itself		-> AWAY
 */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "guest.h"
#include "log.h"
#include "util.h"

enum {
	SILENCE = 1000,         /* ms before a request is repeated; doubles up to... */
	SILENCE_MAX = 32000,
	LULL = 500,             /* ms without noise after which it has ceased */
	ATTEMPTS = 40,          /* at an answer that comes spoilt; silence ends it sooner */
};

/**
 * session_fail() - note why --run cannot go on
 * @s: session
 * @why: in words
 * Return: -EIO.
 */
int session_fail(struct session *s, const char *why)
{
	uint64_t lost = console_lost(s->p->con);
	char tail[80] = "";

	if (lost)
		snprintf(tail, sizeof(tail), " (%llu bytes of console output were lost)",
			 (unsigned long long)lost);
	snprintf(s->p->why, sizeof(s->p->why), "console: %s%s", why, tail);
	return -EIO;
}

/**
 * session_type() - send text as it is
 * @s: session
 * @text: with its newline
 * Return: 0, or as pump_send().
 */
int session_type(struct session *s, const char *text)
{
	int e = pump_send(s->p, text, strlen(text));

	s->since = now_msec();
	return e;
}

/**
 * session_next() - the next record of ours
 * @s: session
 * @quiet: milliseconds that nothing may move, neither we nor a record; negative: for ever, unless
 *	there is noise, and then until that has ceased
 * @rec: filled in, valid until the next call
 * Return: 1; 0 when it stayed quiet or a record came spoilt; else as pump_wait().
 */
int session_next(struct session *s, int64_t quiet, struct record *rec)
{
	struct pump *p = s->p;

	for (;;) {
		int64_t left;
		int e;

		while (p->at < p->len) {
			bool complete = record_feed(&s->reader, p->buf[p->at++]);

			if (s->reader.open || complete)
				s->since = now_msec();
			if (complete && record_parse(&s->reader, s->nonce, rec))
				return 1;
			if (complete) {
				s->spoilt = true;
				return 0;
			}
			if (quiet < 0 && s->reader.noise)
				s->since = now_msec();
		}
		left = (quiet < 0 ? LULL : quiet) - (int64_t)(now_msec() - s->since);
		e = pump_wait(p, quiet < 0 && !s->reader.noise ? -1 : MAX(left, 0));
		if (e <= 0)
			return e;
	}
}

/**
 * session_is() - whether a record is what is waited for
 * @rec: record
 * @ops: what it may be
 * @first: its first argument, or NULL for any
 * Return: so.
 */
bool session_is(const struct record *rec, const char *ops, const char *first)
{
	return strchr(ops, rec->op) && (!first || (rec->args && !strcmp(rec->arg[0], first)));
}

/**
 * session_expect() - as session_next(), for a certain record, skipping others
 * @s, @quiet, @rec: as for session_next()
 * @ops, @first: as for session_is()
 * Return: as session_next().
 */
int session_expect(struct session *s, int64_t quiet, const char *ops, const char *first,
		   struct record *rec)
{
	int e;

	while ((e = session_next(s, quiet, rec)) > 0)
		if (session_is(rec, ops, first))
			break;
	return e;
}

/**
 * session_say() - send the helper a request that has no answer
 * @s: session
 * @request: without nonce and newline, at most 240 characters
 * Return: 0, or as pump_send().
 */
int session_say(struct session *s, const char *request)
{
	char line[GUEST_LINE];

	snprintf(line, sizeof(line), "%s %s\n", s->nonce, request);
	return session_type(s, line);
}

/**
 * session_ask() - send a request until a good answer comes
 * @s: session
 * @request: as for session_say(); harmless when repeated
 * @ops: what the answer may be
 * @first: its first argument, or NULL for any
 * @rec: set to the answer, valid until the next call
 * Return: 0; -EIO when none came; else as pump_wait().
 */
int session_ask(struct session *s, const char *request, const char *ops, const char *first,
		struct record *rec)
{
	int64_t quiet = SILENCE;
	int attempt;

	for (attempt = 0; attempt < ATTEMPTS && quiet <= SILENCE_MAX; attempt++) {
		int e = session_say(s, request);

		s->spoilt = false;
		if (!e)
			e = session_expect(s, quiet, ops, first, rec);
		if (e)
			return MIN(e, 0);
		debug("console: %s answer to %.20s: asking again", s->spoilt ? "spoilt" : "no", request);
		if (!s->spoilt)
			quiet *= 2;
	}
	return session_fail(s, "the shell in the guest no longer answers");
}

/**
 * session_close() - leave the guest's shell and terminal as they were
 * @s: AWAY or READY; AWAY afterwards
 * Return: 0 or as session_ask().
 */
int session_close(struct session *s)
{
	struct record rec;
	int e;

	if (s->state == SESSION_AWAY)
		return 0;
	e = session_ask(s, "q", "Q", NULL, &rec);
	if (!e)
		s->state = SESSION_AWAY;
	return e;
}

/**
 * session_abandon() - have the guest clear up by itself; nothing is waited for
 * @s: in whatever state; AWAY afterwards
 *
 * For those who are about to die. Whoever listens takes it: the helper leaves, killing the command
 * if one runs; the empty line is for the loader, and harmless at a prompt.
 */
void session_abandon(struct session *s)
{
	char line[GUEST_LINE];
	int n;

	if (s->state == SESSION_AWAY)
		return;
	n = snprintf(line, sizeof(line), "%s z\n\n", s->nonce);
	if (send(s->p->con->stream, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		debug("console: the guest could not be told that we leave");
	s->state = SESSION_AWAY;
}

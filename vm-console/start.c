// SPDX-License-Identifier: ISC
/*
 * start.c - find a shell on the console and start our helper in it.
 *
 * Typing while the guest boots may go to nobody, so the probe is repeated with growing intervals, and
 * at once when the guest fell silent with something that may be a prompt. Only the answer to the
 * newest probe counts: whatever was typed before it has been read then. Each probe begins by wiping
 * the line; it never sends ^C, which would interrupt what others run.
 *
 * Another vm-console that died within a session may have left its helper: any line that is not of its
 * session makes a helper at rest leave, and our probes are such lines.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "guest.h"
#include "log.h"
#include "session.h"
#include "util.h"

enum {
	PIECE = 200,            /* characters of the helper in a line */
	LOAD_SILENCE = 10000,   /* what the loader hears cannot be repeated: give it time */
	ATTEMPTS = 3,           /* at loading the helper */
	PROBE_FIRST = 100,      /* ms between probes; doubles up to... */
	PROBE_MAX = 2000,
	PATIENCE = 30000,       /* ms without a shell before we say so */
};

/* The last visible bytes that came. */
struct tail {
	size_t len;
	char text[61];
};

static void tail_add(struct tail *t, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] == '\r' || bytes[i] == '\n')
			continue;
		if (t->len == sizeof(t->text) - 1)
			memmove(t->text, t->text + 1, --t->len);
		t->text[t->len++] = (char)bytes[i];
		t->text[t->len] = 0;
	}
}

/* Wait for the answer to probe @number. Return 1; 0 when it is time for another; -errno. */
static int hear_probe(struct session *s, unsigned int number, int64_t interval, struct tail *tail)
{
	uint64_t sent = now_msec();
	bool prompt = false;
	char text[12];

	snprintf(text, sizeof(text), "%u", number);
	while ((int64_t)(now_msec() - sent) < interval) {
		struct pump *p = s->p;
		struct record rec;
		int e = pump_wait(p, interval / 4);

		if (e < 0)
			return e;
		if (!e && prompt)
			return 0;
		if (!e)
			continue;
		tail_add(tail, p->buf + p->at, p->len - p->at);
		/* What ends in the quote that ends a probe is its echo. */
		prompt = tail->len && tail->text[tail->len - 1] != '\'';
		while ((e = session_next(s, 0, &rec)) > 0) {
			if (session_is(&rec, "P", text))
				return 1;
			sent = now_msec();      /* a shell is answering older ones */
		}
		if (e < 0)
			return e;
	}
	return 0;
}

static int synchronize(struct session *s)
{
	uint64_t start = now_msec(), interval = PROBE_FIRST;
	struct tail tail = { 0 };
	unsigned int number;
	bool told = false;

	for (number = 1;; number++) {
		char line[GUEST_LINE];
		int e;

		guest_probe(line, s->nonce, number);
		e = session_type(s, line);
		if (!e)
			e = hear_probe(s, number, (int64_t)interval, &tail);
		if (e)
			return MIN(e, 0);
		interval = MIN(interval * 2, (uint64_t)PROBE_MAX);
		if (!told && now_msec() - start > PATIENCE) {
			warn("console: no shell answers yet; what the guest said last: %s",
			     tail.text);
			told = true;
		}
	}
}

static int load_pieces(struct session *s)
{
	size_t done, n, len = strlen(guest_helper);
	char line[GUEST_LINE], number[24];
	struct record rec;
	int e = 1;

	for (done = 0; e > 0 && done < len; done += n) {
		n = MIN(len - done, (size_t)PIECE);
		snprintf(line, sizeof(line), "%.*s\n", (int)n, guest_helper + done);
		snprintf(number, sizeof(number), "%zu", done + n);
		e = session_type(s, line);
		if (!e)
			e = session_expect(s, LOAD_SILENCE, "a", number, &rec);
	}
	return e;
}

/* Start the helper at a prompt. Return 1 when it runs, 0 when it did not come up; -errno. */
static int load(struct session *s)
{
	char line[GUEST_LINE];
	struct record rec;
	int e, end;

	guest_loader(line, s->nonce);
	s->state = SESSION_LOADING;
	e = session_type(s, line);
	if (!e)
		e = session_expect(s, LOAD_SILENCE, "L", NULL, &rec);
	if (e > 0)
		e = load_pieces(s);
	if (e < 0)
		return e;
	end = session_type(s, "\n");       /* the helper is complete, or the loader leaves */
	if (end || !e)
		return end;
	e = session_expect(s, LOAD_SILENCE, "HE", NULL, &rec);
	if (e <= 0)
		return e;
	if (rec.op == 'E') {
		s->state = SESSION_AWAY;
		snprintf(line, sizeof(line), "the guest cannot do --run: %s",
			 rec.args ? rec.arg[0] : "no reason given");
		return session_fail(s, line);
	}
	s->chunk = SESSION_CHUNK_MAX;
	s->state = SESSION_READY;
	return 1;
}

/**
 * session_open() - find a shell, wait for it if need be, and start the helper
 * @s: AWAY; READY afterwards
 * Return: 0; -EIO; else as pump_wait().
 */
int session_open(struct session *s)
{
	uint32_t nonce;
	int e, attempt;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
			return session_fail(s, "no random numbers");
		snprintf(s->nonce, sizeof(s->nonce), "%08x", (unsigned int)nonce);
		e = synchronize(s);
		if (!e)
			e = load(s);
		if (e)
			return MIN(e, 0);
		debug("console: the helper did not start: trying again");
	}
	return session_fail(s, "the shell in the guest does not take our helper");
}

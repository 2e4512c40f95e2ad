// SPDX-License-Identifier: ISC
/*
 * script.c - automation: the steps of the command line, in their order.
 *
 * Received bytes are used once: a --wait-for takes those up to the end of its match and prints them,
 * the next one goes on behind it. A --run takes all that comes until the shell is its own again, and
 * prints the command's output alone. What is received and not waited for is not printed.
 *
 * Nothing here reads stdin.
 */
#include "script.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "match.h"
#include "run.h"
#include "util.h"

/* Print what comes until the expression is found. Return 0, or as pump_wait() and pump_print(). */
static int wait_for(struct pump *p, const struct regex *re, uint8_t *before)
{
	static struct match m;
	bool found = false;

	match_start(&m, re, *before);
	while (!found) {
		size_t used;
		int e;

		found = match_feed(&m, p->buf + p->at, p->len - p->at, &used);
		if (used) {
			*before = p->buf[p->at + used - 1];
			e = pump_print(p, p->buf + p->at, used);
			p->at += used;
			if (e)
				return e;
		}
		e = found ? 0 : pump_wait(p, -1);
		if (e < 0)
			return e;
	}
	return 0;
}

static const char *describe(const struct step *step)
{
	static const char *const names[] = { "--send", "--wait-for", "--run" };

	return names[step->kind];
}

/* Say why a step failed with @e and tidy up. Return the exit status. */
static int failed(struct pump *p, struct session *s, const struct step *step, int e)
{
	const char *cause;
	uint64_t lost;

	switch (e) {
	case -ETIMEDOUT:
		run_recover(s);
		warn("console: timeout: %s %.80s", describe(step), step->text);
		lost = console_lost(p->con);
		if (lost)
			warn("console: %llu bytes of output were lost", (unsigned long long)lost);
		return EXIT_TIMEOUT;
	case -EINTR:
		session_abandon(s);
		tty_die(pump_signal());
	case -EPIPE:
		session_abandon(s);
		tty_die(SIGPIPE);
	case -ECONNRESET:
		console_cause(p->con, &cause);
		warn("console: the VM ended (%s) before %s %.80s was done", cause, describe(step),
		     step->text);
		return EXIT_OURS;
	default:
		session_abandon(s);
		warn("%s", p->why[0] ? p->why : errstr(e));
		return EXIT_OURS;
	}
}

/**
 * script_run() - do the steps
 * @con: stream open
 * @steps, @count: what to do
 * @deadline: on now_msec()'s clock, 0 for none
 *
 * May die of a signal instead of returning. Return: the exit status.
 */
int script_run(struct console *con, const struct step *steps, size_t count, uint64_t deadline)
{
	static struct pump pump;
	static struct session session = { .p = &pump };
	uint8_t before = '\n';
	int e, status = 0;
	size_t i;

	e = pump_init(&pump, con, deadline);
	if (e) {
		warn("stdout: %s", errstr(e));
		return EXIT_OURS;
	}
	for (i = 0; i < count && !status; i++) {
		const struct step *step = &steps[i];

		debug("console: %s %.80s", describe(step), step->text);
		e = 0;
		switch (step->kind) {
		case STEP_SEND:
			e = pump_send(&pump, step->bytes, step->len);
			break;
		case STEP_WAIT_FOR:
			e = wait_for(&pump, step->re, &before);
			break;
		case STEP_RUN:
			e = run_command(&session, step->text);
			status = MAX(e, 0);
			break;
		}
		/* The shell gets its console back before anything else is done with it. */
		if (e >= 0 && (status || i + 1 == count || steps[i + 1].kind != STEP_RUN))
			e = session_close(&session);
		if (e < 0)
			return failed(&pump, &session, step, e);
	}
	return status;
}

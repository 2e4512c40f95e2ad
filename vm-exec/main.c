// SPDX-License-Identifier: ISC
/*
 * main.c - vm-exec: run a command in a VM's guest.
 *
 * The life: parse, find the VM, connect to its agent (agent.c), open what is local, confine, ask for
 * the command and move its bytes (session.c), tell how it ended (outcome.c). Whoever wants to know the
 * talk with the agent reads proto.h first.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "confine.h"
#include "log.h"
#include "signals.h"
#include "util.h"

static struct config config = CONFIG_INIT;
static struct session session;
static struct signals signals;

static uint64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the command is asked for, calls block: --timeout ends them from outside. */
static void on_alarm(int sig)
{
	static const char line[] = "vm-exec: VM: timeout: it does not answer\n";
	static const char json[] = "{\"error\":\"timeout\"}\n";

	(void)sig;
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0 ||
	    (config.status_fd >= 0 && write(config.status_fd, json, sizeof(json) - 1) < 0)) {
		/* nobody to tell */
	}
	_exit(EXIT_TIMEOUT);
}

static void set_alarm(uint64_t msec)
{
	struct itimerval it = {
		.it_value = { (time_t)(msec / 1000), (suseconds_t)(msec % 1000) * 1000 },
	};

	signal(SIGALRM, msec ? on_alarm : SIG_DFL);
	setitimer(ITIMER_REAL, &it, NULL);
}

/* Begin to play the command's part here: take its signals, and the terminal. */
static int on_started(void *arg)
{
	const struct term *t = arg;
	int e = signals_take(&signals, t->raw);

	return !e && t->raw ? tty_raw(t->keys) : e;
}

static void on_flushed(void *arg)
{
	(void)arg;
	signals_flushed(&signals);
}

/* Up to the request. Return 0, or -errno with the outcome's text set. */
static int start(struct agent *agent, struct term *term)
{
	uint64_t deadline = now_msec() + config.timeout, now;
	char *err = session.outcome.text;
	size_t size = sizeof(session.outcome.text);
	int e;

	if (config.timeout)
		set_alarm(config.timeout);
	e = handle_open(&agent->link, config.spec, err, size);
	if (!e)
		e = term_open(term, &config, agent->link.stdin_is_handle, err, size);
	if (!e)
		e = agent_open(agent, &config, err, size);
	if (e)
		return e;
	set_alarm(0);
	session.started = on_started;
	session.flushed = on_flushed;
	session.arg = term;
	now = now_msec();
	e = session_init(&session, &config, agent, term,
			 !config.timeout ? 0 : deadline > now ? deadline - now : 1);
	if (!e)
		e = signals_init(&signals, &session);
	if (!e)
		e = confine();
	if (e == -EMSGSIZE)
		snprintf(err, size, "command: with its environment it is too long: %d bytes at most",
			 (int)WIRE_LARGE);
	else if (e)
		snprintf(err, size, "cannot start: %s", errstr(e));
	return e;
}

int main(int argc, char *argv[])
{
	static struct agent agent;
	static struct term term;
	int e;

	fdio_std();
	handle_keep_private();
	log_init("vm-exec", false);
	options_parse(&config, argc, argv);
	log_init("vm-exec", config.verbose);
	signal(SIGPIPE, SIG_IGN);       /* a lost reader is noticed where it is written */
	agent_init(&agent);

	session.outcome.kind = OUTCOME_FAILED;
	if (start(&agent, &term) == 0) {
		e = loop_run(session.loop);
		if (e)
			snprintf(session.outcome.text, sizeof(session.outcome.text), "loop: %s", errstr(e));
	}
	tty_restore();
	return outcome_tell(&session.outcome, config.status_fd);
}

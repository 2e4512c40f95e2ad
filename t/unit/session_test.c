// SPDX-License-Identifier: ISC
/*
 * session_test.c - vm-exec's wait for the answer to a request: bounded, and just to who answers.
 *
 * The peer is the other end of a socket. Nobody waits for real: the timer is read, and then wound on.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "session.h"
#include "tap.h"

enum { FDS = 64, WOUND_ON = 1, HONEST = 35000, PATIENT = 120000 };

static char *const command[] = { (char *)"x", NULL };
static const struct config config = { .command = command, .detach = true, .status_fd = -1, .escape = -1 };
static const struct term term = { .keys = -1, .size = -1 };

struct world {
	struct session s;
	struct agent agent;
	int peer, vm;           /* the other ends of control connection and control socket */
};

static void flushed(void *arg)
{
	(void)arg;
}

static void on_turn(void *arg, uint32_t events)
{
	(void)events;
	loop_stop(arg);
}

/* A session whose request is out: only the answer and the timer are waited for. */
static void set_up(struct world *w)
{
	int control[2], vm[2], turn, i;

	memset(w, 0, sizeof(*w));
	agent_init(&w->agent);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, vm))
		abort();
	w->agent.stream[PROTO_CONTROL] = control[0];
	w->peer = control[1];
	w->agent.link.sock = vm[0];
	w->vm = vm[1];
	w->s.flushed = flushed;
	if (session_init(&w->s, &config, &w->agent, &term, 0))
		abort();
	/* In one turn the request goes, in the other its socket is found to have nothing. */
	turn = loop_timer(w->s.loop, on_turn, w->s.loop);
	for (i = 0; i < 2; i++) {
		loop_timer_set(w->s.loop, turn, WOUND_ON);
		if (loop_run(w->s.loop) || !control_idle(&w->s.control))
			abort();
	}
}

static void clean_up(struct world *w)
{
	loop_free(w->s.loop);
	wire_drop(&w->s.control.out);
	wire_in_free(&w->s.control.in);
	close(w->agent.stream[PROTO_CONTROL]);
	close(w->peer);
	close(w->agent.link.sock);
	close(w->vm);
}

/* Of all timers of this process, the one that runs: its descriptor, and what it has left in ms; -1 if none does. */
static int timer_runs(long *msec)
{
	struct itimerspec its;
	int fd;

	for (fd = 3; fd < FDS; fd++) {
		if (timerfd_gettime(fd, &its) || (!its.it_value.tv_sec && !its.it_value.tv_nsec))
			continue;
		*msec = its.it_value.tv_sec * 1000 + its.it_value.tv_nsec / 1000000;
		return fd;
	}
	return -1;
}

static void answer(struct world *w)
{
	struct wire_out out;

	wire_begin(&out, PROTO_STARTED);
	wire_put_u32(&out, PROTO_K_PID, 7);
	wire_end(&out);
	if (send(w->peer, out.data, out.len, 0) != (ssize_t)out.len)
		abort();
	wire_drop(&out);
}

static void test_silence(void)
{
	struct world w;
	long left = 0;

	set_up(&w);
	CHECK(timer_runs(&left) >= 0 && left > HONEST && left < PATIENT, "an answer is waited for, not for ever");
	loop_timer_set(w.s.loop, w.s.grace, WOUND_ON);
	CHECK(loop_run(w.s.loop) == 0 && w.s.state == SESSION_OVER, "silence is the end");
	CHECK(w.s.outcome.kind == OUTCOME_FAILED && !strcmp(w.s.outcome.text, "agent: it does not answer"),
	      "a failure, which says so");
	clean_up(&w);
}

/* As when this side was stopped: time ran out, and the answer is there. */
static void test_late_look(void)
{
	struct pollfd timer = { .events = POLLIN };
	struct world w;
	long left;

	set_up(&w);
	timer.fd = timer_runs(&left);
	loop_timer_set(w.s.loop, w.s.grace, WOUND_ON);
	/* The timer first, so that the loop sees it first. */
	CHECK(poll(&timer, 1, -1) == 1, "the time is over");
	answer(&w);
	CHECK(loop_run(w.s.loop) == 0 && w.s.outcome.kind == OUTCOME_STARTED && w.s.outcome.number == 7,
	      "an answer that is there counts, however late it is read");
	clean_up(&w);
}

static void test_answer(void)
{
	struct world w;
	long left;

	set_up(&w);
	answer(&w);
	CHECK(loop_run(w.s.loop) == 0 && w.s.outcome.kind == OUTCOME_STARTED, "an answer is taken");
	CHECK(timer_runs(&left) < 0, "and no longer waited for");
	clean_up(&w);
}

/* Bytes are no answer, and buy no time. */
static void test_drip(void)
{
	static const char half[] = "\14\0\0\0\4";
	struct world w;

	set_up(&w);
	if (send(w.peer, half, sizeof(half) - 1, 0) < 0)
		abort();
	loop_timer_set(w.s.loop, w.s.grace, WOUND_ON);
	CHECK(loop_run(w.s.loop) == 0 && w.s.outcome.kind == OUTCOME_FAILED &&
	      !strcmp(w.s.outcome.text, "agent: it does not answer"), "half an answer is none");
	clean_up(&w);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_silence();
	test_answer();
	test_late_look();
	test_drip();
	return tap_done();
}

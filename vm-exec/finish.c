// SPDX-License-Identifier: ISC
/*
 * finish.c - how a session ends: when all is there, when it is not, when the agent is lost, in time.
 *
 * The states are at the head of session.c. Four waits are bounded, by one timer: for the answer to the
 * request, for output that is missing after `exit`, for the VM's word after the agent is lost, for the
 * agent after a kill.
 */
#include "finish.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "util.h"

enum {
	LOST_WAIT = 1000,       /* ms for the VM to say why the agent is lost */
	KILL_WAIT = 2000,       /* ms for the agent to report a command that --timeout killed */
};

/** session_over() - the outcome is known. @s: not OVER. @kind: of it; number and text are set. */
void session_over(struct session *s, enum outcome_kind kind)
{
	assert(s->state != SESSION_OVER);
	s->state = SESSION_OVER;
	s->outcome.kind = kind;
	pump_stop(&s->in);
	pump_stop(&s->out);
	pump_stop(&s->err);
	control_stop(&s->control);
	loop_del(s->loop, &s->vm_watch);
	loop_stop(s->loop);
}

/** session_fail() - end it with a failure of ours. @s: not OVER. @fmt: object: what: reason. */
void session_fail(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->outcome.text, sizeof(s->outcome.text), fmt, ap);
	va_end(ap);
	session_over(s, OUTCOME_FAILED);
}

static void over_timeout(struct session *s, const char *what)
{
	snprintf(s->outcome.text, sizeof(s->outcome.text), "%.200s: timeout: %s", s->cfg->command[0], what);
	session_over(s, OUTCOME_TIMEOUT);
}

static bool complete(struct session *s, const struct pump *p, const char *name)
{
	if (p->state == PUMP_IDLE || p->write_error || p->moved == p->limit)
		return true;
	session_fail(s, "%s: output truncated: %llu of %llu bytes came", name, (unsigned long long)p->moved,
	     (unsigned long long)p->limit);
	return false;
}

static bool all_written(const struct session *s)
{
	return s->out.state == PUMP_DONE && (s->err.state == PUMP_DONE || s->err.state == PUMP_IDLE);
}

/** session_check() - see whether all is done. @s: in whatever state. */
void session_check(struct session *s)
{
	if (s->state == SESSION_LOST && s->vm_heard && all_written(s))
		session_over(s, OUTCOME_FAILED);
	if (s->state != SESSION_ENDED || !all_written(s))
		return;
	if (s->timed_out) {
		over_timeout(s, "it was killed");
	} else if (complete(s, &s->out, "stdout") && complete(s, &s->err, "stderr")) {
		s->outcome = s->end;
		session_over(s, s->end.kind);
	}
}

/**
 * session_patience() - begin to wait for the agent, or the VM
 * @s: session
 * @msec: how long at most, as long as nothing comes; 0: no longer
 */
void session_patience(struct session *s, uint64_t msec)
{
	s->grace_moved = s->out.moved + s->err.moved;
	loop_timer_set(s->loop, s->grace, msec);
}

static void on_grace(void *arg, uint32_t events)
{
	struct session *s = arg;

	(void)events;
	if (s->state == SESSION_OVER)
		return;
	if (s->timed_out) {
		over_timeout(s, "it was killed");
	} else if (s->state == SESSION_STARTING) {
		/* We may have been stopped meanwhile: the answer may be there. */
		control_look(&s->control);
		if (s->state == SESSION_STARTING)
			session_fail(s, "agent: it does not answer");
	} else if (s->state == SESSION_LOST) {
		s->vm_heard = true;
		pump_end(&s->out);
		pump_end(&s->err);
		if (s->state == SESSION_LOST)
			session_check(s);
	} else if (s->state == SESSION_ENDED) {
		/* We may have been stopped meanwhile: what counts is what is there now. */
		pump_look(&s->out);
		pump_look(&s->err);
		if (s->state == SESSION_OVER)
			return;
		if (s->out.moved + s->err.moved != s->grace_moved ||
		    (!pump_waits(&s->out) && !pump_waits(&s->err)))
			session_patience(s, SESSION_GRACE);
		else
			session_fail(s, "agent: output truncated: it does not end");
	}
}

static void on_timeout(void *arg, uint32_t events)
{
	struct session *s = arg;

	(void)events;
	if (s->state == SESSION_OVER)
		return;
	if (s->state == SESSION_RUNNING) {
		s->timed_out = true;
		control_signal(&s->control, "KILL");
		session_patience(s, KILL_WAIT);
	} else if (s->state == SESSION_LOST) {
		session_over(s, OUTCOME_FAILED);
	} else {
		over_timeout(s, s->state == SESSION_STARTING ? "it has not started" :
			     "its output is not written");
	}
}

/* -- the agent is lost -- */

static void on_vm(void *arg, uint32_t events)
{
	struct session *s = arg;
	struct msg m;
	int e = msg_recv(s->agent->link.sock, &m, false);

	(void)events;
	if (e == -EAGAIN)
		return;
	snprintf(s->outcome.text, sizeof(s->outcome.text), "VM: it ended before the command did: %.100s",
		 e > 0 && m.words > 1 ? m.word[1] : "vm-boot was killed");
	if (e > 0)
		msg_drop(&m);
	loop_del(s->loop, &s->vm_watch);
	s->vm_heard = true;
	session_check(s);
}

static void lose(struct session *s)
{
	snprintf(s->outcome.text, sizeof(s->outcome.text), "agent: lost: it hung up before the command %s",
		 s->state == SESSION_STARTING ? "started" : "ended");
	if (s->state == SESSION_STARTING) {
		s->out.state = PUMP_DONE;
		s->err.state = PUMP_DONE;
	}
	s->state = SESSION_LOST;
	pump_stop(&s->in);
	/* session_init() asked. A reply says that the VM has ended; so does the end of its socket. */
	s->vm_watch = loop_add(s->loop, s->agent->link.sock, EPOLLIN, on_vm, s);
	session_patience(s, s->vm_watch < 0 ? 1 : LOST_WAIT);
}

/**
 * session_hung_up() - the control connection has ended
 * @arg: session
 * @err: -ECONNRESET when the agent ended it; else why we did
 */
void session_hung_up(void *arg, int err)
{
	struct session *s = arg;

	if (s->state == SESSION_OVER)
		return;
	if (err == -EMSGSIZE || err == -EBADMSG)
		session_fail(s, "agent: protocol error: %s",
			     err == -EMSGSIZE ? "a record too long" : "a malformed record");
	else if (err != -ECONNRESET)
		session_fail(s, "agent: %s", errstr(err));
	else if (s->state != SESSION_ENDED)
		lose(s);
}

/**
 * session_timers() - make the timers
 * @s: loop made
 * @timeout: ms until the command is killed, 0 for never
 * Return: 0 or -errno.
 */
int session_timers(struct session *s, uint64_t timeout)
{
	s->timeout = loop_timer(s->loop, on_timeout, s);
	s->grace = loop_timer(s->loop, on_grace, s);
	if (s->timeout < 0 || s->grace < 0)
		return MIN(s->timeout, s->grace);
	loop_timer_set(s->loop, s->timeout, timeout);
	return 0;
}

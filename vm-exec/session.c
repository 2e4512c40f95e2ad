// SPDX-License-Identifier: ISC
/*
 * session.c - one command in the guest, from its request to its end.
 *
 *	local stdin ──▶ in ──▶ stream          stream ──▶ out, err ──▶ local stdout, stderr
 *	signals, sizes ──▶ control ──▶ agent   agent ──▶ control ──▶ started, failed, exit
 *
 * States: STARTING (the request is on its way; nothing is read from stdin), RUNNING, ENDED (the command
 * has, its output is still to come or to be written), LOST (the agent hung up before it told the end),
 * OVER (the outcome is known, the loop stops).
 *
 *	STARTING  `started`					-> RUNNING; with -d OVER
 *	STARTING  `failed`, or neither in SESSION_ANSWER	-> OVER
 *	RUNNING	  `exit`					-> ENDED
 *	STARTING, RUNNING  the connection ends			-> LOST
 *	ENDED	  every output is at its end and written	-> OVER
 *	ENDED	  an output stands still for SESSION_GRACE		-> OVER
 *	LOST	  the VM said why, or its time (finish.c) passed, and what came is written	-> OVER
 *	all	  another record, or a malformed one		-> OVER
 *	all	  stdout has no reader, the escape, a failure of ours	-> OVER
 *	STARTING, ENDED, LOST  --timeout			-> OVER, LOST as a failure
 *	RUNNING	  --timeout: the command is killed; as above, in bounded time	-> OVER
 *
 * What the agent says is held against what came: the bytes of each output must be as many as `exit`
 * counts, because a reset reads like an end. Stdin is let go at the command's end, whatever is left.
 */
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "finish.h"
#include "tty.h"
#include "util.h"

enum { SIGNAL_MAX = 64 };

/* -- streams -- */

static void on_pump(void *arg, struct pump *p)
{
	struct session *s = arg;
	const char *name = p == &s->out ? "stdout" : "stderr";

	if (p->read_error == -EOVERFLOW)
		session_fail(s, "%s: output damaged: more came than the %llu bytes it has", name,
		     (unsigned long long)p->limit);
	else if (p == &s->out && p->write_error == -EPIPE)
		session_over(s, OUTCOME_PIPE);
	else if (p->write_error == -EPIPE)
		shutdown(p->from.fd, SHUT_RDWR);        /* the command gets SIGPIPE, too */
	else if (p->write_error)
		session_fail(s, "%s: %s", name, errstr(p->write_error));
	if (s->state != SESSION_OVER)
		session_check(s);
}

static void on_stdin(void *arg, struct pump *p)
{
	struct session *s = arg;

	if (p->write_error) {
		/* The command has closed it: who feeds us gets SIGPIPE, as if we were the command. */
		fdio_close(&p->from);
		if (s->term->keys == STDIN_FILENO && !s->term->raw)
			close(STDIN_FILENO);
	} else if (s->term->raw) {
		tty_gone(s->term->keys);
		session_fail(s, "the terminal has no more keys for us");
	} else if (p->read_error) {
		session_fail(s, "stdin: %s", errstr(p->read_error));
	} else if (!s->cfg->tty) {
		shutdown(p->to.fd, SHUT_WR);
	}
}

static size_t filter_keys(void *arg, uint8_t *keys, size_t len)
{
	struct session *s = arg;

	return escape_take(&s->escape, keys, len);
}

static void on_escape(void *arg)
{
	struct session *s = arg;

	if (s->state != SESSION_OVER)
		session_over(s, OUTCOME_LEFT);
}

/* -- records -- */

static int protocol_error(struct session *s, const char *what)
{
	session_fail(s, "agent: protocol error: %s", what);
	return -EPROTO;
}

static int start_pumps(struct session *s)
{
	pump_filter *filter = s->term->raw && s->escape.key >= 0 ? filter_keys : NULL;
	int e = pump_start(&s->out, s->loop, on_pump, NULL, s);

	if (!e && s->state != SESSION_OVER && !s->cfg->tty)
		e = pump_start(&s->err, s->loop, on_pump, NULL, s);
	if (!e && s->state != SESSION_OVER && s->cfg->interactive)
		e = pump_start(&s->in, s->loop, on_stdin, filter, s);
	return e;
}

static int take_started(struct session *s, const struct wire_record *r)
{
	int e;

	if (!wire_get_u32(r, PROTO_K_PID, &s->outcome.number))
		return protocol_error(s, "`started` without a pid");
	if (s->cfg->detach && control_more(&s->control))
		return protocol_error(s, "a record after the last");
	s->state = SESSION_RUNNING;
	session_patience(s, 0);
	if (s->cfg->detach) {
		session_over(s, OUTCOME_STARTED);
		return 0;
	}
	e = s->started(s->arg);
	if (e) {
		session_fail(s, "terminal: raw mode: %s", errstr(e));
		return 0;
	}
	e = start_pumps(s);
	if (e)
		session_fail(s, "streams: %s", errstr(e));
	else if (s->state == SESSION_RUNNING)
		session_resize(s);
	return 0;
}

static int take_failed(struct session *s, const struct wire_record *r)
{
	char text[512];
	uint32_t status;

	if (!wire_get_u32(r, PROTO_K_STATUS, &status) || status < 125 || status > 127)
		return protocol_error(s, "`failed` with an impossible status");
	if (control_more(&s->control))
		return protocol_error(s, "a record after the last");
	if (!wire_get_text(r, PROTO_K_TEXT, text, sizeof(text)))
		snprintf(text, sizeof(text), "the agent gives no reason");
	s->outcome.number = status;
	snprintf(s->outcome.text, sizeof(s->outcome.text), "%s", text);
	session_over(s, OUTCOME_REFUSED);
	return 0;
}

static bool parse_end(struct session *s, const struct wire_record *r)
{
	struct outcome *end = &s->end;

	if (wire_get_u32(r, PROTO_K_STATUS, &end->number)) {
		end->kind = OUTCOME_EXIT;
		return end->number <= 255 && !wire_get_u32(r, PROTO_K_SIGNAL, &end->number);
	}
	if (!wire_get_u32(r, PROTO_K_SIGNAL, &end->number))
		return false;
	end->kind = s->interrupted && end->number == SIGINT ? OUTCOME_INTERRUPT : OUTCOME_SIGNAL;
	return end->number >= 1 && end->number <= SIGNAL_MAX;
}

static int take_exit(struct session *s, const struct wire_record *r)
{
	uint64_t out, err = 0;

	if (!parse_end(s, r))
		return protocol_error(s, "`exit` with an impossible status");
	if (!wire_get_u64(r, PROTO_K_BYTES_OUT, &out) ||
	    (!s->cfg->tty && !wire_get_u64(r, PROTO_K_BYTES_ERR, &err)))
		return protocol_error(s, "`exit` without the count of bytes");
	if (control_more(&s->control))
		return protocol_error(s, "a record after the last");
	s->state = SESSION_ENDED;
	pump_stop(&s->in);
	if (!s->timed_out)
		session_patience(s, SESSION_GRACE);
	pump_limit(&s->out, out);
	if (s->state == SESSION_ENDED)
		pump_limit(&s->err, err);
	if (s->state == SESSION_ENDED)
		session_check(s);
	return 0;
}

static int on_record(void *arg, const struct wire_record *r)
{
	struct session *s = arg;

	if (s->state == SESSION_STARTING && r->type == PROTO_STARTED)
		return take_started(s, r);
	if (s->state == SESSION_STARTING && r->type == PROTO_FAILED)
		return take_failed(s, r);
	if (s->state == SESSION_RUNNING && r->type == PROTO_EXIT)
		return take_exit(s, r);
	return protocol_error(s, s->state == SESSION_ENDED ? "a record after the last" :
			      "a record that does not belong here");
}

static void on_flushed(void *arg)
{
	struct session *s = arg;

	s->flushed(s->arg);
}

/* -- from outside -- */

/**
 * session_signal() - pass a signal on to the command
 * @s: RUNNING
 * @sig: its number here
 * @name: without SIG, static
 */
void session_signal(struct session *s, int sig, const char *name)
{
	assert(s->state == SESSION_RUNNING);
	s->interrupted |= sig == SIGINT;
	control_signal(&s->control, name);
}

/** session_resize() - tell the command's terminal, if it has one, its size. @s: in whatever state. */
void session_resize(struct session *s)
{
	struct winsize_cells size;

	if (!s->cfg->tty || s->state != SESSION_RUNNING)
		return;
	term_measure(s->term, &size);
	if (size.cols)
		control_resize(&s->control, &size);
}

static int open_output(struct pump *p, int stream, int fd)
{
	p->from = (struct fdio){ .fd = stream, .socket = true };
	return fdio_open(&p->to, fd, true);
}

static int open_streams(struct session *s)
{
	const int *stream = s->agent->stream;
	int to, e;

	if (s->cfg->detach)
		return 0;
	e = open_output(&s->out, stream[s->cfg->tty ? PROTO_TTY : PROTO_STDOUT], STDOUT_FILENO);
	if (!e && !s->cfg->tty)
		e = open_output(&s->err, stream[PROTO_STDERR], STDERR_FILENO);
	if (e || !s->cfg->interactive)
		return e;
	/* A descriptor of its own, because epoll knows each once. */
	to = s->cfg->tty ? fcntl(stream[PROTO_TTY], F_DUPFD_CLOEXEC, 3) : stream[PROTO_STDIN];
	if (to < 0)
		return -errno;
	s->in.to = (struct fdio){ .fd = to, .socket = true };
	return fdio_open(&s->in.from, s->term->keys, false);
}

static int open_control(struct session *s)
{
	struct winsize_cells size;
	int e;

	s->control = (struct control){
		.loop = s->loop, .fd = s->agent->stream[PROTO_CONTROL], .watch = -1, .record = on_record,
		.ended = session_hung_up, .flushed = on_flushed, .arg = s,
	};
	term_measure(s->term, &size);
	agent_request(&s->control.out, s->cfg, &size);
	e = wire_end(&s->control.out);
	return e ? e : control_start(&s->control);
}

/* Ask to be told of the VM's end, before it can be near: who asks when the streams end may come too late. */
static void ask_for_end(struct session *s)
{
	struct msg m;

	msg_init(&m);
	msg_add(&m, "wait");
	msg_send(s->agent->link.sock, &m);
}

/**
 * session_init() - make ready and ask for the command; loop_run() does the rest
 * @s: started, flushed and arg set; STARTING afterwards
 * @c, @a, @t: borrowed, open
 * @timeout: ms from now, 0 for none
 * Return: 0; -EMSGSIZE when command and environment are too long; -errno.
 */
int session_init(struct session *s, const struct config *c, struct agent *a, const struct term *t,
		 uint64_t timeout)
{
	int e;

	s->state = SESSION_STARTING;
	s->cfg = c;
	s->agent = a;
	s->term = t;
	s->vm_watch = -1;
	pump_init(&s->in);
	pump_init(&s->out);
	pump_init(&s->err);
	s->loop = loop_new();
	if (!s->loop)
		return -errno;
	e = session_timers(s, timeout);
	if (!e)
		e = escape_init(&s->escape, s->loop, c->escape, on_escape, s);
	if (!e)
		e = open_streams(s);
	if (!e)
		e = open_control(s);
	if (e)
		return e;
	session_patience(s, SESSION_ANSWER);
	ask_for_end(s);
	return 0;
}

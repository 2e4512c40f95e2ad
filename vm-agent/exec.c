// SPDX-License-Identifier: ISC
/*
 * exec.c - a session: one command for one client.
 *
 *   GATHERING	the control connection is here; `exec` is to come, in ASK_MS (the host may have many clients
 *		and little time for each), and the streams it names, in GATHER_MS from then on
 *   STARTING	forked; its status pipe tells whether it runs
 *   RUNNING	`started` is sent, bytes flow
 *   DRAINING	the command was reaped; what its pipes held then is sent yet
 *   CLOSING	the last record is in the queue: `failed`, `exit`, or `started` of a detached one
 *   ENDED	everything is closed; exec_free() it
 *
 *   GATHERING --all there--> STARTING --status pipe ends--> RUNNING --reaped--> DRAINING
 *   DRAINING --outputs sent--> CLOSING --record sent--> ENDED
 *   GATHERING, STARTING --failure--> CLOSING	STARTING --detached command runs--> CLOSING
 *   any but STARTING, RUNNING --control connection lost--> ENDED
 *
 * A session is over when its command is, not when its output ends: a background child may hold the
 * pipes for ever, and gets SIGPIPE later. A terminal is read until it is hung up, which the end
 * of the command does as it leads the session; a kernel that is late gets DRAIN_MS, not counting
 * the time in which the client does not read.
 *
 * When the control connection is lost while there is a process, everything else is closed at once,
 * its group gets HUP and CONT, and KILL after GRACE_MS. The session stays until the command is
 * reaped; before that, while the pid cannot be another's, what is left of the group is killed.
 *
 * Signals that come before the command runs are kept and delivered then.
 */
#include "exec.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "clock.h"
#include "control.h"
#include "flow.h"
#include "kmsg.h"
#include "launch.h"
#include "loop.h"
#include "report.h"
#include "util.h"

enum {
	ASK_MS = 30000,
	GATHER_MS = 5000,
	GRACE_MS = 1000,
	LEFT_MS = 50,			/* from an output that nobody reads to its end */
	DRAIN_MS = 1000,
	CLOSE_MS = 5000,
	LOG_LINES = 32,			/* about what clients sent wrongly, in all */
};

enum exec_state {
	EXEC_GATHERING,
	EXEC_STARTING,
	EXEC_RUNNING,
	EXEC_DRAINING,
	EXEC_CLOSING,
	EXEC_ENDED,
	EXEC_STATE_COUNT
};

struct exec {
	enum exec_state state;
	const struct exec_host *host;
	uint8_t id[PROTO_ID];
	struct control control;
	long long deadline;		/* of this state, by clock_ms(); 0: none */

	bool asked;			/* a request has come, into @launch */
	struct launch launch;		/* with the request; over when RUNNING, but for the size */
	uint32_t streams;		/* asked for */
	uint32_t seen;			/* streams that came, also those that went */
	int fd[PROTO_STREAMS];		/* streams until RUNNING; -1: none */

	struct flow flow;
	pid_t pid;			/* 0: none */
	bool detached;			/* it is not ours to reap */
	bool hung_up;
	uint64_t signals;		/* 1 << number, until RUNNING */
	int wait_status;
};

static unsigned int lines_left = LOG_LINES;

static void move(struct exec *s, enum exec_state to)
{
	static const unsigned int from[EXEC_STATE_COUNT] = {
		[EXEC_STARTING] = 1 << EXEC_GATHERING,
		[EXEC_RUNNING] = 1 << EXEC_STARTING,
		[EXEC_DRAINING] = 1 << EXEC_RUNNING,
		[EXEC_CLOSING] = 1 << EXEC_GATHERING | 1 << EXEC_STARTING | 1 << EXEC_DRAINING,
		[EXEC_ENDED] = (1 << EXEC_ENDED) - 1,
	};

	assert(from[to] & 1u << s->state);
	s->state = to;
	s->deadline = 0;
}

static void set_deadline(struct exec *s, int ms)
{
	s->deadline = clock_ms() + ms;
	s->host->wake(s->host->arg, s->deadline);
}

/* -- the end -- */

/* Close all but the control connection: the client sees the ends of its streams, the command a
 * closed stdin, SIGPIPE, or its terminal hung up. */
static void close_streams(struct exec *s)
{
	size_t i;

	flow_stop(&s->flow);
	for (i = 0; i < ARRAY_SIZE(s->fd); i++)
		cleanup_fd(&s->fd[i]);
	launch_stop(&s->launch);
}

static void end(struct exec *s)
{
	move(s, EXEC_ENDED);
	close_streams(s);
	control_stop(&s->control);
	/* The server frees it: callers up the stack look at it yet. */
	s->host->wake(s->host->arg, clock_ms());
}

/* To the command's group; to itself alone as long as it does not lead one. */
static void signal_group(const struct exec *s, int sig)
{
	if (s->pid > 0 && kill(-s->pid, sig) < 0 && errno == ESRCH)
		kill(s->pid, sig);
}

/**
 * exec_hang_up() - the client is gone, or has to go
 * @s: any state
 */
void exec_hang_up(struct exec *s)
{
	if (s->state == EXEC_ENDED || s->hung_up)
		return;
	if ((s->state != EXEC_STARTING && s->state != EXEC_RUNNING) || !exec_pid(s)) {
		end(s);
		return;
	}
	s->hung_up = true;
	control_stop(&s->control);
	signal_group(s, SIGHUP);
	signal_group(s, SIGCONT);
	if (s->state == EXEC_RUNNING)
		flow_hang_up(&s->flow);
	else
		close_streams(s);
	set_deadline(s, GRACE_MS);
}

/* Send the last record: the session is over when it is gone. */
static void send_last(struct exec *s, struct wire_out *w)
{
	move(s, EXEC_CLOSING);
	if (control_send(&s->control, w) < 0 || !control_busy(&s->control))
		end(s);
	else
		set_deadline(s, CLOSE_MS);
}

static void send_failed(struct exec *s, unsigned int status, const char *text)
{
	struct wire_out w;

	report_failed(&w, status, text);
	send_last(s, &w);
}

static void send_exit(struct exec *s)
{
	struct wire_out w;

	report_exit(&w, s->wait_status, s->streams, s->flow.output.sent, s->flow.errors.sent);
	send_last(s, &w);
}

/* -- running -- */

static void see_drained(void *arg)
{
	struct exec *s = arg;

	/* An output is over while the command runs: its reader left. If the client left as a whole, that comes in a
	 * moment, and the command shall hear HUP first. */
	if (s->state == EXEC_RUNNING && !s->hung_up)
		set_deadline(s, LEFT_MS);

	if (s->state == EXEC_DRAINING && flow_is_over(&s->flow))
		send_exit(s);
}

static void deliver_signals(struct exec *s)
{
	int sig;

	for (sig = 1; sig < 64; sig++)
		if (s->signals & 1ULL << sig)
			signal_group(s, sig);
	/* Its group has no parent in its session, and such a group does not heed TSTP (POSIX, orphaned process group). */
	if (s->signals & 1ULL << SIGTSTP)
		signal_group(s, SIGSTOP);
	s->signals = 0;
}

/* The command runs: say so, and let the bytes flow. */
static void run(struct exec *s)
{
	struct wire_out w;
	int err;

	report_started(&w, s->pid);
	if (s->detached) {
		send_last(s, &w);
		return;
	}
	move(s, EXEC_RUNNING);
	err = control_send(&s->control, &w);
	if (!err)
		err = flow_start(&s->flow, s->host->loop, s->fd, see_drained, s);
	if (err < 0) {
		kmsg(KMSG_ERR, "session: %s: its command is hung up", strerror(-err));
		exec_hang_up(s);
		return;
	}
	deliver_signals(s);
}

static void on_launched(void *arg, int status, const char *text)
{
	struct exec *s = arg;

	assert(s->state == EXEC_STARTING);
	if (!status) {
		run(s);
		return;
	}
	/* It has exited, or is about to; the server reaps whom nobody knows. */
	s->pid = 0;
	close_streams(s);
	send_failed(s, (unsigned int)status, text);
}

static void start(struct exec *s)
{
	struct loop *l = s->host->loop;

	s->detached = s->launch.request.flags & PROTO_DETACH;
	move(s, EXEC_STARTING);
	s->pid = launch_begin(&s->launch, l, &s->flow.plumbing, on_launched, s);
	/* Its status cannot be watched. */
	if (s->pid && s->launch.watch < 0)
		exec_hang_up(s);
}

static void see_gathered(struct exec *s)
{
	size_t i;

	if (s->state != EXEC_GATHERING || !s->asked)
		return;
	for (i = 0; i < ARRAY_SIZE(s->fd); i++)
		if (!(s->streams & 1u << i))
			cleanup_fd(&s->fd[i]);
	if ((s->seen & s->streams) == s->streams)
		start(s);
}

/* -- what the client says -- */

static int take_request(struct exec *s, const struct wire_record *r)
{
	const char *why;

	if (s->asked)
		return -EPROTO;
	control_only_small(&s->control);
	s->asked = true;
	if (request_parse(&s->launch.request, r, &why) < 0) {
		send_failed(s, 125, why);
		return 0;
	}
	s->streams = s->launch.request.streams;
	set_deadline(s, GATHER_MS);
	see_gathered(s);
	return 0;
}

static void take_signal(struct exec *s, const struct wire_record *r)
{
	char name[16] = "";
	int sig;

	sig = wire_get_text(r, PROTO_K_NAME, name, sizeof(name)) ? request_signal(name) : 0;
	if (!sig) {
		if (lines_left && lines_left--)
			kmsg(KMSG_WARNING, "session: signal '%s': there is no such signal", name);
		return;
	}
	s->signals |= 1ULL << sig;
	if (s->state == EXEC_RUNNING)
		deliver_signals(s);
}

static void take_size(struct exec *s, const struct wire_record *r)
{
	request_size(&s->launch.request.size, r);
	flow_size(&s->flow, &s->launch.request.size);
}

static int on_record(void *arg, const struct wire_record *r)
{
	struct exec *s = arg;

	/* It has ended, and the client does not know yet. */
	if (s->state == EXEC_CLOSING)
		return 0;
	if (!s->asked && r->type != PROTO_EXEC)
		return -EPROTO;
	switch (r->type) {
	case PROTO_EXEC:
		return take_request(s, r);
	case PROTO_SIGNAL:
		take_signal(s, r);
		return 0;
	case PROTO_WINSIZE:
		take_size(s, r);
		return 0;
	default:
		return -EPROTO;
	}
}

static void on_sent(void *arg)
{
	struct exec *s = arg;

	if (s->state == EXEC_CLOSING)
		end(s);
}

static void on_lost(void *arg, int err)
{
	struct exec *s = arg;

	if ((err == -EPROTO || err == -EBADMSG || err == -EMSGSIZE) && lines_left && lines_left--)
		kmsg(KMSG_WARNING, "session: a client sent a malformed record: %s", strerror(-err));
	exec_hang_up(s);
}

/* -- what the server says -- */

/**
 * exec_new() - begin a session
 * @host: borrowed for as long as it lives
 * @id: PROTO_ID bytes, unlike any other session's
 * @fd: control connection past its hello; taken over and set to -1, on failure too
 *
 * Return: the session, which may have ended already; NULL when there is no memory.
 */
struct exec *exec_new(const struct exec_host *host, const uint8_t *id, int *fd)
{
	static const struct control_ops ops = { on_record, on_sent, on_lost };
	struct exec *s = calloc(1, sizeof(*s));
	size_t i;

	if (!s) {
		cleanup_fd(fd);
		return NULL;
	}
	*s = (struct exec){
		.host = host, .control = CONTROL_INIT, .launch = LAUNCH_INIT, .flow = FLOW_INIT,
	};
	memcpy(s->id, id, PROTO_ID);
	for (i = 0; i < ARRAY_SIZE(s->fd); i++)
		s->fd[i] = -1;
	if (control_start(&s->control, host->loop, fd, &ops, s) < 0)
		end(s);
	else
		set_deadline(s, ASK_MS);
	return s;
}

/** exec_is() - whether it is this session. @s: any state. @id. Return: so; none that has ended. */
bool exec_is(const struct exec *s, const uint8_t *id)
{
	return s->state != EXEC_ENDED && !memcmp(s->id, id, PROTO_ID);
}

/**
 * exec_stream() - a stream came
 * @s: any state
 * @which: not PROTO_CONTROL
 * @fd: connection past its hello, O_NONBLOCK; taken over and set to -1 when it is wanted
 *
 * Return: whether it is: not twice, not when others were asked for, not after the start.
 */
bool exec_stream(struct exec *s, enum proto_stream which, int *fd)
{
	uint32_t bit = 1u << which;

	if (s->state != EXEC_GATHERING || (s->seen & bit) || (s->asked && !(s->streams & bit)))
		return false;
	s->seen |= bit;
	s->fd[which] = steal_fd(fd);
	see_gathered(s);
	return true;
}

/** exec_pid() - the command, a child to be reaped by exec_reap(). @s: any. Return: 0: none. */
pid_t exec_pid(const struct exec *s)
{
	return s->detached ? 0 : s->pid;
}

/**
 * exec_reap() - the command has exited
 * @s: with exec_pid(), which is a zombie
 */
void exec_reap(struct exec *s)
{
	pid_t pid = s->pid;

	assert(pid > 0);
	if (s->hung_up)
		kill(-pid, SIGKILL);
	/* It is a zombie: its status pipe has ended. */
	else if (s->state == EXEC_STARTING)
		launch_settle(&s->launch);
	while (waitpid(pid, &s->wait_status, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	if (s->hung_up) {
		end(s);
	} else if (s->state == EXEC_RUNNING) {
		move(s, EXEC_DRAINING);
		set_deadline(s, DRAIN_MS);
		flow_drain(&s->flow);
		see_drained(s);
	}
}

/**
 * exec_tick() - time has passed
 * @s: any state
 * @now: of clock_ms()
 *
 * Return: when to call again; 0: not needed.
 */
long long exec_tick(struct exec *s, long long now)
{
	if (!s->deadline || now < s->deadline)
		return s->deadline;
	s->deadline = 0;
	if (s->hung_up) {
		signal_group(s, SIGKILL);
	} else if (s->state == EXEC_GATHERING && s->asked) {
		send_failed(s, 125, "the command's streams did not come");
	} else if (s->state == EXEC_RUNNING) {
		flow_drop(&s->flow);
	} else if (s->state == EXEC_DRAINING) {
		s->deadline = now + DRAIN_MS;
		flow_end_wait(&s->flow);
	} else if (s->state == EXEC_GATHERING || s->state == EXEC_CLOSING) {
		end(s);
	}
	return s->deadline;
}

/** exec_ended() - whether it can be freed. @s. Return: so. */
bool exec_ended(const struct exec *s)
{
	return s->state == EXEC_ENDED;
}

/** exec_free() - free a session. @s: ended, and not in any caller's hands. */
void exec_free(struct exec *s)
{
	assert(s->state == EXEC_ENDED);
	free(s);
}

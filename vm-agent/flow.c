// SPDX-License-Identifier: ISC
/*
 * flow.c - the bytes between a command and its client: pipes or a terminal, and their pumps.
 *
 * When the command has exited its pipes hold a known number of bytes; just those are sent on, for a
 * background child may write for ever. Of a terminal nobody knows: what was written reaches the
 * master a little later. It is read until it is hung up, PTY_HOLDS at most.
 */
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "util.h"

enum { PTY_HOLDS = 256 << 10 };		/* more than a terminal ever has of its output */

static void input_over(void *arg, bool broken)
{
	(void)arg;
	(void)broken;
}

static void output_over(void *arg, bool broken)
{
	struct flow *f = arg;

	/* A client that left its terminal has hung it up. */
	if (broken && f->tty) {
		pump_stop(&f->input);
		cleanup_fd(&f->plumbing.master);
	}
	f->over(f->arg);
}

/**
 * flow_start() - let the bytes flow
 * @f: FLOW_INIT, with its plumbing opened and the child's side closed
 * @l: loop
 * @streams: connections, by enum proto_stream; those that are used are taken over and set to -1
 * @over, @arg: called, also from flow_drain() and flow_end_wait(), when an output is over
 *
 * Return: 0; -errno: call flow_stop().
 */
int flow_start(struct flow *f, struct loop *l, int streams[PROTO_STREAMS], void (*over)(void *arg), void *arg)
{
	struct plumbing *p = &f->plumbing;
	int *in = &streams[PROTO_STDIN], *out = &streams[PROTO_STDOUT];
	int err = 0;

	f->tty = p->master >= 0;
	f->over = over;
	f->arg = arg;
	if (f->tty) {
		out = &streams[PROTO_TTY];
		*in = fcntl(*out, F_DUPFD_CLOEXEC, 3);
		if (*in < 0)
			return -errno;
	}
	if (p->input >= 0)
		err = pump_start(&f->input, l, in, &p->input, input_over, f);
	if (!err && p->output >= 0)
		err = pump_start(&f->output, l, &p->output, out, output_over, f);
	if (!err && p->errors >= 0)
		err = pump_start(&f->errors, l, &p->errors, &streams[PROTO_STDERR], output_over, f);
	/* Whoever closes an output closes the rest, too, perhaps a moment later: see flow_drop(). */
	f->output.lingers = f->errors.lingers = !f->tty;
	return err;
}

/* What a pipe holds: what the command has left behind. */
static uint64_t held(const struct pump *p)
{
	int n = 0;

	return p->from < 0 || ioctl(p->from, FIONREAD, &n) < 0 ? 0 : (uint64_t)n;
}

/**
 * flow_drain() - the command has exited: send what it left behind, and no more
 * @f: started. Of a terminal the caller decides how long to wait for the end.
 */
void flow_drain(struct flow *f)
{
	/* Both counts before any callback. */
	uint64_t output = f->tty ? PTY_HOLDS : held(&f->output), errors = held(&f->errors);

	pump_stop(&f->input);
	pump_finish(&f->output, output);
	pump_finish(&f->errors, errors);
}

/** flow_end_wait() - wait no more, unless the client is slow or we have been: then there is something to read or send. @f. */
void flow_end_wait(struct flow *f)
{
	struct pollfd more = { .fd = f->output.from, .events = POLLIN };

	if (!pump_blocked(&f->output) && poll(&more, 1, 0) == 0)
		pump_finish(&f->output, 0);
}

static bool is_over(const struct pump *p)
{
	return p->state == PUMP_NONE || p->state == PUMP_OVER || p->to < 0;
}

/**
 * flow_drop() - close the pipes of outputs that nobody reads any more: the command is to hear of it
 * @f: any
 */
void flow_drop(struct flow *f)
{
	if (f->output.state != PUMP_NONE && f->output.to < 0)
		pump_stop(&f->output);
	if (f->errors.state != PUMP_NONE && f->errors.to < 0)
		pump_stop(&f->errors);
}

/** flow_is_over() - whether all output is sent, or cannot be. @f: any. Return: so. */
bool flow_is_over(const struct flow *f)
{
	return is_over(&f->output) && is_over(&f->errors);
}

/** flow_size() - a terminal has another size. @f: any. @size. */
void flow_size(struct flow *f, const struct winsize *size)
{
	if (f->plumbing.master >= 0 && size->ws_col)
		ioctl(f->plumbing.master, TIOCSWINSZ, size);
}

/**
 * flow_hang_up() - the client is gone: a terminal is hung up; pipes are read on, so that a command that was told may
 * still speak and die of nothing else
 * @f: any
 */
void flow_hang_up(struct flow *f)
{
	if (f->tty) {
		flow_stop(f);
		return;
	}
	pump_stop(&f->input);
	pump_discard(&f->output);
	pump_discard(&f->errors);
}

/** flow_stop() - close everything at once. @f: any; @over is not called any more. */
void flow_stop(struct flow *f)
{
	pump_stop(&f->input);
	pump_stop(&f->output);
	pump_stop(&f->errors);
	plumbing_close(&f->plumbing);
}

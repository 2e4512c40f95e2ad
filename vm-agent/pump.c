// SPDX-License-Identifier: ISC
/*
 * pump.c - one direction of a stream: bytes from one descriptor to another, with back-pressure.
 *
 *   NONE --pump_start()--> FLOWING --end of the source, or of what pump_finish() allows--> FLUSHING
 *   FLUSHING --nothing held any more--> OVER
 *   any --the sink is gone, or pump_stop()--> OVER
 *
 * At most one buffer is held. While it is not empty the source is not watched at all, for epoll
 * reports a hang-up even to those who wait for nothing. The sink always is: that a reader left
 * must be known to a command that writes nothing for now, and that a command has closed its stdin
 * to the client that waits for a key.
 *
 * A vsock whose peer is gone reports no EPOLLHUP but EPOLLRDHUP, as for a peer that only shut its
 * side down (vsock_poll); a send(2) of nothing tells which (vsock_connectible_sendmsg). After a
 * mere shutdown later news come by failed writes only.
 */
#include "pump.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "loop.h"
#include "util.h"

enum { ROOM = 32 << 10 };

static void step(struct pump *p);

/* End it. The callback may free what holds the pump: nothing is touched after it. */
static void end(struct pump *p, bool broken)
{
	assert(p->state == PUMP_FLOWING || p->state == PUMP_FLUSHING);
	if (broken && p->lingers && p->to >= 0) {
		pump_discard(p);
		p->over(p->arg, true);
		return;
	}
	/* Not only closed: a terminal's socket has a second descriptor. */
	if (p->socket && p->to >= 0 && !broken)
		shutdown(p->to, SHUT_WR);
	pump_stop(p);
	p->over(p->arg, broken);
}

/* Write what is held, once. Return: 0, also when it did not go; -errno when the sink is gone. */
static int flush(struct pump *p)
{
	size_t len = p->end - p->start;
	ssize_t n;

	if (!len)
		return 0;
	if (p->to < 0) {
		p->start = p->end = 0;
		return 0;
	}
	do
		n = p->socket ? send(p->to, p->buf + p->start, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
				write(p->to, p->buf + p->start, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	p->sent += (uint64_t)n;
	p->start += (uint32_t)n;
	if (p->start == p->end)
		p->start = p->end = 0;
	return 0;
}

/* Read once into the empty buffer. Any error is the end of the source: EIO is a terminal's. */
static void fill(struct pump *p)
{
	size_t want = (size_t)MIN(p->left, (uint64_t)ROOM);
	ssize_t n;

	assert(p->state == PUMP_FLOWING && p->start == p->end);
	do
		n = read(p->from, p->buf, want);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		p->state = PUMP_FLUSHING;
		return;
	}
	p->end = (uint32_t)n;
	if (p->left != UINT64_MAX)
		p->left -= (uint64_t)n;
	if (!p->left)
		p->state = PUMP_FLUSHING;
}

static void from_ready(void *arg, uint32_t events)
{
	struct pump *p = arg;

	(void)events;
	fill(p);
	step(p);
}

/* Whether the sink takes nothing any more. */
static bool sink_gone(struct pump *p, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP))
		return true;
	return (events & EPOLLRDHUP) && send(p->to, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	       errno != EAGAIN;
}

static void to_ready(void *arg, uint32_t events)
{
	struct pump *p = arg;

	if (sink_gone(p, events)) {
		end(p, true);
		return;
	}
	if (events & EPOLLRDHUP)
		p->hear_shutdown = 0;
	step(p);
}

/* Watch the source as long as nothing is held. Return: 0 or -errno. */
static int watch_source(struct pump *p)
{
	bool want = p->state == PUMP_FLOWING && p->start == p->end;

	if (!want)
		loop_del(p->loop, &p->from_watch);
	else if (p->from_watch < 0)
		p->from_watch = loop_add(p->loop, p->from, EPOLLIN, from_ready, p);
	return want && p->from_watch < 0 ? p->from_watch : 0;
}

/* Write what is held, see whether that was all, and wait for the right thing. */
static void step(struct pump *p)
{
	if (flush(p) < 0) {
		end(p, true);
		return;
	}
	if (p->state == PUMP_FLUSHING && p->start == p->end) {
		end(p, false);
		return;
	}
	if (p->to_watch >= 0)
		loop_mod(p->loop, p->to_watch, p->hear_shutdown | (p->start < p->end ? EPOLLOUT : 0));
	if (watch_source(p) < 0)
		end(p, true);
}

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/**
 * pump_start() - begin to move bytes
 * @p: PUMP_INIT; must stay where it is until it is over
 * @l: loop
 * @from, @to: taken over and set to -1, on failure too; both O_NONBLOCK, and each watched by
 *	nobody else: a descriptor that two pumps share is duplicated
 * @over, @arg: called from the loop or from pump_finish() when it is over, not after pump_stop()
 *
 * Return: 0; -ENOMEM or another -errno, then it is over and @over is not called.
 */
int pump_start(struct pump *p, struct loop *l, int *from, int *to, pump_fn *over, void *arg)
{
	assert(p->state == PUMP_NONE);
	*p = (struct pump){
		.state = PUMP_FLOWING, .loop = l, .from = steal_fd(from), .to = steal_fd(to),
		.from_watch = -1, .to_watch = -1, .left = UINT64_MAX, .over = over, .arg = arg,
	};
	p->socket = is_socket(p->to);
	p->hear_shutdown = p->socket ? EPOLLRDHUP : 0;
	p->buf = malloc(ROOM);
	if (p->buf)
		p->to_watch = loop_add(l, p->to, p->hear_shutdown, to_ready, p);
	if (p->to_watch >= 0 && watch_source(p) == 0)
		return 0;
	pump_stop(p);
	return -ENOMEM;
}

/**
 * pump_finish() - take only so much more from the source, and be over when it is sent
 * @p: any state; what is over already stays so. May be over, with its callback called, on return.
 * @left: bytes
 */
void pump_finish(struct pump *p, uint64_t left)
{
	if (p->state != PUMP_FLOWING)
		return;
	p->left = left;
	if (!left)
		p->state = PUMP_FLUSHING;
	step(p);
}

/** pump_blocked() - whether it waits for its sink. @p: any state. Return: so. */
bool pump_blocked(const struct pump *p)
{
	return p->start < p->end;
}

/**
 * pump_discard() - nobody wants the bytes any more, but their source shall not be stopped by that
 * @p: any state; its sink is closed, what comes is read and thrown away
 */
void pump_discard(struct pump *p)
{
	if (p->state != PUMP_FLOWING && p->state != PUMP_FLUSHING)
		return;
	loop_del(p->loop, &p->to_watch);
	cleanup_fd(&p->to);
	p->start = p->end = 0;
	if (watch_source(p) < 0)
		p->from_watch = -1;
}

/**
 * pump_stop() - be over at once, and close both descriptors; what is held is lost
 * @p: any state; its callback is not called
 */
void pump_stop(struct pump *p)
{
	if (p->state == PUMP_OVER)
		return;
	p->state = PUMP_OVER;
	if (p->from_watch >= 0)
		loop_del(p->loop, &p->from_watch);
	if (p->to_watch >= 0)
		loop_del(p->loop, &p->to_watch);
	cleanup_fd(&p->from);
	cleanup_fd(&p->to);
	cleanup_ptr(&p->buf);
	p->start = p->end = 0;
}

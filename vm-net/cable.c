// SPDX-License-Identifier: ISC
/*
 * cable.c - the frames socket to one guest, plugged in or not.
 *
 *	UNPLUGGED --cable_plug()--> PLUGGED --the peer's end, nonsense, cable_unplug()--> UNPLUGGED
 *
 * Frames are read as many at a time as came. What goes to the guest is gathered and leaves with cable_flush(), in one
 * call; what the socket does not take waits in a ring of bytes, and what finds no room there is dropped and counted, as
 * on any wire. So a guest that does not read costs so much memory and nobody's time.
 *
 * A limit (cable_limit()) is a bucket each way, filled by the clock up to BURST_MSEC's worth: what has passed may owe it
 * something, and nothing more passes until that is paid. So it is right on the average, and no frame is divided.
 */
#include "cable.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "log.h"
#include "loop.h"
#include "util.h"

enum { RING = 4 << 20, SOCKET_BYTES = 1 << 20, TURNS = 4, BURST_MSEC = 100 };

/** cable_init() - not plugged in. @c: filled in. @loop, @ops, @arg: borrowed. Return: 0, -ENOMEM. */
int cable_init(struct cable *c, struct loop *loop, const struct cable_ops *ops, void *arg)
{
	int err;

	*c = (struct cable){ .loop = loop, .fd = -1, .watch = -1, .timer = -1, .ops = ops, .arg = arg };
	err = frames_in_init(&c->in);
	return err ? err : frames_out_init(&c->out, RING);
}

/** cable_free() - free what it holds. @c: initialized, or zero with fd and watch -1. */
void cable_free(struct cable *c)
{
	cable_unplug(c);
	loop_timer_del(c->loop, &c->timer);
	frames_in_free(&c->in);
	frames_out_free(&c->out);
}

/** cable_unplug() - the peer is no more. @c: initialized. */
void cable_unplug(struct cable *c)
{
	if (c->fd < 0)
		return;
	loop_del(c->loop, &c->watch);
	cleanup_fd(&c->fd);
	frames_in_reset(&c->in);
	frames_out_reset(&c->out);
}

static uint64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool may_read(const struct cable *c)
{
	return !c->rate || c->in_left > 0;
}

static bool may_write(const struct cable *c)
{
	return frames_out_pending(&c->out) && (!c->rate || c->out_left > 0);
}

/* What the clock gives; and it rings when debts are paid. */
static void refill(struct cable *c)
{
	uint64_t now = now_msec(), passed = MIN(now - c->refilled, (uint64_t)1000);
	int64_t most = (int64_t)(c->rate * BURST_MSEC / 1000), more = (int64_t)(c->rate * passed / 1000), debt;

	if (!c->rate)
		return;
	if (more) {
		c->refilled = now;
		c->in_left = MIN(c->in_left + more, most);
		c->out_left = MIN(c->out_left + more, most);
	}
	debt = MAX(c->in_left <= 0 ? 1 - c->in_left : 0, c->out_left <= 0 ? 1 - c->out_left : 0);
	if (debt)
		loop_timer_set(c->loop, c->timer, MIN((uint64_t)debt * 1000 / c->rate + 1, (uint64_t)BURST_MSEC));
}

static void settle(struct cable *c)
{
	refill(c);
	loop_mod(c->loop, c->watch, (may_read(c) ? EPOLLIN : 0) | (may_write(c) ? EPOLLOUT : 0));
}

static void lose(struct cable *c, const char *why)
{
	if (why)
		warn("frames: the guest's side %s: unplugged", why);
	cable_unplug(c);
	c->ops->gone(c->arg);
}

/* Hand out what came. Return: false when the peer talks nonsense. */
static bool hand_out(struct cable *c)
{
	const uint8_t *frame;
	size_t len;
	int n;

	while ((n = frames_in_next(&c->in, &frame, &len)) > 0)
		c->ops->frame(c->arg, frame, len);
	return n == 0;
}

static void take(struct cable *c)
{
	ssize_t n = 1;
	bool sane = true, more = true;
	int turn;

	for (turn = 0; turn < TURNS && more && sane && may_read(c); turn++) {
		n = frames_in_fill(&c->in, c->fd);
		c->in_left -= MAX(n, 0);
		if (n <= 0)
			break;
		more = frames_in_more(&c->in);
		sane = hand_out(c);
	}
	c->ops->batch(c->arg);
	if (!sane)
		lose(c, "sent a frame of a length that there is not");
	else if (n == 0 || (n < 0 && n != -EAGAIN && n != -ENOBUFS))
		lose(c, NULL);
}

static void on_socket(void *arg, uint32_t events)
{
	struct cable *c = arg;

	if (events & EPOLLOUT)
		cable_flush(c);
	if (c->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		take(c);
}

static void on_time(void *arg, uint32_t events)
{
	struct cable *c = arg;

	(void)events;
	refill(c);
	cable_flush(c);
}

/**
 * cable_limit() - let no more than so much pass in a second, either way
 * @c: initialized
 * @rate: bytes, at least 1000
 * Return: 0, -errno.
 */
int cable_limit(struct cable *c, uint64_t rate)
{
	c->timer = loop_timer(c->loop, on_time, c);
	if (c->timer < 0)
		return c->timer;
	c->rate = rate;
	c->refilled = now_msec();
	c->in_left = c->out_left = (int64_t)(rate * BURST_MSEC / 1000);
	return 0;
}

/**
 * cable_plug() - a peer is there
 * @c: not plugged in
 * @fd: connected stream socket, consumed on success
 * Return: 0, -errno.
 */
int cable_plug(struct cable *c, int *fd)
{
	int bytes = SOCKET_BYTES;

	/* Room for a few of the largest frames; less is slower and does no other harm. */
	if (setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
		debug("frames: SO_SNDBUF: %s", errstr(errno));
	c->watch = loop_add(c->loop, *fd, EPOLLIN, on_socket, c);
	if (c->watch < 0)
		return c->watch;
	c->fd = steal_fd(fd);
	return 0;
}

/** cable_send() - have a frame sent with the next cable_flush(), or dropped. @c. @iov, @n: copied. */
void cable_send(struct cable *c, const struct iovec *iov, unsigned int n)
{
	if (c->fd >= 0)
		frames_out_put(&c->out, iov, n);
}

/** cable_flush() - send what was gathered, as far as it goes now. @c: an end of its peer is heard of later. */
void cable_flush(struct cable *c)
{
	if (c->fd < 0)
		return;
	if (may_write(c)) {
		size_t had = c->out.len;

		frames_out_flush(&c->out, c->fd);
		c->out_left -= (int64_t)(had - c->out.len);
	}
	settle(c);
}

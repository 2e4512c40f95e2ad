// SPDX-License-Identifier: ISC
/*
 * cable.c - the frames socket to one guest, plugged in or not.
 *
 *	UNPLUGGED --cable_plug()--> PLUGGED --the peer's end, nonsense, cable_unplug()--> UNPLUGGED
 *
 * Frames are read as many at a time as came. What goes to the guest is gathered and leaves with cable_flush(), in one
 * call; what the socket does not take waits in a ring of bytes, and what finds no room there is dropped and counted, as
 * on any wire. So a guest that does not read costs so much memory and nobody's time.
 */
#include "cable.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "log.h"
#include "loop.h"
#include "util.h"

enum { RING = 4 << 20, SOCKET_BYTES = 1 << 20, TURNS = 4 };

/** cable_init() - not plugged in. @c: filled in. @loop, @ops, @arg: borrowed. Return: 0, -ENOMEM. */
int cable_init(struct cable *c, struct loop *loop, const struct cable_ops *ops, void *arg)
{
	int err;

	*c = (struct cable){ .loop = loop, .fd = -1, .watch = -1, .ops = ops, .arg = arg };
	err = frames_in_init(&c->in);
	return err ? err : frames_out_init(&c->out, RING);
}

/** cable_free() - free what it holds. @c: initialized, or zero with fd and watch -1. */
void cable_free(struct cable *c)
{
	cable_unplug(c);
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
	bool sane = true;
	int turn;

	for (turn = 0; turn < TURNS && n > 0 && sane; turn++) {
		n = frames_in_fill(&c->in, c->fd);
		if (n > 0)
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
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		take(c);
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
	if (frames_out_pending(&c->out))
		frames_out_flush(&c->out, c->fd);
	loop_mod(c->loop, c->watch, EPOLLIN | (frames_out_pending(&c->out) ? EPOLLOUT : 0));
}

// SPDX-License-Identifier: ISC
/*
 * control.c - a control connection: records both ways.
 *
 * The first record may be large (an `exec` request), those after it are small. What is sent are
 * three small records at most, so the queue needs no bound of its own. Any callback may stop the
 * connection; after each one that is looked at first.
 */
#include "control.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "loop.h"
#include "util.h"

/* Bytes read at a time: a batch of tiny records costs a move of the rest for each. */
enum { CHUNK = 16 << 10 };

static void lose(struct control *c, int err)
{
	control_stop(c);
	c->ops->lost(c->arg, err);
}

/* Send what goes. Return: 0 or -errno. */
static int flush(struct control *c)
{
	ssize_t n;

	if (!c->out)
		return 0;
	do
		n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	c->out_at += (size_t)n;
	if (c->out_at < c->out_len)
		return 0;
	cleanup_ptr(&c->out);
	c->out_at = c->out_len = 0;
	return 0;
}

/* Once only small records are taken, give the room of the large one back. */
static void trim(struct wire_in *in)
{
	size_t size = in->max + WIRE_HEADER;
	uint8_t *less;

	if (in->size <= size || in->len > size)
		return;
	less = realloc(in->data, size);
	if (!less)
		return;
	in->data = less;
	in->size = size;
}

/* Read once and hand on what is complete. Return: 0; 1 at end of file; -errno. */
static int receive(struct control *c)
{
	struct wire_record r;
	size_t room;
	void *p = wire_room(&c->in, &room);
	ssize_t n;
	int err;

	if (!p)
		return -ENOMEM;
	do
		n = recv(c->fd, p, MIN(room, (size_t)CHUNK), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!n)
		return 1;
	wire_got(&c->in, (size_t)n);
	while ((err = wire_next(&c->in, &r)) > 0) {
		err = c->ops->record(c->arg, &r);
		if (err < 0 || c->fd < 0)
			return err;
		wire_take(&c->in);
	}
	trim(&c->in);
	return err;
}

static void ready(void *arg, uint32_t events)
{
	struct control *c = arg;
	bool busy = c->out != NULL;
	int err = flush(c);

	if (!err && busy && !c->out) {
		loop_mod(c->loop, c->watch, EPOLLIN);
		c->ops->sent(c->arg);
		if (c->fd < 0)
			return;
	}
	if (!err && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		err = receive(c);
	if (err && c->fd >= 0)
		lose(c, err > 0 ? 0 : err);
}

/**
 * control_start() - begin to read records
 * @c: CONTROL_INIT; must stay where it is until it is stopped
 * @l: loop
 * @fd: taken over and set to -1, on failure too
 * @ops, @arg: called from the loop
 *
 * Return: 0 or -errno.
 */
int control_start(struct control *c, struct loop *l, int *fd, const struct control_ops *ops, void *arg)
{
	*c = (struct control){ .loop = l, .fd = steal_fd(fd), .ops = ops, .arg = arg };
	wire_in_init(&c->in, WIRE_LARGE);
	c->watch = loop_add(l, c->fd, EPOLLIN, ready, c);
	if (c->watch >= 0)
		return 0;
	cleanup_fd(&c->fd);
	return c->watch;
}

/**
 * control_send() - send a record
 * @c: started, perhaps stopped since
 * @w: put together; dropped here
 *
 * Return: 0: sent or queued, see control_busy(); -errno when it never will be.
 */
int control_send(struct control *c, struct wire_out *w)
{
	int err = c->fd < 0 ? -EPIPE : wire_end(w);
	uint8_t *more = err ? NULL : realloc(c->out, c->out_len + w->len);

	if (!err && !more)
		err = -ENOMEM;
	if (!err) {
		memcpy(more + c->out_len, w->data, w->len);
		c->out = more;
		c->out_len += w->len;
		err = flush(c);
		loop_mod(c->loop, c->watch, c->out ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
	wire_drop(w);
	return err;
}

/** control_busy() - whether something is to be sent yet. @c: any. Return: so. */
bool control_busy(const struct control *c)
{
	return c->out != NULL;
}

/** control_only_small() - take no more large records. @c: a large one is being handled. */
void control_only_small(struct control *c)
{
	c->in.max = WIRE_SMALL;
}

/** control_stop() - close the connection. @c: any; no callback comes any more. */
void control_stop(struct control *c)
{
	if (c->watch >= 0)
		loop_del(c->loop, &c->watch);
	cleanup_fd(&c->fd);
	cleanup_ptr(&c->out);
	wire_in_free(&c->in);
	c->out_at = c->out_len = 0;
}

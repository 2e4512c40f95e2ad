// SPDX-License-Identifier: ISC
/*
 * control.c - the control connection of a command: records both ways.
 *
 * Nothing here grows with what either side does. One record is on its way at a time; a signal or a size
 * that comes meanwhile is noted, a signal once and only the latest size, and told when that record is
 * out. Of what the agent sends one record is held, at most WIRE_SMALL long, and handled as it comes.
 */
#include "control.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "proto.h"
#include "util.h"

/* Make a record of what is to be told, if none is on its way. Return whether there is one. */
static bool next_out(struct control *c)
{
	uint8_t cells[4];

	if (c->out.data && c->sent < c->out.len)
		return true;
	wire_drop(&c->out);
	c->sent = 0;
	if (c->size.cols) {
		put_le16(cells, c->size.cols);
		put_le16(cells + 2, c->size.rows);
		wire_begin(&c->out, PROTO_WINSIZE);
		wire_put(&c->out, PROTO_K_SIZE, cells, sizeof(cells));
		c->size.cols = 0;
	} else if (c->count) {
		wire_begin(&c->out, PROTO_SIGNAL);
		wire_put_text(&c->out, PROTO_K_NAME, c->due[0]);
		c->count--;
		memmove(c->due, c->due + 1, c->count * sizeof(*c->due));
	} else {
		return false;
	}
	return wire_end(&c->out) == 0;
}

static void update(struct control *c)
{
	if (c->watch >= 0)
		loop_mod(c->loop, c->watch, EPOLLIN | (control_idle(c) ? 0 : EPOLLOUT));
}

/* Send what goes. An error shows up where the connection is read. */
static void flush(struct control *c)
{
	while (next_out(c)) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			c->sent = c->out.len;
			c->count = 0;
			c->size.cols = 0;
		}
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	update(c);
	if (control_idle(c))
		c->flushed(c->arg);
}

/* Handle what is complete. Return 0, or -errno of the stream or of the handler. */
static int handle(struct control *c)
{
	struct wire_record r;
	int e;

	while ((e = wire_next(&c->in, &r)) > 0) {
		e = c->record(c->arg, &r);
		if (e || c->watch < 0)
			return e;
		wire_take(&c->in);
	}
	return e;
}

static void on_control(void *arg, uint32_t events)
{
	struct control *c = arg;
	size_t room;
	ssize_t n;
	void *p;
	int e;

	if (events & EPOLLOUT)
		flush(c);
	if (c->watch < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	p = wire_room(&c->in, &room);
	n = p ? recv(c->fd, p, room, MSG_DONTWAIT) : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (p && n > 0) {
		wire_got(&c->in, (size_t)n);
		e = handle(c);
		if (!e)
			return;
	} else {
		/* What ends within a record is no better than what ends without one. */
		e = p ? -ECONNRESET : -ENOMEM;
	}
	control_stop(c);
	c->ended(c->arg, e);
}

/**
 * control_start() - begin to talk
 * @c: loop, fd (borrowed), arg and functions set: record takes one, and returns -errno to end this;
 *	ended is told of the end once, -ECONNRESET when it is the connection's, unless control_stop()
 *	comes first; flushed hears that everything is sent. The rest 0, or the first record in out.
 * Return: 0 or -errno.
 */
int control_start(struct control *c)
{
	wire_in_init(&c->in, WIRE_SMALL);
	c->watch = loop_add(c->loop, c->fd, EPOLLIN | EPOLLOUT, on_control, c);
	return MIN(c->watch, 0);
}

/** control_stop() - hear and say nothing more. @c: started; again makes no difference. */
void control_stop(struct control *c)
{
	loop_del(c->loop, &c->watch);
}

/** control_look() - take what is there without waiting to be told. @c: started, or stopped. */
void control_look(struct control *c)
{
	on_control(c, EPOLLIN);
}

/** control_signal() - pass a signal on. @c: started. @name: without SIG, static. */
void control_signal(struct control *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->count; i++)
		if (!strcmp(c->due[i], name))
			return;
	if (c->count == CONTROL_SIGNALS || c->watch < 0)
		return;
	c->due[c->count++] = name;
	flush(c);
}

/** control_resize() - tell a size. @c: started. @size: not 0x0. */
void control_resize(struct control *c, const struct winsize_cells *size)
{
	if (c->watch < 0)
		return;
	c->size = *size;
	flush(c);
}

/** control_idle() - whether all is sent. @c: started. Return: so. */
bool control_idle(const struct control *c)
{
	return !c->count && !c->size.cols && (!c->out.data || c->sent == c->out.len);
}

/** control_more() - whether bytes came behind the record that is being handled. @c. Return: so. */
bool control_more(const struct control *c)
{
	return c->in.len > c->in.record;
}

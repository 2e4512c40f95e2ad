// SPDX-License-Identifier: ISC
/*
 * inlet.c - a port of this host's loopback by which libslirp, and nobody else, reaches this process over IPv6.
 *
 *	guest --filter, nat--> GATEWAY6:port --libslirp--> [::1]:port --stack_made()?--> whoever serves it
 *
 * What libslirp can lead to a UNIX socket is IPv4 alone (redirect.c). Over IPv6 it leads the gateway's ports to those of
 * ::1, where everybody on this host can connect. So a connection is believed only if its other end is a socket that
 * libslirp has at that time; all others are closed at once, unread. A host without ::1 has no inlet.
 */
#include "inlet.h"

#include <errno.h>
#include <sys/epoll.h>

#include "hostsock.h"
#include "log.h"
#include "loop.h"
#include "stack.h"
#include "util.h"

enum { BACKLOG = 128, TURN = 16 };

struct inlet {
	struct loop *loop;
	const struct stack *stack;
	inlet_fn *fn;
	void *arg;
	int listener, watch, spare;
	uint16_t port;
};

static void on_listener(void *arg, uint32_t events)
{
	struct inlet *in = arg;
	int i;

	(void)events;
	for (i = 0; i < TURN; i++) {
		autoclose int fd = hostsock_accept(in->listener, &in->spare);

		if (fd < 0)
			return;
		if (stack_made(in->stack, fd))
			in->fn(in->arg, &fd);
		else
			debug("inlet: a connection of somebody else's was closed");
	}
}

static int begin(struct inlet *in)
{
	static const struct addr loopback = { .b = { [15] = 1 } };

	in->spare = hostsock_spare();
	in->listener = hostsock_anywhere(&loopback, SOCK_STREAM, &in->port);
	if (in->listener < 0)
		return in->listener;
	if (in->spare < 0 || listen(in->listener, BACKLOG) < 0)
		return -errno;
	in->watch = loop_add(in->loop, in->listener, EPOLLIN, on_listener, in);
	return MIN(in->watch, 0);
}

/**
 * inlet_new() - listen
 * @loop, @st: borrowed for as long
 * @fn, @arg: gets the connections, from the loop
 * Return: freed with inlet_free(); NULL with errno: EADDRNOTAVAIL, EAFNOSUPPORT: the host has no ::1.
 */
struct inlet *inlet_new(struct loop *loop, const struct stack *st, inlet_fn *fn, void *arg)
{
	struct inlet *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return NULL;
	*in = (struct inlet){ .loop = loop, .stack = st, .fn = fn, .arg = arg, .listener = -1, .watch = -1, .spare = -1 };
	err = begin(in);
	if (!err)
		return in;
	inlet_free(in);
	errno = -err;
	return NULL;
}

/** inlet_free() - listen no more. @in: may be NULL. */
void inlet_free(struct inlet *in)
{
	if (!in)
		return;
	loop_del(in->loop, &in->watch);
	cleanup_fd(&in->listener);
	cleanup_fd(&in->spare);
	free(in);
}

/** inlet_port() - where it listens. @in. Return: the port of ::1, and so of the gateway. */
uint16_t inlet_port(const struct inlet *in)
{
	return in->port;
}

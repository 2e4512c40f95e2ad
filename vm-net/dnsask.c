// SPDX-License-Identifier: ISC
/*
 * dnsask.c - one question to one server, over a socket of its own.
 *
 *	IDLE --dnsask_udp()--> UDP --dnsask_stop()--> IDLE
 *	IDLE --dnsask_tcp()--> CONNECTING --it is--> TCP --dnsask_stop()--> IDLE
 *
 * A socket is made for each question and connected, so the kernel picks a random source port from its range
 * for each, takes answers from the server's address and port alone, and tells of a port where nobody listens.
 * No file is opened: this works in a confined process that may make sockets of AF_INET and AF_INET6.
 * Memory for an answer over TCP grows with the bytes that came.
 */
#include "dnsask.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "dnsmsg.h"
#include "loop.h"
#include "util.h"

enum { DNS_PORT = 53, PREFIX = 2, FIRST_ROOM = 2048, DATAGRAM = 4096 };

static socklen_t address(const struct dns_server *s, struct sockaddr_storage *to)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
	uint16_t port = htons(s->port ? s->port : DNS_PORT);

	*to = (struct sockaddr_storage){ 0 };
	if (addr_is_v4(&s->addr)) {
		in->sin_family = AF_INET;
		in->sin_port = port;
		memcpy(&in->sin_addr, s->addr.b + 12, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = port;
	in6->sin6_scope_id = s->scope;
	memcpy(&in6->sin6_addr, s->addr.b, 16);
	return sizeof(*in6);
}

/* A connected socket that is watched, or one that connects. Return: 0; -errno, then there is none. */
static int open_socket(struct dnsask *a, const struct dns_server *s, int type, uint32_t events, loop_fn *fn)
{
	struct sockaddr_storage to;
	socklen_t len = address(s, &to);

	assert(a->state == DNSASK_IDLE);
	a->fd = socket(to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd < 0)
		return -errno;
	if (connect(a->fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS) {
		int e = errno;

		cleanup_fd(&a->fd);
		return -e;
	}
	a->watch = loop_add(a->loop, a->fd, events, fn, a);
	if (a->watch < 0) {
		cleanup_fd(&a->fd);
		return a->watch;
	}
	return 0;
}

static void fail(struct dnsask *a, int e)
{
	a->fn(a->arg, a, NULL, (size_t)e);
}

static void on_datagram(void *arg, uint32_t events)
{
	uint8_t msg[DATAGRAM];
	struct dnsask *a = arg;
	ssize_t n = recv(a->fd, msg, sizeof(msg), MSG_TRUNC);

	(void)events;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		fail(a, errno);
	/* Longer than what we said that we take: no answer to us. */
	if (n >= 0)
		a->fn(a->arg, a, msg, (size_t)n > sizeof(msg) ? 0 : (size_t)n);
}

/**
 * dnsask_udp() - ask in a datagram
 * @a: idle, with loop, fn and arg
 * @s: whom
 * @msg, @len: the query
 * Return: 0; -errno when it cannot be sent, then @a is idle.
 */
int dnsask_udp(struct dnsask *a, const struct dns_server *s, const uint8_t *msg, size_t len)
{
	int e = open_socket(a, s, SOCK_DGRAM, EPOLLIN, on_datagram);

	if (e)
		return e;
	a->state = DNSASK_UDP;
	if (send(a->fd, msg, len, 0) < 0) {
		e = -errno;
		dnsask_stop(a);
	}
	return e;
}

/* Hand on the messages that are whole. Return: false when @a was stopped. */
static bool deliver(struct dnsask *a)
{
	while (a->in_len >= PREFIX) {
		size_t len = dns_get16(a->in);

		if (a->in_len - PREFIX < len)
			return true;
		if (!a->fn(a->arg, a, a->in + PREFIX, len))
			return false;
		a->in_len -= PREFIX + len;
		memmove(a->in, a->in + PREFIX + len, a->in_len);
	}
	return true;
}

static void receive(struct dnsask *a)
{
	ssize_t n;

	if (a->in_len == a->in_size) {
		size_t size = MAX(2 * a->in_size, (size_t)FIRST_ROOM);
		uint8_t *more = realloc(a->in, size);

		if (!more) {
			fail(a, ENOMEM);
			return;
		}
		a->in = more;
		a->in_size = size;
	}
	n = recv(a->fd, a->in + a->in_len, a->in_size - a->in_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(a, n ? errno : ECONNRESET);
		return;
	}
	a->in_len += (size_t)n;
	deliver(a);
}

static void on_stream(void *arg, uint32_t events)
{
	struct dnsask *a = arg;
	socklen_t len = sizeof(int);
	int e = 0;

	(void)events;
	if (a->state == DNSASK_TCP) {
		receive(a);
		return;
	}
	getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &e, &len);
	/* A few hundred bytes always fit into a new connection. */
	if (!e && send(a->fd, a->out, a->out_len, MSG_NOSIGNAL) != (ssize_t)a->out_len)
		e = errno ? errno : EPIPE;
	if (e) {
		fail(a, e);
		return;
	}
	a->state = DNSASK_TCP;
	loop_mod(a->loop, a->watch, EPOLLIN);
}

/** dnsask_tcp() - ask over a connection (RFC 7766). @a, @s, @msg, @len, Return: as dnsask_udp(). */
int dnsask_tcp(struct dnsask *a, const struct dns_server *s, const uint8_t *msg, size_t len)
{
	int e = open_socket(a, s, SOCK_STREAM, EPOLLOUT, on_stream);

	if (e)
		return e;
	a->state = DNSASK_CONNECTING;
	a->out = malloc(PREFIX + len);
	if (!a->out) {
		dnsask_stop(a);
		return -ENOMEM;
	}
	dns_set16(a->out, (unsigned int)len);
	memcpy(a->out + PREFIX, msg, len);
	a->out_len = PREFIX + len;
	return 0;
}

/** dnsask_stop() - listen no more. @a: any state; idle afterwards. */
void dnsask_stop(struct dnsask *a)
{
	loop_del(a->loop, &a->watch);
	cleanup_fd(&a->fd);
	free(a->out);
	free(a->in);
	a->out = a->in = NULL;
	a->out_len = a->in_len = a->in_size = 0;
	a->state = DNSASK_IDLE;
}

/* SPDX-License-Identifier: ISC */
/* dns_server.h - a name server of the test's own, on a loopback port, in the test's own loop. */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns.h"
#include "dns_build.h"
#include "loop.h"

enum { KEEP = 64 };

struct server;

/* A query that came. */
struct heard {
	struct server *s;
	bool tcp;
	int fd, watch;                  /* of its connection; -1 over UDP */
	struct sockaddr_in6 from;
	size_t len;
	uint8_t msg[600];
};

struct server {
	struct loop *loop;
	int udp, tcp, udp_watch, tcp_watch;     /* tcp -1: refused */
	struct dns_server at;
	void (*behave)(struct heard *h);
	unsigned int heard, heard_tcp, connections;
	bool closing;                   /* the loop stops when a connection ends */
	struct heard kept[KEEP];        /* all of them, the last KEEP */
};

static inline int server_socket(struct server *s, int family, int type, uint16_t port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 got;
	socklen_t len = sizeof(got);

	if (bind(fd, family == AF_INET ? (void *)&a4 : (void *)&a6, family == AF_INET ? sizeof(a4) : sizeof(a6)) < 0) {
		close(fd);
		return -1;
	}
	if ((type == SOCK_STREAM && listen(fd, 64) < 0) || getsockname(fd, (void *)&got, &len) < 0)
		abort();
	s->at.port = ntohs(got.sin6_port);      /* in the same place in both families */
	return fd;
}

static inline void server_say(const struct heard *h, const uint8_t *msg, size_t len)
{
	uint8_t prefix[2];

	if (!h->tcp) {
		if (sendto(h->s->udp, msg, len, 0, (const void *)&h->from, sizeof(h->from)) < 0)
			perror("sendto");
		return;
	}
	dns_set16(prefix, (unsigned int)len);
	if (send(h->fd, prefix, 2, MSG_NOSIGNAL | MSG_MORE) != 2 || send(h->fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len)
		perror("send");
}

/* A connection is closed when its client does. */
static inline void on_server_stream(void *arg, uint32_t events)
{
	struct heard *h = arg;
	ssize_t n = recv(h->fd, h->msg, 2, MSG_PEEK);

	(void)events;
	if (n <= 0) {
		loop_del(h->s->loop, &h->watch);
		close(h->fd);
		h->s->connections--;
		if (h->s->closing)
			loop_stop(h->s->loop);
		free(h);
		return;
	}
	n = recv(h->fd, h->msg, sizeof(h->msg), 0);
	h->len = (size_t)n - 2;
	memmove(h->msg, h->msg + 2, h->len);
	h->s->kept[h->s->heard++ % KEEP] = *h;
	h->s->heard_tcp++;
	h->s->behave(h);
}

static inline void on_server_tcp(void *arg, uint32_t events)
{
	struct server *s = arg;
	struct heard *h = calloc(1, sizeof(*h));

	(void)events;
	h->s = s;
	h->tcp = true;
	h->fd = accept4(s->tcp, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	h->watch = loop_add(s->loop, h->fd, EPOLLIN, on_server_stream, h);
	s->connections++;
}

static inline void on_server_udp(void *arg, uint32_t events)
{
	struct server *s = arg;
	struct heard h = { .s = s, .fd = -1 };
	socklen_t len = sizeof(h.from);
	ssize_t n = recvfrom(s->udp, h.msg, sizeof(h.msg), 0, (void *)&h.from, &len);

	(void)events;
	if (n < 0)
		return;
	h.len = (size_t)n;
	s->kept[s->heard++ % KEEP] = h;
	s->behave(&h);
}

/* @family: AF_INET or AF_INET6. @tcp: whether it listens there, too. */
static inline void server_start(struct server *s, struct loop *loop, int family, bool tcp, void (*behave)(struct heard *))
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };

	*s = (struct server){ .loop = loop, .udp = -1, .tcp = -1, .udp_watch = -1, .tcp_watch = -1, .behave = behave };
	s->at.addr = family == AF_INET ? addr_v4(v4) : (struct addr){ { [15] = 1 } };
	/* A port that is free for both. */
	do {
		if (s->udp >= 0)
			close(s->udp);
		s->udp = server_socket(s, family, SOCK_DGRAM, 0);
		s->tcp = tcp ? server_socket(s, family, SOCK_STREAM, s->at.port) : -1;
	} while (tcp && s->tcp < 0);
	s->udp_watch = loop_add(loop, s->udp, EPOLLIN, on_server_udp, s);
	if (tcp)
		s->tcp_watch = loop_add(loop, s->tcp, EPOLLIN, on_server_tcp, s);
}

static inline void server_stop(struct server *s)
{
	loop_del(s->loop, &s->udp_watch);
	loop_del(s->loop, &s->tcp_watch);
	close(s->udp);
	if (s->tcp >= 0)
		close(s->tcp);
}

/* The last query that it got, or the one @back before it. */
static inline struct heard *server_last(struct server *s, unsigned int back)
{
	return &s->kept[(s->heard - 1 - back) % KEEP];
}

/* Whether something came that was not looked at yet. */
static inline bool server_has_mail(const struct server *s)
{
	struct pollfd p[] = { { .fd = s->udp, .events = POLLIN }, { .fd = s->tcp, .events = POLLIN } };

	return poll(p, 2, 0) != 0;
}

/* Begin an answer to @h in @m: its id, its question. */
static inline void server_answer(const struct heard *h, struct build *m, unsigned int rcode)
{
	size_t n = DNS_HEADER;

	while (h->msg[n])
		n += 1 + (size_t)h->msg[n];
	m->n = n + 5;
	memcpy(m->b, h->msg, m->n);
	memset(m->b + 6, 0, 6);
	dns_set16(m->b + 2, QR | RD | RA | rcode);
}

#endif

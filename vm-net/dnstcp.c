// SPDX-License-Identifier: ISC
/*
 * dnstcp.c - the DNS forwarder's clients that come by TCP (RFC 1035 §4.2.2, RFC 7766).
 *
 *	READING		a length and a message are taken as they come
 *	ASKED		the forwarder has the question; nothing more is read
 *	WRITING		the answer goes out as the client takes it
 *
 *	READING --whole--> ASKED --answer--> WRITING --all--> READING
 *	all --the client's end, nonsense, IDLE_TICKS without progress--> closed
 *
 * One question of a connection at a time: a client that sends several is answered in its order, and costs no more
 * than one that waits. When all connections are taken, another is closed at once: the client asks anew.
 */
#include "dnstcp.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "dns.h"
#include "dnsmsg.h"
#include "log.h"
#include "loop.h"
#include "util.h"

enum { TICK_MSEC = 5000, IDLE_TICKS = 3 };

struct conn {
	struct dnstcp *t;
	int fd, watch;                  /* fd -1: free */
	bool asked;
	unsigned int idle;              /* ticks */
	size_t in_len, out_len, out_at;
	uint8_t in[2 + DNSTCP_QUERY];
	uint8_t *out;                   /* NULL: nothing to write */
};

struct dnstcp {
	struct loop *loop;
	struct dns *dns;
	int timer;
	unsigned int open;
	uint64_t refused;               /* that found no room */
	struct conn conn[DNSTCP_CONNS];
};

/* What finds a connection again: its place, which no answer is under way to when it is given to another (drop()). */
static void refer(const struct conn *c, struct dns_client *client)
{
	memset(client, 0, sizeof(*client));
	client->tcp = 1;
	client->ref[0] = (uint8_t)(c - c->t->conn);
}

static void drop(struct conn *c)
{
	struct dns_client client;

	refer(c, &client);
	if (c->asked)
		dns_cancel(c->t->dns, &client);
	loop_del(c->t->loop, &c->watch);
	cleanup_fd(&c->fd);
	cleanup_ptr(&c->out);
	c->t->open--;
}

static void want(struct conn *c)
{
	loop_mod(c->t->loop, c->watch, c->out ? EPOLLOUT : c->asked ? 0 : EPOLLIN);
}

/* Ask what is whole. Return: false when the client makes no sense. */
static bool ask(struct conn *c)
{
	struct dns_client client;
	size_t len;

	while (!c->asked && !c->out && c->in_len >= 2) {
		len = (size_t)c->in[0] << 8 | c->in[1];
		if (!len || len > DNSTCP_QUERY)
			return false;
		if (c->in_len < 2 + len)
			break;
		refer(c, &client);
		c->asked = true;
		if (dns_query(c->t->dns, &client, c->in + 2, len))
			return false;
		c->in_len -= 2 + len;
		memmove(c->in, c->in + 2 + len, c->in_len);
	}
	return true;
}

/* Write what there is. Return: false when the client is gone. */
static bool flush(struct conn *c)
{
	while (c->out) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->idle = 0;
		c->out_at += (size_t)n;
		if (c->out_at == c->out_len)
			cleanup_ptr(&c->out);
	}
	return true;
}

static bool take(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->idle = 0;
	c->in_len += (size_t)n;
	return n > 0;
}

static void on_client(void *arg, uint32_t events)
{
	struct conn *c = arg;
	bool fine = !(events & (EPOLLHUP | EPOLLERR));

	if (fine && c->out)
		fine = flush(c);
	else if (fine && !c->asked)
		fine = take(c);
	if (fine)
		fine = ask(c);
	if (c->fd < 0)
		return;
	if (fine)
		want(c);
	else
		drop(c);
}

static void on_tick(void *arg, uint32_t events)
{
	struct dnstcp *t = arg;
	int i;

	(void)events;
	for (i = 0; i < DNSTCP_CONNS; i++)
		if (t->conn[i].fd >= 0 && !t->conn[i].asked && t->conn[i].idle++ >= IDLE_TICKS)
			drop(&t->conn[i]);
	if (t->open)
		loop_timer_set(t->loop, t->timer, TICK_MSEC);
}

/**
 * dnstcp_take() - a client has connected
 * @t
 * @fd: stream socket, consumed; closed, which is counted, when there are as many as may be
 */
void dnstcp_take(struct dnstcp *t, int *fd)
{
	struct conn *c = NULL;
	int i;

	for (i = 0; i < DNSTCP_CONNS && !c; i++)
		if (t->conn[i].fd < 0)
			c = &t->conn[i];
	if (c)
		c->watch = loop_add(t->loop, *fd, EPOLLIN, on_client, c);
	if (!c || c->watch < 0) {
		t->refused++;
		cleanup_fd(fd);
		return;
	}
	c->fd = steal_fd(fd);
	c->asked = false;
	c->idle = 0;
	c->in_len = 0;
	if (!t->open++)
		loop_timer_set(t->loop, t->timer, TICK_MSEC);
}

/**
 * dnstcp_answer() - the forwarder has an answer
 * @t
 * @c: who asked, with tcp set
 * @msg, @len: the answer, without a length before it
 */
void dnstcp_answer(struct dnstcp *t, const struct dns_client *c, const uint8_t *msg, size_t len)
{
	struct conn *to = c->ref[0] < DNSTCP_CONNS ? &t->conn[c->ref[0]] : NULL;

	if (!to || to->fd < 0 || !to->asked || len > DNS_LARGEST)
		return;
	to->asked = false;
	to->out = malloc(2 + len);
	if (!to->out) {
		drop(to);
		return;
	}
	to->out[0] = (uint8_t)(len >> 8);
	to->out[1] = (uint8_t)len;
	memcpy(to->out + 2, msg, len);
	to->out_len = 2 + len;
	to->out_at = 0;
	to->idle = 0;
	want(to);       /* written from the loop: this may be called from within ask() */
}

/** dnstcp_refused() - clients that found no room. @t. Return: how many there were. */
uint64_t dnstcp_refused(const struct dnstcp *t)
{
	return t->refused;
}

/** dnstcp_new() - no client yet. @loop, @dns: borrowed for as long. Return: freed with dnstcp_free(); NULL with errno. */
struct dnstcp *dnstcp_new(struct loop *loop, struct dns *dns)
{
	struct dnstcp *t = calloc(1, sizeof(*t));
	int i;

	if (!t)
		return NULL;
	t->loop = loop;
	t->dns = dns;
	for (i = 0; i < DNSTCP_CONNS; i++)
		t->conn[i] = (struct conn){ .t = t, .fd = -1, .watch = -1 };
	t->timer = loop_timer(loop, on_tick, t);
	if (t->timer >= 0)
		return t;
	free(t);
	return NULL;
}

/** dnstcp_free() - close all connections. @t: may be NULL. */
void dnstcp_free(struct dnstcp *t)
{
	int i;

	if (!t)
		return;
	for (i = 0; i < DNSTCP_CONNS; i++)
		if (t->conn[i].fd >= 0)
			drop(&t->conn[i]);
	loop_timer_del(t->loop, &t->timer);
	free(t);
}

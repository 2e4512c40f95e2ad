// SPDX-License-Identifier: ISC
/* dnstcp_test.c - clients of the forwarder that come by TCP: whole questions, halves, too many, nonsense. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "dns.h"
#include "dns_build.h"
#include "dnshosts.h"
#include "dnstcp.h"
#include "loop.h"
#include "tap.h"
#include "util.h"
#include "wait.h"

enum { TURN_MSEC = 20 };

static struct loop *loop;
static struct dns *dns;
static struct dnstcp *t;
static int timer;

static bool allowed(void *arg, const char *name)
{
	(void)arg;
	return !strstr(name, "denied");
}

static void learned(void *arg, const char *name, const struct addr *a, uint32_t seconds)
{
	(void)arg;
	(void)name;
	(void)a;
	(void)seconds;
}

static void answer(void *arg, const struct dns_client *c, const uint8_t *msg, size_t len)
{
	(void)arg;
	dnstcp_answer(t, c, msg, len);
}

static void on_turn(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	loop_stop(loop);
}

static void turn(void)
{
	loop_timer_set(loop, timer, TURN_MSEC);
	loop_run(loop);
}

/* Turn until there is something for a client, or for far too long. */
static void until_readable(int fd)
{
	int i;

	for (i = 0; i < 10000 / TURN_MSEC && !wait_readable(fd, 0); i++)
		turn();
}

static int client(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	dnstcp_take(t, &pair[0]);
	return pair[1];
}

/* A question, its length before it. Return: bytes. */
static size_t question(uint8_t *to, unsigned int id, const char *name)
{
	static struct build m;

	m.n = 0;
	b16(&m, 0);
	b16(&m, id);
	b16(&m, RD);
	b16(&m, 1);
	b16(&m, 0);
	b32(&m, 0);
	bname(&m, name);
	b16(&m, 1);
	b16(&m, 1);
	m.b[0] = (uint8_t)((m.n - 2) >> 8);
	m.b[1] = (uint8_t)(m.n - 2);
	memcpy(to, m.b, m.n);
	return m.n;
}

static void say(int fd, const void *bytes, size_t len)
{
	if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	turn();
}

/* The next answer is to question @id, with @rcode. */
static bool hears(int fd, unsigned int id, unsigned int rcode)
{
	uint8_t m[2 + 512];
	size_t len;

	until_readable(fd);
	if (recv(fd, m, 2, MSG_DONTWAIT) != 2)
		return false;
	len = (size_t)m[0] << 8 | m[1];
	return len >= DNS_HEADER && len <= 512 && recv(fd, m, len, MSG_DONTWAIT) == (ssize_t)len &&
	       ((unsigned int)m[0] << 8 | m[1]) == id && (m[3] & 15u) == rcode;
}

static bool ended(int fd)
{
	uint8_t b;

	until_readable(fd);
	return recv(fd, &b, 1, MSG_DONTWAIT) == 0;
}

static void test_questions(void)
{
	uint8_t q[2048];
	size_t n = question(q, 1, "here.test"), i, len = 0;
	int fd = client();

	say(fd, q, n);
	CHECK(hears(fd, 1, 0), "a question has its answer");
	for (i = 0; i < n; i++)
		say(fd, q + i, 1);
	CHECK(hears(fd, 1, 0), "one that comes byte by byte, too");
	len = question(q, 2, "here.test");
	len += question(q + len, 3, "denied.test");
	len += question(q + len, 4, "here.test");
	say(fd, q, len);
	CHECK(hears(fd, 2, 0) && hears(fd, 3, 5) && hears(fd, 4, 0), "several at once: each, in their order");
	say(fd, q, question(q, 5, "here.test"));
	shutdown(fd, SHUT_WR);
	CHECK(hears(fd, 5, 0) && ended(fd), "a client that has said all hears its answer, and the end");
	close(fd);
}

static void test_nonsense(void)
{
	static const uint8_t zero[2] = { 0 }, large[2] = { 0xff, 0xff }, noise[14] = { 0, 12, 1, 2, 0x80 };
	int fd = client();

	say(fd, zero, sizeof(zero));
	CHECK(ended(fd), "a message without a byte ends it");
	close(fd);
	fd = client();
	say(fd, large, sizeof(large));
	CHECK(ended(fd), "a message longer than any question ends it");
	close(fd);
	fd = client();
	say(fd, noise, sizeof(noise));
	CHECK(ended(fd), "an answer in a question's place ends it");
	close(fd);
}

static void test_many(void)
{
	int fd[DNSTCP_CONNS + 1], i;
	uint8_t q[512];

	for (i = 0; i <= DNSTCP_CONNS; i++)
		fd[i] = client();
	turn();
	CHECK(ended(fd[DNSTCP_CONNS]), "one more than there is room for is closed");
	CHECK(dnstcp_refused(t) == 1, "... and counted");
	say(fd[0], q, question(q, 6, "here.test"));
	CHECK(hears(fd[0], 6, 0), "the others are served");
	for (i = 0; i <= DNSTCP_CONNS; i++)
		close(fd[i]);
	turn();
	fd[0] = client();
	say(fd[0], q, question(q, 7, "here.test"));
	CHECK(hears(fd[0], 7, 0), "and have made room when they are gone");
	close(fd[0]);
}

/* A client that does not read: no more than one answer waits. */
static void test_deaf(void)
{
	uint8_t q[512];
	size_t n = question(q, 8, "here.test");
	int fd = client(), sent = 0;

	while (sent < 100000 && send(fd, q, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n)
		if (++sent % 100 == 0)
			turn();
	CHECK(sent < 100000, "a client that reads nothing is not read");
	CHECK(hears(fd, 8, 0), "... and finds its answers");
	close(fd);
	turn();
}

/* What the forwarder asks its server, its length before it. Return: the connection, on which it asked. */
static int asked(int server, uint8_t q[512], size_t *n)
{
	ssize_t got;
	int fd;

	until_readable(server);
	fd = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	until_readable(fd);
	got = recv(fd, q, 512, MSG_DONTWAIT);
	if (got < 2 + DNS_HEADER)
		abort();
	*n = (size_t)got;
	return fd;
}

/* There is no such name. Who asked may not care any more. */
static void deny(int fd, uint8_t *q, size_t n)
{
	q[4] |= 0x80;
	q[5] = (uint8_t)((q[5] & 0xf0) | 3);
	if (send(fd, q, n, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		abort();
}

/* A client that leaves while it waits: the next one in its place is not told what it had asked. */
static void test_gone(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct dns_server server = { 0 };
	socklen_t len = sizeof(at);
	uint8_t q[512], one[512], two[512];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, up[2];
	size_t n[2];

	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 4) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) < 0)
		abort();
	addr_parse("127.0.0.1", &server.addr);
	server.port = ntohs(at.sin_port);
	dns_servers(dns, &server, 1);
	fd = client();
	say(fd, q, question(q, 9, "one.test"));
	up[0] = asked(listener, one, &n[0]);
	close(fd);
	turn();
	fd = client();
	say(fd, q, question(q, 10, "two.test"));
	up[1] = asked(listener, two, &n[1]);
	deny(up[0], one, n[0]);
	turn();
	CHECK(!wait_readable(fd, 0), "the answer to who has left is nobody's");
	deny(up[1], two, n[1]);
	CHECK(hears(fd, 10, 3), "the next one in its place has its own");
	close(fd);
	close(up[0]);
	close(up[1]);
	close(listener);
	turn();
}

int main(void)
{
	struct dns_config c = { .allowed = allowed, .learned = learned, .answer = answer };
	struct addr a;

	loop = c.loop = loop_new();
	dns = dns_new(&c);
	t = dnstcp_new(loop, dns);
	timer = loop_timer(loop, on_turn, NULL);
	addr_parse("192.0.2.1", &a);
	if (!t || timer < 0 || dnshosts_add(dns_hosts(dns), "here.test", &a))
		abort();
	test_questions();
	test_nonsense();
	test_many();
	test_deaf();
	test_gone();
	dnstcp_free(t);
	dns_free(dns);
	loop_timer_del(loop, &timer);
	loop_free(loop);
	return tap_done();
}

// SPDX-License-Identifier: ISC
/*
 * world_dns.c - a name server of the tests' internet, over UDP and TCP.
 *
 *	world_dns LOG TAG ZONE ADDR[ PORT]...	port 53 unless another is said; prints `ready`, and serves until it is
 *						killed; ZONE, see world_zone.h, is read anew on SIGHUP
 *
 * A name that ZONE does not have is NXDOMAIN. The modes of a name:
 *
 *	delay MSEC	the answer comes later
 *	drop		no answer
 *	truncate	over UDP, an empty answer that says that it was cut short
 *	wrongid		the answer has another id
 *	forge		an answer with another id and the address 203.0.113.66 comes before the right one
 *	garbage		bytes that are no message
 *	servfail, refuse	that
 *
 * Lines of the log, after TAG: `query udp|tcp FROM TO NAME TYPE`, `bad udp|tcp FROM TO LEN` for what is no query, `zone
 * N ENTRIES` when the zone has been read for the Nth time.
 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "loop.h"
#include "world_zone.h"

enum { SERVERS_MAX = 16, CHAIN_MAX = 8 };

struct server {
	int udp, tcp, udp_watch, tcp_watch;
	struct sockaddr_in6 at;
};

/* A connection; it is freed at the client's end, with the answers that were to come. */
struct conn {
	struct server *s;
	int fd, watch;
	struct sockaddr_in6 from;
	size_t have;
	uint8_t buf[2 + DNS_LARGEST];
	struct conn *next;
};

/* An answer, or a message like one, that is to be sent after some time. */
struct reply {
	int timer, udp;                 /* udp -1: to @conn, if that is still there */
	struct conn *conn;
	struct sockaddr_in6 to;
	size_t len;
	uint8_t msg[2 + DNS_LARGEST];
};

static struct loop *loop;
static struct server servers[SERVERS_MAX];
static struct conn *conns;
static const char *path;
static unsigned int serial;

static void reply_send(struct reply *r)
{
	struct conn *c = conns;

	while (c && c != r->conn)
		c = c->next;
	if (r->udp >= 0)
		sendto(r->udp, r->msg + 2, r->len, MSG_DONTWAIT, (struct sockaddr *)&r->to, sizeof(r->to));
	else if (c) {
		dns_set16(r->msg, (unsigned int)r->len);
		send(c->fd, r->msg, 2 + r->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	loop_timer_del(loop, &r->timer);
	free(r);
}

static void on_reply(void *arg, uint32_t events)
{
	(void)events;
	reply_send(arg);
}

static const struct zone_entry *find_mode(const uint8_t *name)
{
	static const struct zone_entry none;
	unsigned int i;

	for (i = 0; i < zone_count; i++)
		if (zone[i].mode && zone_is(&zone[i], name))
			return &zone[i];
	return &none;
}

/* Put the records of @name and @type. Return: whether there is the name; @alias is set to its CNAME, if it is one. */
static bool put_records(struct dns_out *o, const uint8_t *name, uint16_t type, size_t *owner,
			const struct zone_entry **alias)
{
	bool there = false;
	unsigned int i;

	*alias = NULL;
	for (i = 0; i < zone_count; i++) {
		const struct zone_entry *e = &zone[i];
		struct dns_put r = { .owner_at = *owner, .type = e->type, .ttl = e->ttl,
				     .data = e->data, .len = e->len };
		size_t at;

		if (e->mode || !zone_is(e, name))
			continue;
		there = true;
		if (e->type != type && e->type != DNS_CNAME)
			continue;
		at = dnsmsg_put(o, &r);
		if (e->type == DNS_CNAME && type != DNS_CNAME) {
			*alias = e;
			*owner = at;
			break;
		}
	}
	return there;
}

/* The SOA that says how long a negative answer is good for: 60 s. */
static void put_soa(struct dns_out *o)
{
	static const uint8_t data[22] = { [5] = 1, [21] = 60 }, root[1];
	const struct dns_put r = { .owner = root, .type = DNS_SOA, .ttl = 60, .data = data, .len = sizeof(data) };

	dnsmsg_put_authority(o, &r);
}

/* Return: the length of the answer in @msg. */
static size_t answer(const struct dns_question *q, uint8_t *msg, size_t limit)
{
	const struct zone_entry *alias;
	const uint8_t *name = q->name;
	size_t owner = DNS_HEADER;
	struct dns_out o;
	bool there;
	int i;

	dnsmsg_begin(&o, q, msg, limit);
	for (i = 0; i < CHAIN_MAX; i++) {
		there = put_records(&o, name, q->type, &owner, &alias);
		if (!alias)
			break;
		name = alias->data;
	}
	if (!o.answers)
		put_soa(&o);
	return dnsmsg_end(&o, there ? DNS_NOERROR : DNS_NXDOMAIN);
}

/* An empty answer with @rcode, cut short or not. */
static size_t empty(const struct dns_question *q, uint8_t *msg, enum dns_rcode rcode, bool truncated)
{
	struct dns_out o;

	dnsmsg_begin(&o, q, msg, DNS_UDP_LEAST);
	o.truncated = truncated;
	return dnsmsg_end(&o, rcode);
}

/* With another id, and one address that is wrong. */
static size_t forged(const struct dns_question *q, uint8_t *msg)
{
	static const uint8_t wrong[4] = { 203, 0, 113, 66 };
	const struct dns_put r = { .owner_at = DNS_HEADER, .type = DNS_A, .ttl = 300, .data = wrong, .len = 4 };
	struct dns_question other = *q;
	struct dns_out o;

	other.id ^= 0x5555;
	dnsmsg_begin(&o, &other, msg, DNS_UDP_LEAST);
	dnsmsg_put(&o, &r);
	return dnsmsg_end(&o, DNS_NOERROR);
}

/* What is said to @q as the mode wants it. Return: its length, 0: nothing. */
static size_t say(const struct zone_entry *mode, const struct dns_question *q, uint8_t *msg, bool tcp)
{
	size_t len;

	switch (mode->mode) {
	case DROP:
		return 0;
	case FAIL:
		return empty(q, msg, DNS_SERVFAIL, false);
	case REFUSE:
		return empty(q, msg, DNS_REFUSED, false);
	case GARBAGE:
		world_fill(msg, 0, 100);
		return 100;
	case TRUNCATE:
		if (!tcp)
			return empty(q, msg, DNS_NOERROR, true);
		break;
	default:
		break;
	}
	len = answer(q, msg, tcp ? DNS_LARGEST : q->udp);
	if (mode->mode == WRONG_ID)
		msg[0] ^= 0x55;
	return len;
}

static void reply_new(const struct reply *to, const struct zone_entry *mode, const struct dns_question *q, bool lie)
{
	struct reply *r = calloc(1, sizeof(*r));

	if (!r)
		die(1, "memory");
	memcpy(r, to, offsetof(struct reply, msg));
	r->timer = -1;
	r->len = lie ? forged(q, r->msg + 2) : say(mode, q, r->msg + 2, r->udp < 0);
	if (!r->len) {
		free(r);
	} else if (mode->mode == DELAY) {
		r->timer = loop_timer(loop, on_reply, r);
		loop_timer_set(loop, r->timer, mode->number ? mode->number : 1);
	} else {
		reply_send(r);
	}
}

static void heard(const struct server *s, const struct reply *to, const uint8_t *msg, size_t len)
{
	char from[WORLD_NAME], at[WORLD_NAME], text[DNSNAME_TEXT];
	const char *how = to->udp >= 0 ? "udp" : "tcp";
	const struct zone_entry *mode;
	struct dns_question q;

	world_name(&to->to, from);
	world_name(&s->at, at);
	if (dnsmsg_read(&q, msg, len) || !q.asked) {
		world_say("bad %s %s %s %zu", how, from, at, len);
		return;
	}
	world_say("query %s %s %s %.700s %u", how, from, at, dnsname_text(q.name, text), q.type);
	mode = find_mode(q.name);
	if (mode->mode == FORGE)
		reply_new(to, mode, &q, true);
	reply_new(to, mode, &q, false);
}

static void on_udp(void *arg, uint32_t events)
{
	struct server *s = arg;
	static uint8_t msg[DNS_LARGEST];
	struct reply to = { .udp = s->udp };
	socklen_t len = sizeof(to.to);
	ssize_t n = recvfrom(s->udp, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&to.to, &len);

	(void)events;
	if (n >= 0)
		heard(s, &to, msg, (size_t)n);
}

static void conn_free(struct conn *c)
{
	struct conn **p = &conns;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	loop_del(loop, &c->watch);
	close(c->fd);
	free(c);
}

static void on_conn(void *arg, uint32_t events)
{
	struct conn *c = arg;
	ssize_t n = recv(c->fd, c->buf + c->have, sizeof(c->buf) - c->have, MSG_DONTWAIT);
	struct reply to = { .udp = -1, .conn = c, .to = c->from };
	size_t len;

	(void)events;
	if (n <= 0) {
		if (!n || errno != EAGAIN)
			conn_free(c);
		return;
	}
	c->have += (size_t)n;
	while (c->have >= 2 && c->have >= 2 + (len = dns_get16(c->buf))) {
		heard(c->s, &to, c->buf + 2, len);
		c->have -= 2 + len;
		memmove(c->buf, c->buf + 2 + len, c->have);
	}
}

static void on_tcp(void *arg, uint32_t events)
{
	struct server *s = arg;
	struct conn *c = calloc(1, sizeof(*c));
	socklen_t len = sizeof(c->from);

	(void)events;
	if (!c)
		die(1, "memory");
	c->s = s;
	c->fd = accept4(s->tcp, (struct sockaddr *)&c->from, &len, SOCK_CLOEXEC);
	if (c->fd < 0) {
		free(c);
		return;
	}
	c->next = conns;
	conns = c;
	c->watch = loop_add(loop, c->fd, EPOLLIN, on_conn, c);
}

static void on_signal(void *arg, uint32_t events)
{
	struct signalfd_siginfo si;
	int *fd = arg;

	(void)events;
	if (read(*fd, &si, sizeof(si)) == sizeof(si)) {
		zone_read(path);
		world_say("zone %u %u", ++serial, zone_count);
	}
}

static void server_open(struct server *s, const char *addr, const char *port)
{
	int yes = 1;

	*s = (struct server){ .udp = world_socket(SOCK_DGRAM), .tcp = world_socket(SOCK_STREAM),
			      .at = world_address(addr, port) };
	setsockopt(s->tcp, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(s->udp, (struct sockaddr *)&s->at, sizeof(s->at)) < 0 ||
	    bind(s->tcp, (struct sockaddr *)&s->at, sizeof(s->at)) < 0 || listen(s->tcp, 64) < 0)
		die(1, "%s %s: %s", addr, port, errstr(errno));
	s->udp_watch = loop_add(loop, s->udp, EPOLLIN, on_udp, s);
	s->tcp_watch = loop_add(loop, s->tcp, EPOLLIN, on_tcp, s);
}

int main(int argc, char *argv[])
{
	sigset_t set;
	int i, n = 0, fd;

	log_init("world_dns", false);
	if (argc < 5)
		die(2, "usage: world_dns LOG TAG ZONE ADDR[ PORT]...");
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	world_log(argv[1], argv[2]);
	path = argv[3];
	zone_read(path);
	loop = loop_new();
	loop_add(loop, fd, EPOLLIN, on_signal, &fd);
	for (i = 4; i < argc && n < SERVERS_MAX; i++) {
		char *port = strchr(argv[i], ' ');

		if (port)
			*port++ = 0;
		server_open(&servers[n++], argv[i], port ? port : "53");
	}
	world_ready();
	return loop_run(loop) ? 1 : 0;
}

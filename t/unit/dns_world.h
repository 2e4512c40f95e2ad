/* SPDX-License-Identifier: ISC */
/* dns_world.h - a forwarder, its clients, and its servers, in one loop: for tests of dns.c. */
#ifndef DNS_WORLD_H
#define DNS_WORLD_H

#include <time.h>

#include "dnsanswer.h"
#include "dnshosts.h"
#include "dns_server.h"
#include "tap.h"

/* What the forwarder called, and with what. */
static struct {
	struct loop *loop;
	struct dns *dns;
	struct server one, two;
	unsigned int answers, wanted;
	uint8_t client;                 /* that was answered last */
	size_t len;                     /* of the answer */
	uint8_t msg[DNS_LARGEST];
	struct dnsanswer a;             /* and what is in it, if it could be read */
	struct dns_question q;
	int read;
	char learned[2000];             /* "name address seconds\n" each */
	uint64_t offset;                /* msec that our clock is ahead */
} w;

static inline uint64_t w_now(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + w.offset;
}

static inline bool w_allowed(void *arg, const char *name)
{
	(void)arg;
	return !strstr(name, "denied");
}

static inline void w_learned(void *arg, const char *name, const struct addr *a, uint32_t seconds)
{
	char text[ADDR_TEXT];
	size_t n = strlen(w.learned);

	(void)arg;
	snprintf(w.learned + n, sizeof(w.learned) - n, "%s %s %u\n", name, addr_format(a, text), seconds);
}

/* 10/8 is protected, in both notations. */
static inline bool w_keep(void *arg, const struct addr *a)
{
	struct addr_range ten;

	(void)arg;
	addr_parse_range("10.0.0.0/8", &ten);
	return !addr_in(a, &ten);
}

static inline void w_answer(void *arg, const struct dns_client *c, const uint8_t *msg, size_t len)
{
	(void)arg;
	w.client = c->ref[0];
	w.len = len;
	memcpy(w.msg, msg, len);
	if (++w.answers == w.wanted)
		loop_stop(w.loop);
}

static inline struct dns_client w_client(uint8_t number, bool tcp)
{
	return (struct dns_client){ .tcp = tcp, .ref = { number } };
}

/* Ask; the id is 0xabNN with the client's number. */
static inline void w_send(uint8_t client, bool tcp, const char *name, unsigned int type, unsigned int edns)
{
	const struct dns_client c = w_client(client, tcp);
	static struct build m;

	bheader(&m, 0xab00U | client, RD, name, type);
	if (edns)
		bopt(&m, edns, 0);
	if (dnsmsg_read(&w.q, m.b, m.n) || dns_query(w.dns, &c, m.b, m.n))
		abort();
}

/* Run until so many answers have come since w_start(), or are there already. */
static inline void w_run(unsigned int answers)
{
	w.wanted = answers;
	if (w.answers < answers)
		loop_run(w.loop);
	w.read = dnsmsg_answers(&w.q, dns_get16(w.msg), w.msg, w.len) ? dnsanswer_read(&w.a, &w.q, w.msg, w.len) : -1;
}

/* Ask, and wait for the answer, which must have the client's id. */
static inline void w_ask(const char *name, unsigned int type)
{
	unsigned int before = w.answers;

	*w.learned = '\0';
	w_send(1, false, name, type, 0);
	w_run(before + 1);
	if (dns_get16(w.msg) != 0xab01)
		w.read = -1;
}

static inline bool w_says(unsigned int rcode, unsigned int count)
{
	return !w.read && w.a.rcode == rcode && w.a.count == count;
}

static inline void w_start(void (*one)(struct heard *), void (*two)(struct heard *), const struct dns_config *over)
{
	struct dns_config c = *over;

	memset(&w, 0, sizeof(w));
	w.loop = loop_new();
	c.loop = w.loop;
	c.allowed = w_allowed;
	c.learned = w_learned;
	c.keep = w_keep;
	c.answer = w_answer;
	c.now = w_now;
	c.try_msec = c.try_msec ? c.try_msec : 100;
	c.total_msec = c.total_msec ? c.total_msec : 400;
	w.dns = dns_new(&c);
	server_start(&w.one, w.loop, AF_INET, true, one);
	server_start(&w.two, w.loop, AF_INET6, true, two);
	dns_servers(w.dns, (struct dns_server[]){ w.one.at, w.two.at }, two ? 2 : 1);
}

static inline void w_end(void)
{
	dns_free(w.dns);
	w.one.closing = w.two.closing = true;
	while (w.one.connections + w.two.connections)
		loop_run(w.loop);
	server_stop(&w.one);
	server_stop(&w.two);
	loop_free(w.loop);
}

#endif

// SPDX-License-Identifier: ISC
/*
 * dns.c - the forwarder: a guest's questions to the host's servers, under the caller's policy.
 *
 *	guest ── dns_query() ──▶ read, names by option, policy ──▶ flight ──▶ ask ──▶ server
 *	guest ◀── answer() ◀── written anew ◀── learned(), keep() ◀────┘◀──── ask ◀── server
 *
 * What is answered here: names by option, to everybody, for nothing leaves; REFUSED when policy does not allow the name,
 * for a class that is not IN, and for types that dnsanswer.c cannot write anew, before any packet
 * leaves; SERVFAIL when too many questions wait. Everything else is a flight (dnsflight.c).
 */
#include "dns.h"

#include <time.h>

#include "addr.h"
#include "dnsanswer.h"
#include "dnsflight.h"
#include "dnshosts.h"
#include "dnsmsg.h"
#include "dnsroom.h"
#include "log.h"
#include "util.h"

enum { FLIGHTS = 256, TRY_MSEC = 1000, TOTAL_MSEC = 5000 };

struct dns {
	struct dns_config c;            /* without zeros that mean something else */
	struct dns_stats stats;
	struct dnshosts *hosts;
	struct dnsroom *room;
	bool said_none;                 /* that there is no server */
	uint8_t out[DNS_LARGEST];
};

static void reply(struct dns *d, const struct dns_client *c, const struct dns_question *q, enum dns_rcode rcode)
{
	struct dns_out o;

	dnsmsg_begin(&o, q, d->out, dns_limit(&d->c, c, q));
	d->c.answer(d->c.arg, c, d->out, dnsmsg_end(&o, rcode));
}

/**
 * dns_query() - a client asks
 * @d
 * @c: who
 * @msg, @len: the message, hostile, without the length that TCP has before it
 * Return: 0, and answer() is called, maybe before this returns; -EBADMSG when there is nothing to answer.
 */
int dns_query(struct dns *d, const struct dns_client *c, const uint8_t *msg, size_t len)
{
	char text[DNSNAME_TEXT];
	struct dns_question q;
	int rcode = dnsmsg_read(&q, msg, len);
	size_t n;

	d->stats.queries++;
	d->stats.malformed += rcode != 0;
	if (rcode < 0)
		return rcode;
	if (rcode) {
		reply(d, c, &q, (enum dns_rcode)rcode);
		return 0;
	}
	n = q.class == DNS_IN ? dnshosts_answer(d->hosts, &q, d->out, dns_limit(&d->c, c, &q)) : 0;
	if (n) {
		d->stats.local++;
		d->c.answer(d->c.arg, c, d->out, n);
	} else if (q.class != DNS_IN || !dnsanswer_passes(q.type) ||
		   !d->c.allowed(d->c.arg, dnsname_text(q.name, text))) {
		d->stats.refused++;
		reply(d, c, &q, DNS_REFUSED);
	} else if (!dnsroom_merge(d->room, c, &q) && !dnsroom_start(d->room, c, &q)) {
		d->stats.overflow++;
		reply(d, c, &q, DNS_SERVFAIL);
	}
	return 0;
}

/** dns_cancel() - a client is gone: nothing is answered to it any more. @d. @c: who. */
void dns_cancel(struct dns *d, const struct dns_client *c)
{
	dnsroom_cancel(d->room, c);
}

/**
 * dns_servers() - these are the servers now
 * @d
 * @servers, @n: in the order in which to ask; none: every question fails, and a line says why
 *
 * When they are others than before, what waits is asked anew.
 */
void dns_servers(struct dns *d, const struct dns_server *servers, size_t n)
{
	if (!n && !d->said_none)
		warn("dns: this host names no server in its resolv.conf: nothing is resolved until it does");
	d->said_none = !n;
	dnsroom_servers(d->room, servers, n);
}

/** dns_hosts() - the names that are answered here; learned() is not told of them. @d. Return: @d's own. */
struct dnshosts *dns_hosts(struct dns *d)
{
	return d->hosts;
}

/** dns_waiting() - questions that wait for servers. @d. Return: how many. */
unsigned int dns_waiting(const struct dns *d)
{
	return dnsroom_waiting(d->room);
}

/** dns_stats() - what happened. @d. Return: @d's own. */
const struct dns_stats *dns_stats(const struct dns *d)
{
	return &d->stats;
}

static uint64_t monotonic(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The guest's own loopback is asked of nobody (RFC 6761 §6.3). */
static int add_localhost(struct dnshosts *h)
{
	const struct addr v4 = addr_v4((const uint8_t[]){ 127, 0, 0, 1 }), v6 = { { [15] = 1 } };
	int e = dnshosts_add(h, "localhost", &v4);

	return e ? e : dnshosts_add(h, "localhost", &v6);
}

/**
 * dns_new() - a forwarder without servers
 * @c: copied; loop, allowed, learned and answer are set
 *
 * Call before the process confines itself. Return: freed with dns_free(); NULL with errno.
 */
struct dns *dns_new(const struct dns_config *c)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->c = *c;
	d->c.flights = c->flights ? c->flights : FLIGHTS;
	d->c.try_msec = c->try_msec ? c->try_msec : TRY_MSEC;
	d->c.total_msec = c->total_msec ? c->total_msec : TOTAL_MSEC;
	d->c.udp_max = MAX(c->udp_max ? c->udp_max : DNS_UDP_ASKED, (size_t)DNS_UDP_LEAST);
	d->c.now = c->now ? c->now : monotonic;
	d->hosts = dnshosts_new();
	d->room = dnsroom_new(&d->c, &d->stats);
	if (!d->hosts || !d->room || add_localhost(d->hosts)) {
		dns_free(d);
		return NULL;
	}
	return d;
}

/** dns_free() - forget all, answer nobody. @d: may be NULL. */
void dns_free(struct dns *d)
{
	if (!d)
		return;
	dnsroom_free(d->room);
	dnshosts_free(d->hosts);
	free(d);
}

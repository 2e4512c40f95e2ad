// SPDX-License-Identifier: ISC
/*
 * dnsflight.c - a question that waits for servers.
 *
 * A flight asks the servers one after the other, each over a fresh socket with a fresh random id; one that is silent for
 * try_msec gets company, and is still heard. Whoever answers first is believed. A server that stood back
 * gets a quarter of that time when another is well, so finding out about it costs one question little.
 *
 *	flight	FREE --dnsflight_start()--> WAITING --answer, total_msec, no server left, cancelled--> FREE
 *
 * What a server sends is an answer when it comes from its address and port, is a response, and has our id and our
 * question; anything else is counted, and waiting goes on. Many of them are an attack on the id: then
 * the server is asked over TCP, which nobody can guess into. TCP is also for what was truncated, and for what came so.
 * SERVFAIL and the like make the next server's turn; of no server's refusal is the guest told REFUSED, which means
 * policy. Nothing is cached.
 */
#include "dnsflight.h"

#include <assert.h>
#include <sys/random.h>

#include "dnstell.h"
#include "util.h"

enum {
	TRIES = 12,             /* messages that one flight sends */
	STRAYS = 16,            /* messages on one socket that are no answer */
};

/** dnsflight_stop() - be over, and answer nobody. @f: waiting; free afterwards. */
void dnsflight_stop(struct dnsflight *f)
{
	int i;

	assert(f->waiting);
	for (i = 0; i < DNSFLIGHT_ASKS; i++)
		dnsask_stop(&f->ask[i]);
	f->waiting = false;
	f->b->waiting--;
}

/* Send what is in b->out, under each id. @f is free before the client hears of it. */
static void finish(struct dnsflight *f, size_t len)
{
	struct dns_client client = f->client;
	struct dnsflight_base *b = f->b;
	uint16_t id[DNSFLIGHT_IDS];
	unsigned int i, n = f->ids;

	memcpy(id, f->id, sizeof(id));
	dnsflight_stop(f);
	for (i = 0; i < n; i++) {
		dns_set16(b->out, id[i]);
		b->c->answer(b->c->arg, &client, b->out, len);
	}
}

static void fail(struct dnsflight *f)
{
	struct dnsflight_base *b = f->b;
	struct dns_out o;

	b->stats->failed++;
	dnsmsg_begin(&o, &f->q, b->out, dns_limit(b->c, &f->client, &f->q));
	o.truncated = f->truncated && !f->client.tcp;
	finish(f, dnsmsg_end(&o, o.truncated ? DNS_NOERROR : DNS_SERVFAIL));
}

/* -- asking -- */

static struct dnsask *free_ask(struct dnsflight *f)
{
	struct dnsask *a;
	int i;

	for (i = 0; i < DNSFLIGHT_ASKS; i++)
		if (f->ask[i].state == DNSASK_IDLE)
			return &f->ask[i];
	a = &f->ask[f->oldest++ % DNSFLIGHT_ASKS];
	dnsask_stop(a);
	return a;
}

/* Ask one server. Return: whether the question is on its way. */
static bool ask(struct dnsflight *f, int i, bool tcp)
{
	struct dnsflight_base *b = f->b;
	const struct dnspool_member *m = &b->pool.member[i];
	struct dnsask *a = free_ask(f);
	uint8_t msg[DNS_ASK];
	uint64_t wait = b->c->try_msec;
	size_t len;

	if (f->tries == TRIES || getrandom(&a->id, sizeof(a->id), 0) != sizeof(a->id))
		return false;
	f->tries++;
	len = dnsmsg_ask(&f->q, a->id, !m->plain, msg);
	a->server = f->last = i;
	a->strays = 0;
	if (tcp ? dnsask_tcp(a, &m->server, msg, len) : dnsask_udp(a, &m->server, msg, len))
		return false;
	b->stats->asked++;
	b->stats->asked_tcp += tcp;
	wait = b->c->now(b->c->arg) + (m->fails && dnspool_spare(&b->pool, f->tried) ? wait / 4 : wait << f->round);
	f->due = MIN(wait, f->deadline);
	return true;
}

/* Ask the next server, if there is one. @f is free afterwards when there is none, and nobody to wait for. */
static void advance(struct dnsflight *f)
{
	struct dnsflight_base *b = f->b;
	int i;

	while ((i = dnspool_pick(&b->pool, f->tried, b->c->now(b->c->arg))) >= 0) {
		f->tried |= 1u << i;
		if (ask(f, i, f->client.tcp))
			return;
		if (f->tries == TRIES)
			break;
		dnspool_failed(&b->pool, i, b->c->now(b->c->arg));
	}
	for (i = 0; i < DNSFLIGHT_ASKS; i++)
		if (f->ask[i].state != DNSASK_IDLE)
			return;
	fail(f);
}

/* The same server again, in another way: over TCP, or without EDNS. */
static void ask_again(struct dnsflight *f, struct dnsask *a, bool tcp)
{
	int i = a->server;

	dnsask_stop(a);
	if (!ask(f, i, tcp))
		advance(f);
}

static bool stray(struct dnsflight *f, struct dnsask *a)
{
	f->b->stats->strays++;
	if (++a->strays < STRAYS)
		return true;
	if (a->state == DNSASK_UDP) {
		ask_again(f, a, true);
	} else {
		dnsask_stop(a);
		advance(f);
	}
	return false;
}

/* An answer to what was asked. @a has what it came in until dnsask_stop(). */
static void judge(struct dnsflight *f, struct dnsask *a, const uint8_t *msg, size_t len)
{
	struct dnsflight_base *b = f->b;
	struct dnspool_member *m = &b->pool.member[a->server];
	int e = dnsanswer_read(&b->answer, &f->q, msg, len);
	unsigned int rcode = b->answer.rcode;
	bool udp = a->state == DNSASK_UDP;

	dnspool_well(&b->pool, a->server);
	if (!m->plain && (rcode == DNS_FORMERR || rcode == DNS_NOTIMP)) {
		m->plain = true;
		ask_again(f, a, !udp);
	} else if (!e && b->answer.truncated && udp) {
		f->truncated = true;
		ask_again(f, a, true);
	} else if (e || b->answer.truncated || (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)) {
		b->stats->bad_answers += e != 0;
		dnsask_stop(a);
		advance(f);
	} else {
		finish(f, dnstell(b->c, b->stats, &b->answer, dns_limit(b->c, &f->client, &f->q), b->out));
	}
}

static bool on_message(void *arg, struct dnsask *a, const uint8_t *msg, size_t len)
{
	struct dnsflight *f = arg;
	struct dnsflight_base *b = f->b;
	bool goes_on = false;

	if (!msg) {
		dnspool_failed(&b->pool, a->server, b->c->now(b->c->arg));
		dnsask_stop(a);
		advance(f);
	} else if (!dnsmsg_answers(&f->q, a->id, msg, len)) {
		goes_on = stray(f, a);
	} else {
		judge(f, a, msg, len);
	}
	b->moved(b);
	return goes_on;
}

/**
 * dnsflight_due() - its time has come: ask the next server, or be over
 * @f: waiting, free afterwards if it is over
 * @now: msec, not before @f->due
 */
void dnsflight_due(struct dnsflight *f, uint64_t now)
{
	struct dnsflight_base *b = f->b;

	dnspool_failed(&b->pool, f->last, now);
	if (now >= f->deadline) {
		fail(f);
		return;
	}
	/* All have been asked: again, for datagrams get lost. */
	if (!(~f->tried & ((1u << b->pool.count) - 1))) {
		f->tried = 0;
		f->round++;
	}
	f->due = f->deadline;
	advance(f);
}

/** dnsflight_restart() - ask anew, for the servers are others. @f: waiting, maybe free afterwards. */
void dnsflight_restart(struct dnsflight *f)
{
	int i;

	for (i = 0; i < DNSFLIGHT_ASKS; i++)
		dnsask_stop(&f->ask[i]);
	f->tried = f->tries = f->round = 0;
	advance(f);
}

/**
 * dnsflight_start() - ask the servers; answer() is called, maybe before this returns
 * @f: free; waiting afterwards, or free again
 * @c, @q: who asks what; policy was asked
 */
void dnsflight_start(struct dnsflight *f, const struct dns_client *c, const struct dns_question *q)
{
	const struct dns_config *config = f->b->c;

	assert(!f->waiting);
	f->waiting = true;
	f->b->waiting++;
	f->client = *c;
	f->q = *q;
	f->id[0] = q->id;
	f->ids = 1;
	f->oldest = 0;
	f->truncated = false;
	f->due = f->deadline = config->now(config->arg) + config->total_msec;
	dnsflight_restart(f);
}

/**
 * dnsflight_merge() - have a question answered with this one
 * @f: waiting
 * @c, @q: who asks what
 * Return: whether it is the same client with the same question, and there is room for its id.
 */
bool dnsflight_merge(struct dnsflight *f, const struct dns_client *c, const struct dns_question *q)
{
	unsigned int i = 0;

	/* In the same case, for it is told in the case that it was asked in. */
	if (memcmp(&f->client, c, sizeof(*c)) || f->q.type != q->type || f->q.edns != q->edns ||
	    f->q.recurse != q->recurse || memcmp(f->q.name, q->name, sizeof(q->name)))
		return false;
	while (i < f->ids && f->id[i] != q->id)
		i++;
	if (i == DNSFLIGHT_IDS)
		return false;
	f->id[i] = q->id;
	f->ids = MAX(f->ids, i + 1);
	return true;
}

/** dnsflight_init() - one that is free. @f: filled in. @b: used from now on; config and moved are set. */
void dnsflight_init(struct dnsflight *f, struct dnsflight_base *b)
{
	int i;

	*f = (struct dnsflight){ .b = b };
	for (i = 0; i < DNSFLIGHT_ASKS; i++)
		f->ask[i] = (struct dnsask){ .fd = -1, .watch = -1, .loop = b->c->loop, .fn = on_message, .arg = f };
}

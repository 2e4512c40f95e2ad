// SPDX-License-Identifier: ISC
/*
 * dnsflight.c - questions that wait for servers.
 *
 * A flight asks the servers one after the other, each over a fresh socket with a fresh random id; one that is silent for
 * try_msec gets company, and is still heard. Whoever answers first is believed. A server that stood back
 * gets a quarter of that time when another is well, so finding out about it costs one question little.
 *
 *	flight	FREE --dnsflights_start()--> WAITING --answer, total_msec, no server left, cancelled--> FREE
 *
 * What a server sends is an answer when it comes from its address and port, is a response, and has our id and our
 * question; anything else is counted, and waiting goes on. Many of them are an attack on the id: then
 * the server is asked over TCP, which nobody can guess into. TCP is also for what was truncated, and for what came so.
 * SERVFAIL and the like make the next server's turn; of no server's refusal is the guest told REFUSED, which means
 * policy. Nothing is cached.
 */
#include "dnsflight.h"

#include <errno.h>
#include <sys/random.h>

#include "dnsanswer.h"
#include "dnsmsg.h"
#include "dnspool.h"
#include "dnstell.h"
#include "loop.h"
#include "util.h"

enum {
	ASKS = 4,               /* sockets of one flight */
	TRIES = 12,             /* messages that one flight sends */
	IDS = 4,                /* ids under which one client waits for one answer */
	STRAYS = 16,            /* on one socket */
};

struct flight {
	struct dnsflights *d;
	bool waiting;
	struct dns_client client;
	struct dns_question q;
	uint16_t id[IDS];
	unsigned int ids;
	uint64_t due, deadline; /* when the next server is asked; when it is over */
	uint32_t tried;         /* 1 << server */
	int last;               /* server that was asked last */
	unsigned int tries, round;
	bool truncated;         /* a server said that there is more, and over TCP there was nothing */
	unsigned int oldest;    /* ask to give up for another */
	struct dnsask ask[ASKS];
};

struct dnsflights {
	const struct dns_config *c;
	struct dns_stats *stats;
	int timer;
	uint64_t armed;         /* when the timer runs out; 0: it does not run */
	unsigned int waiting;
	struct dnspool pool;
	struct dnsanswer answer;
	uint8_t out[DNS_LARGEST];
	struct flight flight[];
};

static uint64_t now(const struct dnsflights *d)
{
	return d->c->now(d->c->arg);
}

/* Have the timer run out no later than the first flight is due. */
static void arm(struct dnsflights *d)
{
	uint64_t first = UINT64_MAX, t;
	unsigned int i;

	for (i = 0; i < d->c->flights; i++)
		if (d->flight[i].waiting)
			first = MIN(first, d->flight[i].due);
	if (first == UINT64_MAX || (d->armed && d->armed <= first))
		return;
	t = now(d);
	d->armed = first;
	loop_timer_set(d->c->loop, d->timer, first > t ? first - t : 1);
}

/* -- the end of a flight -- */

static void release(struct flight *f)
{
	int i;

	for (i = 0; i < ASKS; i++)
		dnsask_stop(&f->ask[i]);
	f->waiting = false;
	f->d->waiting--;
}

/* Send what is in d->out, under each id. @f is free before the client hears of it. */
static void finish(struct flight *f, size_t len)
{
	struct dns_client client = f->client;
	struct dnsflights *d = f->d;
	uint16_t id[IDS];
	unsigned int i, n = f->ids;

	memcpy(id, f->id, sizeof(id));
	release(f);
	for (i = 0; i < n; i++) {
		dns_set16(d->out, id[i]);
		d->c->answer(d->c->arg, &client, d->out, len);
	}
}

static void fail(struct flight *f)
{
	struct dnsflights *d = f->d;
	struct dns_out o;

	d->stats->failed++;
	dnsmsg_begin(&o, &f->q, d->out, dns_limit(d->c, &f->client, &f->q));
	o.truncated = f->truncated && !f->client.tcp;
	finish(f, dnsmsg_end(&o, o.truncated ? DNS_NOERROR : DNS_SERVFAIL));
}

/* -- asking -- */

static struct dnsask *free_ask(struct flight *f)
{
	struct dnsask *a;
	int i;

	for (i = 0; i < ASKS; i++)
		if (f->ask[i].state == DNSASK_IDLE)
			return &f->ask[i];
	a = &f->ask[f->oldest++ % ASKS];
	dnsask_stop(a);
	return a;
}

/* Ask one server. Return: whether the question is on its way. */
static bool ask(struct flight *f, int i, bool tcp)
{
	struct dnsflights *d = f->d;
	const struct dnspool_member *m = &d->pool.member[i];
	struct dnsask *a = free_ask(f);
	uint8_t msg[DNS_ASK];
	uint64_t wait = d->c->try_msec;
	size_t len;

	if (f->tries == TRIES || getrandom(&a->id, sizeof(a->id), 0) != sizeof(a->id))
		return false;
	f->tries++;
	len = dnsmsg_ask(&f->q, a->id, !m->plain, msg);
	a->server = f->last = i;
	a->strays = 0;
	if (tcp ? dnsask_tcp(a, &m->server, msg, len) : dnsask_udp(a, &m->server, msg, len))
		return false;
	d->stats->asked++;
	d->stats->asked_tcp += tcp;
	wait = now(d) + (m->fails && dnspool_spare(&d->pool, f->tried) ? wait / 4 : wait << f->round);
	f->due = MIN(wait, f->deadline);
	return true;
}

/* Ask the next server, if there is one. @f is free afterwards when there is none, and nobody to wait for. */
static void advance(struct flight *f)
{
	struct dnsflights *d = f->d;
	int i;

	while ((i = dnspool_pick(&d->pool, f->tried, now(d))) >= 0) {
		f->tried |= 1u << i;
		if (ask(f, i, f->client.tcp))
			return;
		if (f->tries == TRIES)
			break;
		dnspool_failed(&d->pool, i, now(d));
	}
	for (i = 0; i < ASKS; i++)
		if (f->ask[i].state != DNSASK_IDLE)
			return;
	fail(f);
}

/* The same server again, in another way: over TCP, or without EDNS. */
static void ask_again(struct flight *f, struct dnsask *a, bool tcp)
{
	int i = a->server;

	dnsask_stop(a);
	if (!ask(f, i, tcp))
		advance(f);
}

static bool stray(struct flight *f, struct dnsask *a)
{
	f->d->stats->strays++;
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
static void judge(struct flight *f, struct dnsask *a, const uint8_t *msg, size_t len)
{
	struct dnsflights *d = f->d;
	struct dnspool_member *m = &d->pool.member[a->server];
	int e = dnsanswer_read(&d->answer, &f->q, msg, len);
	unsigned int rcode = d->answer.rcode;
	bool udp = a->state == DNSASK_UDP;

	dnspool_well(&d->pool, a->server);
	if (!m->plain && (rcode == DNS_FORMERR || rcode == DNS_NOTIMP)) {
		m->plain = true;
		ask_again(f, a, !udp);
	} else if (!e && d->answer.truncated && udp) {
		f->truncated = true;
		ask_again(f, a, true);
	} else if (e || d->answer.truncated || (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)) {
		d->stats->bad_answers += e != 0;
		dnsask_stop(a);
		advance(f);
	} else {
		finish(f, dnstell(d->c, d->stats, &d->answer, dns_limit(d->c, &f->client, &f->q), d->out));
	}
}

static bool on_message(void *arg, struct dnsask *a, const uint8_t *msg, size_t len)
{
	struct flight *f = arg;
	struct dnsflights *d = f->d;
	bool goes_on = false;

	if (!msg) {
		dnspool_failed(&d->pool, a->server, now(d));
		dnsask_stop(a);
		advance(f);
	} else if (!dnsmsg_answers(&f->q, a->id, msg, len)) {
		goes_on = stray(f, a);
	} else {
		judge(f, a, msg, len);
	}
	arm(d);
	return goes_on;
}

static void on_due(struct flight *f, uint64_t t)
{
	struct dnsflights *d = f->d;

	dnspool_failed(&d->pool, f->last, t);
	if (t >= f->deadline) {
		fail(f);
		return;
	}
	/* All have been asked: again, for datagrams get lost. */
	if (!(~f->tried & ((1u << d->pool.count) - 1))) {
		f->tried = 0;
		f->round++;
	}
	f->due = f->deadline;
	advance(f);
}

static void on_timer(void *arg, uint32_t events)
{
	struct dnsflights *d = arg;
	uint64_t t = now(d);
	unsigned int i;

	(void)events;
	d->armed = 0;
	for (i = 0; i < d->c->flights; i++)
		if (d->flight[i].waiting && d->flight[i].due <= t)
			on_due(&d->flight[i], t);
	arm(d);
}

/* -- what dns.c sees -- */

/**
 * dnsflights_merge() - have a question answered with one that waits
 * @d
 * @c, @q: who asks what
 * Return: whether the same client waits for the same answer already.
 */
bool dnsflights_merge(struct dnsflights *d, const struct dns_client *c, const struct dns_question *q)
{
	unsigned int i, j;

	for (i = 0; i < d->c->flights; i++) {
		struct flight *f = &d->flight[i];

		/* In the same case, for it is told in the case that it was asked in. */
		if (!f->waiting || memcmp(&f->client, c, sizeof(*c)) || f->q.type != q->type ||
		    f->q.edns != q->edns || f->q.recurse != q->recurse || memcmp(f->q.name, q->name, sizeof(q->name)))
			continue;
		for (j = 0; j < f->ids && f->id[j] != q->id; j++)
			continue;
		if (j == IDS)
			continue;
		f->id[j] = q->id;
		f->ids = MAX(f->ids, j + 1);
		d->stats->merged++;
		return true;
	}
	return false;
}

/**
 * dnsflights_start() - ask the servers; answer() is called, maybe before this returns
 * @d
 * @c, @q: who asks what; policy was asked
 * Return: false when too many wait already.
 */
bool dnsflights_start(struct dnsflights *d, const struct dns_client *c, const struct dns_question *q)
{
	struct flight *f = d->flight;

	if (d->waiting == d->c->flights)
		return false;
	while (f->waiting)
		f++;
	f->waiting = true;
	d->waiting++;
	f->client = *c;
	f->q = *q;
	f->id[0] = q->id;
	f->ids = 1;
	f->tried = f->tries = f->round = f->oldest = 0;
	f->truncated = false;
	f->due = f->deadline = now(d) + d->c->total_msec;
	advance(f);
	arm(d);
	return true;
}

/** dnsflights_cancel() - answer nothing to a client. @d. @c: who. */
void dnsflights_cancel(struct dnsflights *d, const struct dns_client *c)
{
	unsigned int i;

	for (i = 0; i < d->c->flights; i++) {
		if (!d->flight[i].waiting || memcmp(&d->flight[i].client, c, sizeof(*c)))
			continue;
		release(&d->flight[i]);
		d->stats->cancelled++;
	}
}

/**
 * dnsflights_servers() - these are the servers now
 * @d
 * @servers, @n: in the order in which to ask
 *
 * When they are others than before, what waits is asked anew.
 */
void dnsflights_servers(struct dnsflights *d, const struct dns_server *servers, size_t n)
{
	bool changed = dnspool_set(&d->pool, servers, n);
	unsigned int i, j;

	for (i = 0; changed && i < d->c->flights; i++) {
		struct flight *f = &d->flight[i];

		if (!f->waiting)
			continue;
		for (j = 0; j < ASKS; j++)
			dnsask_stop(&f->ask[j]);
		f->tried = f->tries = f->round = 0;
		advance(f);
	}
	arm(d);
}

/** dnsflights_waiting() - questions that wait. @d. Return: how many. */
unsigned int dnsflights_waiting(const struct dnsflights *d)
{
	return d->waiting;
}

/**
 * dnsflights_new() - room for @c->flights questions, and no server yet
 * @c: whole, used until dnsflights_free()
 * @stats: counted up
 * Return: freed with dnsflights_free(); NULL with errno.
 */
struct dnsflights *dnsflights_new(const struct dns_config *c, struct dns_stats *stats)
{
	struct dnsflights *d = calloc(1, sizeof(*d) + c->flights * sizeof(*d->flight));
	unsigned int i, j;

	if (!d)
		return NULL;
	d->c = c;
	d->stats = stats;
	d->timer = loop_timer(c->loop, on_timer, d);
	if (d->timer < 0) {
		errno = -d->timer;
		free(d);
		return NULL;
	}
	for (i = 0; i < c->flights; i++) {
		d->flight[i].d = d;
		for (j = 0; j < ASKS; j++)
			d->flight[i].ask[j] = (struct dnsask){ .fd = -1, .watch = -1, .loop = c->loop,
							       .fn = on_message, .arg = &d->flight[i] };
	}
	return d;
}

/** dnsflights_free() - forget all, answer nobody. @d: may be NULL. */
void dnsflights_free(struct dnsflights *d)
{
	unsigned int i;

	if (!d)
		return;
	for (i = 0; i < d->c->flights; i++)
		if (d->flight[i].waiting)
			release(&d->flight[i]);
	loop_timer_del(d->c->loop, &d->timer);
	free(d);
}

// SPDX-License-Identifier: ISC
/*
 * dnsroom.c - room for the questions that wait for servers, and the timer that they share.
 *
 * The room does not grow. It is small enough to be searched for every question.
 */
#include "dnsroom.h"

#include <errno.h>

#include "dnsflight.h"
#include "loop.h"
#include "util.h"

struct dnsroom {
	struct dnsflight_base b;
	int timer;
	uint64_t armed;         /* when the timer runs out; 0: it does not run */
	struct dnsflight flight[];
};

/* Have the timer run out no later than the first flight is due. */
static void arm(struct dnsflight_base *b)
{
	struct dnsroom *r = container_of(b, struct dnsroom, b);
	uint64_t first = UINT64_MAX, now = b->c->now(b->c->arg);
	unsigned int i;

	for (i = 0; i < b->c->flights; i++)
		if (r->flight[i].waiting)
			first = MIN(first, r->flight[i].due);
	if (first == UINT64_MAX || (r->armed > now && r->armed <= first))
		return;
	r->armed = first;
	loop_timer_set(b->c->loop, r->timer, first > now ? first - now : 1);
}

static void on_timer(void *arg, uint32_t events)
{
	struct dnsroom *r = arg;
	const struct dns_config *c = r->b.c;
	uint64_t now = c->now(c->arg);
	unsigned int i;

	(void)events;
	r->armed = 0;
	for (i = 0; i < c->flights; i++)
		if (r->flight[i].waiting && r->flight[i].due <= now)
			dnsflight_due(&r->flight[i], now);
	arm(&r->b);
}

/** dnsroom_merge() - have a question answered with one that waits. @r. @c, @q: who asks what. Return: whether it is. */
bool dnsroom_merge(struct dnsroom *r, const struct dns_client *c, const struct dns_question *q)
{
	unsigned int i;

	for (i = 0; i < r->b.c->flights; i++) {
		if (!r->flight[i].waiting || !dnsflight_merge(&r->flight[i], c, q))
			continue;
		r->b.stats->merged++;
		return true;
	}
	return false;
}

/** dnsroom_start() - ask the servers. @r. @c, @q: as dnsflight_start(). Return: false when too many wait already. */
bool dnsroom_start(struct dnsroom *r, const struct dns_client *c, const struct dns_question *q)
{
	struct dnsflight *f = r->flight;

	if (r->b.waiting == r->b.c->flights)
		return false;
	while (f->waiting)
		f++;
	dnsflight_start(f, c, q);
	arm(&r->b);
	return true;
}

/** dnsroom_cancel() - answer nothing to a client. @r. @c: who. */
void dnsroom_cancel(struct dnsroom *r, const struct dns_client *c)
{
	unsigned int i;

	for (i = 0; i < r->b.c->flights; i++) {
		if (!r->flight[i].waiting || memcmp(&r->flight[i].client, c, sizeof(*c)))
			continue;
		dnsflight_stop(&r->flight[i]);
		r->b.stats->cancelled++;
	}
}

/** dnsroom_servers() - these are the servers now; if they are others, what waits is asked anew. @r. @servers, @n. */
void dnsroom_servers(struct dnsroom *r, const struct dns_server *servers, size_t n)
{
	bool changed = dnspool_set(&r->b.pool, servers, n);
	unsigned int i;

	for (i = 0; changed && i < r->b.c->flights; i++)
		if (r->flight[i].waiting)
			dnsflight_restart(&r->flight[i]);
	arm(&r->b);
}

/** dnsroom_waiting() - questions that wait. @r. Return: how many. */
unsigned int dnsroom_waiting(const struct dnsroom *r)
{
	return r->b.waiting;
}

/**
 * dnsroom_new() - room for @c->flights questions, and no server yet
 * @c: whole, used until dnsroom_free()
 * @stats: counted up
 * Return: freed with dnsroom_free(); NULL with errno.
 */
struct dnsroom *dnsroom_new(const struct dns_config *c, struct dns_stats *stats)
{
	struct dnsroom *r = calloc(1, sizeof(*r) + c->flights * sizeof(*r->flight));
	unsigned int i;

	if (!r)
		return NULL;
	r->b.c = c;
	r->b.stats = stats;
	r->b.moved = arm;
	r->timer = loop_timer(c->loop, on_timer, r);
	if (r->timer < 0) {
		errno = -r->timer;
		free(r);
		return NULL;
	}
	for (i = 0; i < c->flights; i++)
		dnsflight_init(&r->flight[i], &r->b);
	return r;
}

/** dnsroom_free() - forget all, answer nobody. @r: may be NULL. */
void dnsroom_free(struct dnsroom *r)
{
	unsigned int i;

	if (!r)
		return;
	for (i = 0; i < r->b.c->flights; i++)
		if (r->flight[i].waiting)
			dnsflight_stop(&r->flight[i]);
	loop_timer_del(r->b.c->loop, &r->timer);
	free(r);
}

// SPDX-License-Identifier: ISC
/*
 * dnspool.c - the servers that can be asked, and how they have been doing.
 *
 * They are asked in the host's order, as the host itself would. One that fails stands back, for 2 s at first and twice as
 * long each time, a minute at most; then one question, not all of them, finds out whether it is there again.
 *
 *	well --no answer--> standing back --time is up, one question--> standing back --an answer--> well
 */
#include "dnspool.h"

#include <string.h>

#include "util.h"

enum { BACK_MSEC = 1000, FAILS_MAX = 6 };

static bool same(const struct dns_server *a, const struct dns_server *b)
{
	return addr_equal(&a->addr, &b->addr) && a->scope == b->scope && a->port == b->port;
}

/**
 * dnspool_set() - these are the servers now
 * @p: what is known of those that stay is kept
 * @servers, @n: in order; doubles and what is beyond DNSPOOL_MAX are left out
 * Return: whether anything changed.
 */
bool dnspool_set(struct dnspool *p, const struct dns_server *servers, size_t n)
{
	struct dnspool new = { 0 };
	bool changed;
	unsigned int j;
	size_t i;

	for (i = 0; i < n && new.count < DNSPOOL_MAX; i++) {
		struct dnspool_member m = { .server = servers[i] };

		for (j = 0; j < p->count; j++)
			if (same(&p->member[j].server, &servers[i]))
				m = p->member[j];
		for (j = 0; j < new.count && !same(&new.member[j].server, &servers[i]); j++)
			continue;
		if (j == new.count)
			new.member[new.count++] = m;
	}
	changed = new.count != p->count;
	for (j = 0; j < new.count && !changed; j++)
		changed = !same(&new.member[j].server, &p->member[j].server);
	*p = new;
	return changed;
}

static uint64_t back_off(const struct dnspool_member *m)
{
	return (uint64_t)BACK_MSEC << m->fails;
}

/**
 * dnspool_pick() - whom to ask next
 * @p
 * @tried: 1 << i for those that were asked already
 * @now: msec
 *
 * Those that stand back come last. One whose time is up comes in its old place, once.
 * Return: its number; -1 when all were asked.
 */
int dnspool_pick(struct dnspool *p, uint32_t tried, uint64_t now)
{
	struct dnspool_member *m;
	int i, best = -1;

	for (i = 0; i < (int)p->count; i++) {
		m = &p->member[i];
		if (tried & 1u << i)
			continue;
		if (!m->fails)
			return i;
		if (m->until <= now) {
			m->until = now + back_off(m);
			return i;
		}
		if (best < 0 || m->until < p->member[best].until)
			best = i;
	}
	return best;
}

/** dnspool_spare() - whether one that is well was not asked yet. @p. @tried: as dnspool_pick(). Return: so. */
bool dnspool_spare(const struct dnspool *p, uint32_t tried)
{
	unsigned int i;

	for (i = 0; i < p->count; i++)
		if (!p->member[i].fails && !(tried & 1u << i))
			return true;
	return false;
}

/** dnspool_well() - a server answered. @p. @i: its number. */
void dnspool_well(struct dnspool *p, int i)
{
	p->member[i].fails = 0;
}

/** dnspool_failed() - a server did not answer. @p. @i: its number. @now: msec. */
void dnspool_failed(struct dnspool *p, int i, uint64_t now)
{
	struct dnspool_member *m = &p->member[i];

	m->fails = MIN(m->fails + 1, (unsigned int)FAILS_MAX);
	m->until = now + back_off(m);
}

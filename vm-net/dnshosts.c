// SPDX-License-Identifier: ISC
/*
 * dnshosts.c - names and addresses that are answered here and asked of nobody, in both directions.
 *
 * A name that is here has what is here and nothing else: its other types are empty answers, so that a question for them
 * does not leave for the servers.
 */
#include "dnshosts.h"

#include <errno.h>

#include "addr.h"
#include "dnsmsg.h"
#include "util.h"

struct host {
	uint8_t name[DNSNAME_MAX];
	struct addr addr;
};

struct dnshosts {
	unsigned int count;
	struct host *host;
};

/** dnshosts_new() - none. Return: freed with dnshosts_free(); NULL when out of memory. */
struct dnshosts *dnshosts_new(void)
{
	return calloc(1, sizeof(struct dnshosts));
}

/** dnshosts_free() - forget them. @h: may be NULL. */
void dnshosts_free(struct dnshosts *h)
{
	if (h)
		free(h->host);
	free(h);
}

/**
 * dnshosts_add() - know an address of a name
 * @h
 * @name: as users write them; further calls with it add addresses
 * @a: of either family
 * Return: 0; -EINVAL for what is no name; -ENOSPC beyond DNSHOSTS_MAX; -ENOMEM.
 */
int dnshosts_add(struct dnshosts *h, const char *name, const struct addr *a)
{
	struct host new = { .addr = *a }, *more;

	if (dnsname_parse(name, new.name))
		return -EINVAL;
	if (h->count == DNSHOSTS_MAX)
		return -ENOSPC;
	more = realloc(h->host, (h->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	h->host = more;
	h->host[h->count++] = new;
	return 0;
}

/** dnshosts_knows() - whether a name is answered here. @h. @name: as users write them. Return: so. */
bool dnshosts_knows(const struct dnshosts *h, const char *name)
{
	uint8_t wire[DNSNAME_MAX];
	unsigned int i = 0;

	if (dnsname_parse(name, wire))
		return false;
	while (i < h->count && !dnsname_equal(h->host[i].name, wire))
		i++;
	return i < h->count;
}

/** dnshosts_remove() - forget all addresses of a name. @h. @name: known or not. */
void dnshosts_remove(struct dnshosts *h, const char *name)
{
	uint8_t wire[DNSNAME_MAX];
	unsigned int i, n = 0;

	if (dnsname_parse(name, wire))
		return;
	for (i = 0; i < h->count; i++)
		if (!dnsname_equal(h->host[i].name, wire))
			h->host[n++] = h->host[i];
	h->count = n;
}

static void put(struct dns_out *o, const uint8_t *data, size_t len)
{
	dnsmsg_put(o, &(struct dns_put){ NULL, DNS_HEADER, o->q->type, DNSHOSTS_TTL, data, len });
}

/* What @host says about the question. Return: whether it is about it at all. */
static bool tell(struct dns_out *o, const struct host *host, const struct addr *reverse)
{
	bool v4 = addr_is_v4(&host->addr);

	if (reverse && addr_equal(reverse, &host->addr)) {
		if (o->q->type == DNS_PTR)
			put(o, host->name, dnsname_length(host->name));
		return true;
	}
	if (!dnsname_equal(host->name, o->q->name))
		return false;
	if (o->q->type == DNS_A && v4)
		put(o, host->addr.b + 12, 4);
	if (o->q->type == DNS_AAAA && !v4)
		put(o, host->addr.b, 16);
	return true;
}

/**
 * dnshosts_answer() - answer a question if it is about these
 * @h
 * @q: read
 * @out, @limit: as dnsmsg_begin()
 * Return: bytes of the reply; 0 when somebody else must know.
 */
size_t dnshosts_answer(const struct dnshosts *h, const struct dns_question *q, uint8_t *out, size_t limit)
{
	bool ours = false, is_reverse;
	struct addr reverse;
	struct dns_out o;
	unsigned int i;

	is_reverse = dnsname_reverse(q->name, &reverse);
	dnsmsg_begin(&o, q, out, limit);
	for (i = 0; i < h->count; i++)
		ours |= tell(&o, &h->host[i], is_reverse ? &reverse : NULL);
	return ours ? dnsmsg_end(&o, DNS_NOERROR) : 0;
}

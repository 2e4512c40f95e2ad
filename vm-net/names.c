// SPDX-License-Identifier: ISC
/*
 * names.c - which addresses stand for which names, as DNS answers said.
 *
 * A pair of name and address lives from the answer that told it for its TTL, and for five minutes at least: programs
 * keep an address for longer than they may. A day is the most, so that no server can fill the table for good.
 * An address has a set of names: what is looked up last takes nothing away from the others.
 *
 * Pairs are in a hash table by address, keyed with a secret, for guests choose addresses; and in a heap whose root expires
 * first. Nothing is swept: a pair that has expired is passed over, and is freed when its address or the table needs the
 * room. When all that are there still live, a new one is refused and counted.
 */
#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "util.h"

enum { LABEL = 63 };

struct names_entry {
	struct names_entry *next;       /* in its bucket */
	struct addr addr;
	uint64_t expires;               /* msec */
	size_t at;                      /* its place in the heap */
	char name[];
};

struct names {
	struct names_entry **bucket;
	size_t mask;                    /* buckets less one */
	struct names_entry **heap;      /* heap[i] expires no later than heap[2i + 1] and heap[2i + 2] */
	size_t count, cap;
	uint64_t key[2];
	uint64_t refused, evicted;
};

/* -- the heap -- */

static void put(struct names *n, size_t at, struct names_entry *e)
{
	n->heap[at] = e;
	e->at = at;
}

/* Move an entry to where it belongs, from a place where only it may be wrong. */
static void settle(struct names *n, struct names_entry *e)
{
	size_t at = e->at, child;

	while (at && n->heap[(at - 1) / 2]->expires > e->expires) {
		put(n, at, n->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	while ((child = 2 * at + 1) < n->count) {
		if (child + 1 < n->count && n->heap[child + 1]->expires < n->heap[child]->expires)
			child++;
		if (n->heap[child]->expires >= e->expires)
			break;
		put(n, at, n->heap[child]);
		at = child;
	}
	put(n, at, e);
}

/* -- the table -- */

static struct names_entry **bucket(const struct names *n, const struct addr *a)
{
	uint64_t lo, hi;

	memcpy(&hi, a->b, 8);
	memcpy(&lo, a->b + 8, 8);
	lo = (lo ^ n->key[0]) * 0x9e3779b97f4a7c15u;
	lo = ((lo ^ lo >> 32) ^ hi ^ n->key[1]) * 0xd6e8feb86659fd93u;
	return &n->bucket[(lo ^ lo >> 32) & n->mask];
}

/* Free an entry that has expired. */
static void evict(struct names *n, struct names_entry *e)
{
	struct names_entry *last = n->heap[--n->count], **p = bucket(n, &e->addr);

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	if (last != e) {
		put(n, e->at, last);
		settle(n, last);
	}
	n->evicted++;
	free(e);
}

/**
 * names_canonical() - a name in the one form in which names are compared
 * @text: labels of 1 to 63 letters, digits, hyphens and underscores; a dot at the end is left off
 * @name: set to it in lower case
 * Return: 0; -EINVAL for what is no such name.
 */
int names_canonical(const char *text, char name[NAMES_TEXT])
{
	size_t len = strlen(text), label = 0, i;

	if (len && text[len - 1] == '.')
		len--;
	if (!len || len >= NAMES_TEXT)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.' ? !label : !isalnum(c) && c != '-' && c != '_')
			return -EINVAL;
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL)
			return -EINVAL;
		name[i] = (char)tolower(c);
	}
	name[len] = '\0';
	return label ? 0 : -EINVAL;
}

/** names_lifetime() - how long an answer is good. @ttl: seconds, as in the answer. Return: seconds. */
uint32_t names_lifetime(uint32_t ttl)
{
	/* RFC 2181 §8: the highest bit means 0. */
	if (ttl & 1u << 31)
		ttl = 0;
	return MIN(MAX(ttl, (uint32_t)NAMES_MIN_SEC), (uint32_t)NAMES_MAX_SEC);
}

/** names_new() - an empty table. @cap: pairs it holds, at least 1. Return: it; NULL with errno. */
struct names *names_new(size_t cap)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->cap = cap;
	for (n->mask = 1; n->mask < cap; n->mask *= 2)
		;
	n->bucket = calloc(n->mask, sizeof(struct names_entry *));
	n->heap = calloc(cap, sizeof(struct names_entry *));
	n->mask--;
	if (n->bucket && n->heap && getrandom(n->key, sizeof(n->key), 0) == sizeof(n->key))
		return n;
	names_free(n);
	return NULL;
}

/** names_free() - free a table. @n: may be NULL. */
void names_free(struct names *n)
{
	if (!n)
		return;
	while (n->count)
		free(n->heap[--n->count]);
	free(n->bucket);
	free(n->heap);
	free(n);
}

/* Add a pair that is not there. Return: 0; -ENOMEM. */
static int add(struct names *n, const char *name, const struct addr *a, uint64_t expires)
{
	struct names_entry **head = bucket(n, a), *e = malloc(sizeof(*e) + strlen(name) + 1);

	if (!e)
		return -ENOMEM;
	*e = (struct names_entry){ .next = *head, .addr = *a, .expires = expires };
	strcpy(e->name, name);
	*head = e;
	put(n, n->count++, e);
	settle(n, e);
	return 0;
}

/**
 * names_learn() - an answer said that a name has an address
 * @n: table
 * @name: what was asked for; call again with each alias of a chain of CNAMEs
 * @a: address at the chain's end
 * @ttl: seconds, as in the answer; names_lifetime() of it counts. No answer makes a pair's life shorter.
 * @now_ms: of a clock that never goes back
 *
 * Return: 0; -EINVAL for a name that is none; -ENOSPC, counted, when the table or the address is full: the guest cannot
 * use the address under this name; -ENOMEM, counted, likewise.
 */
int names_learn(struct names *n, const char *name, const struct addr *a, uint32_t ttl, uint64_t now_ms)
{
	uint64_t expires = now_ms + names_lifetime(ttl) * 1000ull;
	struct names_entry *e, *next;
	char canonical[NAMES_TEXT];
	unsigned int same = 0;
	int err = -ENOSPC;

	if (names_canonical(name, canonical))
		return -EINVAL;
	for (e = *bucket(n, a); e; e = next) {
		next = e->next;
		if (!addr_equal(&e->addr, a))
			continue;
		if (!strcmp(e->name, canonical)) {
			e->expires = MAX(e->expires, expires);
			settle(n, e);
			return 0;
		}
		if (e->expires <= now_ms)
			evict(n, e);
		else
			same++;
	}
	if (n->count == n->cap && n->heap[0]->expires <= now_ms)
		evict(n, n->heap[0]);
	if (n->count < n->cap && same < NAMES_PER_ADDR)
		err = add(n, canonical, a, expires);
	n->refused += err != 0;
	return err;
}

/**
 * names_next() - walk the names that an address has
 * @n: table; not to be taught meanwhile
 * @a: address
 * @now_ms: names that have expired by then are left out
 * @at: NULL at first; moved on
 * Return: a name, the table's own until it learns; NULL at the end.
 */
const char *names_next(const struct names *n, const struct addr *a, uint64_t now_ms, const struct names_entry **at)
{
	const struct names_entry *e = *at ? (*at)->next : *bucket(n, a);

	while (e && (e->expires <= now_ms || !addr_equal(&e->addr, a)))
		e = e->next;
	if (!e)
		return NULL;
	*at = e;
	return e->name;
}

/** names_has() - whether an address has a name. @n, @a. @name: canonical. @now_ms. Return: so. */
bool names_has(const struct names *n, const struct addr *a, const char *name, uint64_t now_ms)
{
	const struct names_entry *at = NULL;
	const char *known;

	while ((known = names_next(n, a, now_ms, &at)))
		if (!strcmp(known, name))
			return true;
	return false;
}

/** names_stats() - counters. @n. Return: them. */
struct names_stats names_stats(const struct names *n)
{
	return (struct names_stats){ n->count, n->refused, n->evicted };
}

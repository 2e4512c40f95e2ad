// SPDX-License-Identifier: ISC
/*
 * policy_index.c - from a destination to the rules that name it.
 *
 * A judgement asks for the rules that may match an address or a name, and looks at those in their order. Address ranges
 * are an interval tree in a sorted array, names and suffixes a hash table: the cost grows with the rules that match and
 * the logarithm of those that do not, and with one bit for each rule.
 */
#include "policy_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t HASH_START = 0xcbf29ce484222325u;         /* FNV-1a */

static uint64_t hash_step(uint64_t hash, char c)
{
	return (hash ^ (unsigned char)c) * 0x100000001b3u;
}

static void set_bit(struct policy_set *s, uint32_t rule)
{
	s->word[rule / 64] |= 1ull << rule % 64;
}

/**
 * policy_index_grow() - room for one more in an array whose room is a power of two
 * @array: NULL when it is empty
 * @count: elements that it has
 * @each: bytes of one
 * Return: the array, maybe elsewhere; NULL when memory is short, and nothing has changed then.
 */
void *policy_index_grow(void *array, size_t count, size_t each)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * count : 1, each);
}

/* -- building -- */

static int compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

/* Whether a range is the whole of IPv4 or of IPv6. */
static bool is_all(const struct addr *first, const struct addr *last)
{
	static const uint8_t low[4], high[4] = { 255, 255, 255, 255 };
	struct addr first4 = addr_v4(low), last4 = addr_v4(high), first6, last6;

	memset(&first6, 0, sizeof(first6));
	memset(&last6, 255, sizeof(last6));
	return (!compare(first, &first4) && !compare(last, &last4)) ||
	       (!compare(first, &first6) && !compare(last, &last6));
}

/** policy_index_add_range() - a rule names addresses. @x, @rule. @first, @last: of one family. Return: 0; -ENOMEM. */
int policy_index_add_range(struct policy_index *x, uint32_t rule, const struct addr *first, const struct addr *last)
{
	struct policy_range *range = policy_index_grow(x->range, x->ranges, sizeof(*range));

	if (!range)
		return -ENOMEM;
	x->range = range;
	x->range[x->ranges++] = (struct policy_range){ *first, *last, *last, rule, is_all(first, last) };
	return 0;
}

/** policy_index_add_name() - a rule has a name. @x, @rule. @text: canonical, "*." may be before. Return: 0; -ENOMEM. */
int policy_index_add_name(struct policy_index *x, uint32_t rule, const char *text)
{
	struct policy_name *name = policy_index_grow(x->name, x->names, sizeof(*name));
	char *copy;

	if (!name)
		return -ENOMEM;
	x->name = name;
	copy = strdup(*text == '*' ? text + 1 : text);
	if (!copy)
		return -ENOMEM;
	x->name[x->names++] = (struct policy_name){ copy, rule, 0 };
	return 0;
}

/** policy_index_add_star() - a rule has a star. @x, @rule. */
void policy_index_add_star(struct policy_index *x, uint32_t rule)
{
	set_bit(&x->star, rule);
}

/** policy_index_add_host() - a rule has `host`. @x, @rule. */
void policy_index_add_host(struct policy_index *x, uint32_t rule)
{
	set_bit(&x->host, rule);
}

static int by_first(const void *a, const void *b)
{
	const struct policy_range *x = a, *y = b;

	return compare(&x->first, &y->first);
}

/* Set `reach` in the piece from @lo to before @hi. Return: its root's; NULL for none. */
static const struct addr *span(struct policy_index *x, size_t lo, size_t hi)
{
	size_t mid = lo + (hi - lo) / 2;
	const struct addr *part[2];
	int i;

	if (lo == hi)
		return NULL;
	part[0] = span(x, lo, mid);
	part[1] = span(x, mid + 1, hi);
	for (i = 0; i < 2; i++)
		if (part[i] && compare(part[i], &x->range[mid].reach) > 0)
			x->range[mid].reach = *part[i];
	return &x->range[mid].reach;
}

/* Names are hashed from their ends, so that one pass over a name meets all its suffixes. */
static uint32_t *bucket(const struct policy_index *x, uint64_t hash)
{
	return &x->bucket[(hash ^ hash >> 32) & (x->buckets - 1)];
}

/** policy_index_finish() - all has been added. @x. @rules: how many there are. Return: 0; -ENOMEM. */
int policy_index_finish(struct policy_index *x, size_t rules)
{
	size_t i;

	x->words = (rules + 63) / 64;
	if (x->ranges) {
		qsort(x->range, x->ranges, sizeof(*x->range), by_first);
		span(x, 0, x->ranges);
	}
	for (x->buckets = 1; x->buckets < 2 * x->names; x->buckets *= 2)
		;
	x->bucket = calloc(x->buckets, sizeof(*x->bucket));
	if (!x->bucket)
		return -ENOMEM;
	for (i = 0; i < x->names; i++) {
		uint64_t hash = HASH_START;
		const char *text = x->name[i].text;
		size_t at = strlen(text);
		uint32_t *head;

		while (at)
			hash = hash_step(hash, text[--at]);
		head = bucket(x, hash);
		x->name[i].next = *head;
		*head = (uint32_t)i + 1;
	}
	return 0;
}

/** policy_index_free() - free what it holds. @x. */
void policy_index_free(struct policy_index *x)
{
	while (x->names)
		free(x->name[--x->names].text);
	free(x->name);
	free(x->range);
	free(x->bucket);
}

/* -- asking -- */

/** policy_index_clear() - make a set empty. @x: finished. @s. */
void policy_index_clear(const struct policy_index *x, struct policy_set *s)
{
	memset(s->word, 0, x->words * sizeof(*s->word));
}

/** policy_index_join() - add a set's rules to a set. @x: finished. @s. @more. */
void policy_index_join(const struct policy_index *x, struct policy_set *s, const struct policy_set *more)
{
	size_t i;

	for (i = 0; i < x->words; i++)
		s->word[i] |= more->word[i];
}

/* Whether a range that begins no later than an address means it. */
static bool means(const struct policy_range *r, const struct addr *a, enum policy_index_by by,
		  const struct addr_range *within)
{
	if (compare(&r->last, a) < 0)
		return false;
	/* In an IPv6 range that has all of IPv4 within it, IPv4 is not meant. */
	if (addr_is_v4(a) && !addr_is_v4(&r->first))
		return false;
	if (by == POLICY_INDEX_ANY)
		return true;
	return !r->all && (!within || (addr_in(&r->first, within) && addr_in(&r->last, within)));
}

/**
 * policy_index_address() - add the rules whose ranges hold an address
 * @x: finished
 * @a: address
 * @by: by any range, or by those that are no more than a part of their family
 * @within: ... and that lie in this range; may be NULL
 * @s: set
 */
void policy_index_address(const struct policy_index *x, const struct addr *a, enum policy_index_by by,
			  const struct addr_range *within, struct policy_set *s)
{
	/* Pieces to be looked at yet: one for each level, of which there are no more than size_t has bits. */
	struct { size_t lo, hi; } todo[65];
	unsigned int depth = 1;

	todo[0].lo = 0;
	todo[0].hi = x->ranges;
	while (depth--) {
		size_t lo = todo[depth].lo, hi = todo[depth].hi;

		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;
			const struct policy_range *r = &x->range[mid];

			if (compare(&r->reach, a) < 0)
				break;
			if (compare(&r->first, a) <= 0) {
				if (means(r, a, by, within))
					set_bit(s, r->rule);
				todo[depth].lo = mid + 1;
				todo[depth++].hi = hi;
			}
			hi = mid;
		}
	}
}

/* Add the rules of one text to a set, or look for @rule among them when there is none. */
static bool look_up(const struct policy_index *x, uint64_t hash, const char *text, struct policy_set *s, uint32_t rule)
{
	uint32_t i;

	for (i = *bucket(x, hash); i; i = x->name[i - 1].next) {
		const struct policy_name *n = &x->name[i - 1];

		if (strcmp(n->text, text) != 0)
			continue;
		if (s)
			set_bit(s, n->rule);
		else if (n->rule == rule)
			return true;
	}
	return false;
}

static bool walk(const struct policy_index *x, const char *name, struct policy_set *s, uint32_t rule)
{
	uint64_t hash = HASH_START;
	size_t at = strlen(name);

	if (!x->names || !at)
		return false;
	while (at) {
		hash = hash_step(hash, name[--at]);
		if ((!at || name[at] == '.') && look_up(x, hash, name + at, s, rule))
			return true;
	}
	return false;
}

/** policy_index_name() - add the rules that have a name. @x: finished. @name: canonical, or empty. @s. */
void policy_index_name(const struct policy_index *x, const char *name, struct policy_set *s)
{
	walk(x, name, s, 0);
}

/** policy_index_matches() - whether a rule has a name. @x: finished. @name: canonical. @rule. Return: so. */
bool policy_index_matches(const struct policy_index *x, const char *name, uint32_t rule)
{
	return walk(x, name, NULL, rule);
}

/** policy_index_next() - the first rule of a set, from one on. @x: finished. @s. @from. Return: it; SIZE_MAX for none. */
size_t policy_index_next(const struct policy_index *x, const struct policy_set *s, size_t from)
{
	size_t i = from / 64;
	uint64_t word;

	if (i >= x->words)
		return SIZE_MAX;
	word = s->word[i] & ~0ull << from % 64;
	while (!word && ++i < x->words)
		word = s->word[i];
	return word ? 64 * i + (size_t)__builtin_ctzll(word) : SIZE_MAX;
}

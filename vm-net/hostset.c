// SPDX-License-Identifier: ISC
/*
 * hostset.c - a set of addresses on interfaces, sorted.
 *
 * An address that several interfaces have is in it until the last one loses it. Each entry remembers the round of
 * telling that told it last, so that what the newest round did not tell can be swept out.
 */
#include "hostset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTSET_MAX = 65536 };

static int compare(const struct hostset_entry *x, const struct hostset_entry *y)
{
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return order ? order : (x->interface > y->interface) - (x->interface < y->interface);
}

/* The first place whose entry is not before @e. */
static size_t place(const struct hostset *s, const struct hostset_entry *e)
{
	size_t lo = 0, hi = s->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare(&s->entry[mid], e) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/** hostset_insert() - add an entry, or renew its round. @s. @e: copied. Return: 0; -ENOSPC; -ENOMEM. */
int hostset_insert(struct hostset *s, const struct hostset_entry *e)
{
	size_t at = place(s, e);

	if (at < s->count && !compare(&s->entry[at], e)) {
		s->entry[at].round = e->round;
		return 0;
	}
	if (s->count == s->size) {
		size_t size = s->size ? 2 * s->size : 16;
		struct hostset_entry *more;

		if (size > HOSTSET_MAX)
			return -ENOSPC;
		more = reallocarray(s->entry, size, sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->entry = more;
		s->size = size;
	}
	memmove(s->entry + at + 1, s->entry + at, (s->count - at) * sizeof(*e));
	s->entry[at] = *e;
	s->count++;
	s->changed = true;
	return 0;
}

/** hostset_erase() - take an entry out, if it is there. @s. @e: its round is of no account. */
void hostset_erase(struct hostset *s, const struct hostset_entry *e)
{
	size_t at = place(s, e);

	if (at == s->count || compare(&s->entry[at], e))
		return;
	s->count--;
	memmove(s->entry + at, s->entry + at + 1, (s->count - at) * sizeof(*e));
	s->changed = true;
}

/** hostset_sweep() - drop all entries but those of a round. @s. @round. */
void hostset_sweep(struct hostset *s, uint32_t round)
{
	size_t i, kept = 0;

	for (i = 0; i < s->count; i++)
		if (s->entry[i].round == round)
			s->entry[kept++] = s->entry[i];
	s->changed |= kept != s->count;
	s->count = kept;
}

/** hostset_has() - whether any interface has an address. @s, @a. Return: so. */
bool hostset_has(const struct hostset *s, const struct addr *a)
{
	struct hostset_entry e = { .addr = *a };
	size_t at = place(s, &e);

	return at < s->count && addr_equal(&s->entry[at].addr, a);
}

/** hostset_free() - empty a set and free its memory. @s. */
void hostset_free(struct hostset *s)
{
	free(s->entry);
	*s = (struct hostset){ 0 };
}

/* SPDX-License-Identifier: ISC */
/* policy_index.h - from a destination to the rules that name it. */
#ifndef POLICY_INDEX_H
#define POLICY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum { POLICY_INDEX_RULES = 16384, POLICY_INDEX_WORDS = POLICY_INDEX_RULES / 64 };

enum policy_index_by { POLICY_INDEX_ANY, POLICY_INDEX_PART };

/* Rules, bit N % 64 of word N / 64. */
struct policy_set {
	uint64_t word[POLICY_INDEX_WORDS];
};

struct policy_range {
	struct addr first, last;
	struct addr reach;              /* the largest `last` of the subtree */
	uint32_t rule;
	bool all;                       /* of its family: no more than a star */
};

struct policy_name {
	char *text;                     /* canonical; a wildcard is its suffix, with the dot before it */
	uint32_t rule;
	uint32_t next;                  /* in its bucket, plus one; 0: none */
};

/* All zero: empty. */
struct policy_index {
	struct policy_range *range;     /* sorted by `first`; a balanced tree: the root of a piece is in its middle */
	size_t ranges;
	struct policy_name *name;
	size_t names;
	uint32_t *bucket;               /* plus one; 0: empty */
	size_t buckets;                 /* a power of two */
	size_t words;                   /* of every set, as many as the rules need */
	struct policy_set star, host;
};

void *policy_index_grow(void *array, size_t count, size_t each);

int policy_index_add_range(struct policy_index *x, uint32_t rule, const struct addr *first, const struct addr *last);
int policy_index_add_name(struct policy_index *x, uint32_t rule, const char *text);
void policy_index_add_star(struct policy_index *x, uint32_t rule);
void policy_index_add_host(struct policy_index *x, uint32_t rule);
int policy_index_finish(struct policy_index *x, size_t rules);
void policy_index_free(struct policy_index *x);

void policy_index_clear(const struct policy_index *x, struct policy_set *s);
void policy_index_join(const struct policy_index *x, struct policy_set *s, const struct policy_set *more);
void policy_index_address(const struct policy_index *x, const struct addr *a, enum policy_index_by by,
			  const struct addr_range *within, struct policy_set *s);
void policy_index_name(const struct policy_index *x, const char *name, struct policy_set *s);
bool policy_index_matches(const struct policy_index *x, const char *name, uint32_t rule);
size_t policy_index_next(const struct policy_index *x, const struct policy_set *s, size_t from);

#endif

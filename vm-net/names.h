/* SPDX-License-Identifier: ISC */
/* names.h - which addresses stand for which names, as DNS answers said. */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum {
	NAMES_TEXT = 254,               /* bytes that hold any name's text: RFC 1035 §2.3.4, without the last dot */
	NAMES_PER_ADDR = 256,           /* names that one address may have at a time */
	NAMES_MIN_SEC = 300,            /* an answer is good for so long at least */
	NAMES_MAX_SEC = 86400,          /* ... and at most */
};

struct names_stats {
	size_t entries;                 /* pairs of name and address, expired ones that are still there too */
	uint64_t refused;               /* pairs that had no room */
	uint64_t evicted;               /* expired pairs that made room */
};

struct names;
struct names_entry;

int names_canonical(const char *text, char name[NAMES_TEXT]);
uint32_t names_lifetime(uint32_t ttl);

struct names *names_new(size_t cap);
void names_free(struct names *n);
int names_learn(struct names *n, const char *name, const struct addr *a, uint32_t ttl, uint64_t now_ms);
const char *names_next(const struct names *n, const struct addr *a, uint64_t now_ms, const struct names_entry **at);
bool names_has(const struct names *n, const struct addr *a, const char *name, uint64_t now_ms);
struct names_stats names_stats(const struct names *n);

#endif

/* SPDX-License-Identifier: ISC */
/* hostset.h - a set of addresses on interfaces. */
#ifndef HOSTSET_H
#define HOSTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

struct hostset_entry {
	struct addr addr;
	uint32_t interface;
	uint32_t round;                 /* of the telling that told it last */
};

/* All zero: empty. */
struct hostset {
	struct hostset_entry *entry;    /* sorted by address and interface */
	size_t count, size;
	bool changed;                   /* set by every change, cleared by the caller */
};

int hostset_insert(struct hostset *s, const struct hostset_entry *e);
void hostset_erase(struct hostset *s, const struct hostset_entry *e);
void hostset_sweep(struct hostset *s, uint32_t round);
bool hostset_has(const struct hostset *s, const struct addr *a);
void hostset_free(struct hostset *s);

#endif

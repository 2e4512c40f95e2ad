/* SPDX-License-Identifier: ISC */
/* deny.h - a packet that may not go further is answered at once. */
#ifndef DENY_H
#define DENY_H

#include "build.h"
#include "pkt.h"
#include "subnet.h"

enum { DENY_PER_SECOND = 1000, DENY_BURST = 1000 };

/* How many answers there may be. */
struct deny_limit {
	uint64_t at;                    /* milliseconds */
	uint64_t spent;                 /* thousandths of an answer */
	uint64_t suppressed;            /* answers that were not given */
};

bool deny_build(struct deny_limit *limit, uint64_t now, const struct subnet *s, const struct pkt *p, struct built *b);

#endif

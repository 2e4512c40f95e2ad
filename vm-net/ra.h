/* SPDX-License-Identifier: ISC */
/* ra.h - router advertisements. */
#ifndef RA_H
#define RA_H

#include "build.h"
#include "subnet.h"

enum { RA_SOLICITATION = 133, RA_ADVERTISEMENT = 134, RA_BODY = 8 + 8 + 8 + 32 + 24 + 8 + 256 };

struct ra {
	struct built frame;
	uint8_t body[RA_BODY];
};

/* When the next one is due that nobody asked for. */
struct ra_clock {
	uint64_t due;                   /* milliseconds; 0: at once */
	unsigned int sent;
};

bool ra_solicited(const struct subnet *s, const struct pkt *p, struct ra *ra);
bool ra_due(struct ra_clock *c, uint64_t now, const struct subnet *s, struct ra *ra);

#endif

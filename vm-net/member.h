/* SPDX-License-Identifier: ISC */
/* member.h - one guest of the network: its cable, its addresses, its filter. */
#ifndef MEMBER_H
#define MEMBER_H

#include <stdint.h>

#include "cable.h"
#include "filter.h"
#include "subnet.h"

struct router;

struct member {
	struct router *router;
	unsigned int port;              /* of the router's, and of the switch's if there is one */
	struct subnet subnet;           /* the network, as this guest sees it: with its own addresses */
	struct cable cable;
	struct filter filter;
	uint64_t in, out, dropped;      /* the cable's frames before this guest */
};

struct member *member_new(struct router *r, unsigned int port, uint32_t flows);
void member_free(struct member *m);
int member_plug(struct member *m, int *fd);
void member_tick(struct member *m);
unsigned int member_reload(struct member *m, bool live);
void member_cut(struct member *m, const struct flow_key *key);
void member_output(struct member *m, const uint8_t *frame, size_t len);
void member_answer(struct member *m, const struct filter_dns *to, const uint8_t *msg, size_t len);

static inline bool member_plugged(const struct member *m)
{
	return m && cable_plugged(&m->cable);
}

#endif

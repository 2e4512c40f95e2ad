/* SPDX-License-Identifier: ISC */
/* neigh.h - who has an address: ARP and neighbour discovery, for our own addresses only. */
#ifndef NEIGH_H
#define NEIGH_H

#include "build.h"
#include "pkt.h"
#include "subnet.h"

enum { NEIGH_NS = 135, NEIGH_NA = 136, NEIGH_BODY = 32 };

/* An answer, and the bytes that it borrows. */
struct neigh_answer {
	struct built frame;
	uint8_t body[NEIGH_BODY];
};

enum pkt_drop neigh_arp(const struct subnet *s, const struct pkt *p, struct neigh_answer *a);
enum pkt_drop neigh_solicited(const struct subnet *s, const struct pkt *p, struct neigh_answer *a);
bool neigh_for_stack(const struct subnet *s, const struct pkt *p, const uint8_t guest[PKT_MAC], struct neigh_answer *a);

#endif

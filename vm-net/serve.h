/* SPDX-License-Identifier: ISC */
/* serve.h - what the gateway itself answers: neighbours, leases, advertisements, echo. */
#ifndef SERVE_H
#define SERVE_H

#include "build.h"
#include "dhcp.h"
#include "neigh.h"
#include "pkt.h"
#include "ra.h"
#include "subnet.h"

typedef void serve_fn(void *arg, const struct iovec *iov, unsigned int n);

struct serve {
	const struct subnet *s;
	struct dhcp dhcp;
	struct ra_clock ra;
	uint64_t dhcp6_replies, echoes;
	serve_fn *output;
	void *arg;
};

void serve_init(struct serve *v, const struct subnet *s, serve_fn *output, void *arg);
bool serve_packet(struct serve *v, uint64_t now, const struct pkt *p, enum pkt_drop *why);
bool serve_stack(struct serve *v, const struct pkt *p, const uint8_t *mac, struct neigh_answer *answer);
void serve_tick(struct serve *v, uint64_t now);

#endif

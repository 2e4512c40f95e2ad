/* SPDX-License-Identifier: ISC */
/* nat.h - connections that are carried to another place than the guest asked for, and do not look so. */
#ifndef NAT_H
#define NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "pkt.h"

enum { NAT_MAX = 4096, NAT_PORT = 16384, NAT_FRAME = 65536 + 18 };

struct nat_slot {
	bool used;
	struct addr guest, remote, to;
	uint16_t guest_port, remote_port, to_port;
	uint16_t place;                 /* of the verdict */
};

struct nat {
	unsigned int next, count;
	uint64_t refused;
	struct nat_slot slot[NAT_MAX];
	uint8_t out[NAT_FRAME], in[NAT_FRAME];
};

uint16_t nat_open(struct nat *n, const struct flow_key *key, const struct flow_verdict *v);
void nat_close(struct nat *n, uint16_t port);
const uint8_t *nat_out(struct nat *n, uint16_t port, const uint8_t *frame, size_t len);
const struct nat_slot *nat_slot(const struct nat *n, uint16_t port);
bool nat_in(struct nat *n, struct pkt *p);

#endif

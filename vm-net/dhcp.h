/* SPDX-License-Identifier: ISC */
/* dhcp.h - DHCP for IPv4: one lease for each MAC. */
#ifndef DHCP_H
#define DHCP_H

#include <stdbool.h>
#include <stdint.h>

#include "subnet.h"

enum { DHCP_SERVER_PORT = 67, DHCP_CLIENT_PORT = 68, DHCP_POOL_MAX = 64, DHCP_REPLY = 576 - 28 };

struct dhcp_lease {
	uint8_t mac[PKT_MAC];
	bool taken;
	uint64_t until;                 /* milliseconds; an expired one is its MAC's until another wants it */
};

struct dhcp {
	const struct subnet *s;
	unsigned int pool;
	struct dhcp_lease lease[DHCP_POOL_MAX];         /* of guest4, guest4 + 1, ... */
	uint64_t acks, naks;
};

struct dhcp_reply {
	uint8_t data[DHCP_REPLY];
	size_t len;
	struct addr dst;
	bool broadcast;                 /* to every MAC; else to the client's */
};

void dhcp_init(struct dhcp *d, const struct subnet *s, unsigned int pool);
bool dhcp_answer(struct dhcp *d, uint64_t now, const uint8_t mac[PKT_MAC], const uint8_t *msg, size_t len,
		 struct dhcp_reply *r);
bool dhcp_owner(const struct dhcp *d, const struct addr *a, uint8_t mac[PKT_MAC]);

#endif

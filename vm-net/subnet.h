/* SPDX-License-Identifier: ISC */
/* subnet.h - the guest's network: who is who on its wire. */
#ifndef SUBNET_H
#define SUBNET_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "pkt.h"

enum { SUBNET_DOMAIN = 254, SUBNET_LEASE = 86400 };

struct subnet {
	bool v4, v6;
	struct addr gateway4, dns4, guest4;
	struct addr_range net4;
	struct addr gateway6, dns6, guest6, link6;      /* link6: the gateway's, from which it advertises */
	struct addr_range net6;                         /* 64 bits */
	uint8_t mac[PKT_MAC];                           /* the gateway's, and the DNS server's */
	unsigned int mtu;                               /* of IP packets: 1280 to 65520 */
	uint32_t lease;                                 /* seconds */
	char domain[SUBNET_DOMAIN];                     /* "": none */
};

void subnet_default(struct subnet *s);
bool subnet_is_ours(const struct subnet *s, const struct addr *a);
bool subnet_is_broadcast(const struct subnet *s, const struct addr *a);
bool subnet_is_guests(const struct subnet *s, const struct addr *a);
struct addr subnet_link_local(const uint8_t mac[PKT_MAC]);

#endif

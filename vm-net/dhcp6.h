/* SPDX-License-Identifier: ISC */
/* dhcp6.h - DHCPv6: one address, and the DNS server's. */
#ifndef DHCP6_H
#define DHCP6_H

#include <stdbool.h>
#include <stdint.h>

#include "subnet.h"

enum { DHCP6_SERVER_PORT = 547, DHCP6_CLIENT_PORT = 546, DHCP6_REPLY = 1024 };

struct dhcp6_reply {
	uint8_t data[DHCP6_REPLY];
	size_t len;
	bool failed;                    /* would not fit */
};

bool dhcp6_answer(const struct subnet *s, const struct addr *address, const uint8_t *msg, size_t len,
		  struct dhcp6_reply *r);

#endif

/* SPDX-License-Identifier: ISC */
/* networds.h - what a network card is to be, in the host's words (proto.h, NET). */
#ifndef NETWORDS_H
#define NETWORDS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum { NETWORDS_SIZE = 1088, NETWORDS_ADDRESSES = 16, NETWORDS_MAC = 18 };

struct networds_address {
	int family;
	unsigned int bits;
	size_t len;
	uint8_t bytes[16];
};

struct networds {
	char mac[NETWORDS_MAC];         /* as it was written */
	uint32_t mtu;                   /* 0: not told */
	unsigned int addresses, gateways, servers;
	struct networds_address address[NETWORDS_ADDRESSES];
	struct networds_address gateway[NETWORDS_ADDRESSES];
	char server[NETWORDS_ADDRESSES][INET6_ADDRSTRLEN];
};

int networds_parse(const char *text, struct networds *w);

#endif

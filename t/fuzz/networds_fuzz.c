// SPDX-License-Identifier: ISC
/* networds_fuzz.c - no text makes the agent's reader of network words misbehave; what it read is in bounds. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>

#include "networds.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct networds_address *a, unsigned int n)
{
	unsigned int i;

	assert(n <= NETWORDS_ADDRESSES);
	for (i = 0; i < n; i++)
		assert((a[i].family == AF_INET ? a[i].len == 4 : a[i].len == 16) && a[i].bits <= 8 * a[i].len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = malloc(size + 1);
	struct networds w;
	unsigned int i;
	uint8_t bytes[16];

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (networds_parse(text, &w) < 0)
		return 0;
	assert(strlen(w.mac) == NETWORDS_MAC - 1 && (!w.mtu || (w.mtu >= 68 && w.mtu <= 65535)));
	check(w.address, w.addresses);
	check(w.gateway, w.gateways);
	assert(w.servers <= NETWORDS_ADDRESSES);
	for (i = 0; i < w.servers; i++)
		assert(inet_pton(strchr(w.server[i], ':') ? AF_INET6 : AF_INET, w.server[i], bytes) == 1);
	return 0;
}

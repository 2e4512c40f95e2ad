// SPDX-License-Identifier: ISC
/* netchoose.c - a network for the guest that the host does not have itself: the guest could not tell the two apart. */
#include "netchoose.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "addr.h"
#include "netopts.h"
#include "subnet.h"

/* Whether a network of the host's and one of the guest's have addresses in common. */
static bool overlaps(const struct ifaddrs *i, const struct addr_range *net)
{
	struct addr_range theirs;
	const uint8_t *mask;
	size_t n, k;

	if (!i->ifa_addr || !i->ifa_netmask)
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		struct in_addr a = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;

		theirs.addr = addr_v4((const uint8_t *)&a);
		theirs.bits = 96;
		mask = (const uint8_t *)&((const struct sockaddr_in *)(const void *)i->ifa_netmask)->sin_addr;
		n = 4;
	} else if (i->ifa_addr->sa_family == AF_INET6) {
		memcpy(theirs.addr.b, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
		theirs.bits = 0;
		mask = (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)i->ifa_netmask)->sin6_addr;
		n = 16;
	} else {
		return false;
	}
	for (k = 0; k < n; k++)
		theirs.bits += (unsigned int)__builtin_popcount(mask[k]);
	return theirs.bits < net->bits ? addr_in(&net->addr, &theirs) : addr_in(&theirs.addr, net);
}

static bool is_taken(const struct addr_range *net)
{
	struct ifaddrs *all, *i;
	bool taken = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (i = all; i && !taken; i = i->ifa_next)
		taken = overlaps(i, net);
	freeifaddrs(all);
	return taken;
}

/**
 * netchoose() - see that the guest's networks are none of the host's
 * @s: changed, if need be, to the next that is free: 10.0.3.0/24 and so on, fd00:1::/64 and so on
 * @given4, @given6: that somebody wants this one, and no other
 * Return: NULL; why one that was given cannot be, in a line.
 */
const char *netchoose(struct subnet *s, bool given4, bool given6)
{
	char text[32];
	int i;

	if (s->v4 && given4 && is_taken(&s->net4))
		return "--subnet: the host has a network there itself: choose another";
	if (s->v6 && given6 && is_taken(&s->net6))
		return "--subnet6: the host has a network there itself: choose another";
	for (i = 3; i < 256 && s->v4 && is_taken(&s->net4); i++) {
		snprintf(text, sizeof(text), "10.0.%d.0/24", i);
		netopts_subnet(s, text, false);
	}
	for (i = 1; i < 256 && s->v6 && is_taken(&s->net6); i++) {
		snprintf(text, sizeof(text), "fd00:%x::/64", i);
		netopts_subnet(s, text, true);
	}
	return NULL;
}

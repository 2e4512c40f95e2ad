// SPDX-License-Identifier: ISC
/* subnet.c - the guest's network: who is who on its wire. */
#include "subnet.h"

#include "util.h"

static struct addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return addr_v4((const uint8_t[]){ a, b, c, d });
}

static struct addr v6(uint8_t last)
{
	return (struct addr){ .b = { 0xfd, [15] = last } };
}

/** subnet_default() - 10.0.2.0/24 and fd00::/64. @s: filled in. */
void subnet_default(struct subnet *s)
{
	*s = (struct subnet){
		.v4 = true, .gateway4 = v4(10, 0, 2, 2), .dns4 = v4(10, 0, 2, 3), .guest4 = v4(10, 0, 2, 15),
		.net4 = { v4(10, 0, 2, 0), 96 + 24 },
		.v6 = true, .gateway6 = v6(2), .dns6 = v6(3), .guest6 = v6(15),
		.net6 = { v6(0), 64 },
		.mac = { 0x52, 0x55, 10, 0, 2, 2 }, .mtu = 65520, .lease = SUBNET_LEASE,
	};
	s->link6 = subnet_link_local(s->mac);
}

/** subnet_link_local() - RFC 4291 §2.5.6, appendix A. @mac. Return: the address. */
struct addr subnet_link_local(const uint8_t mac[PKT_MAC])
{
	return (struct addr){ .b = { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5] } };
}

/**
 * subnet_is_ours() - whether an address is the gateway's or the DNS server's, and so never a guest's
 * @s, @a.
 * Return: so.
 */
bool subnet_is_ours(const struct subnet *s, const struct addr *a)
{
	if (addr_is_v4(a))
		return s->v4 && (addr_equal(a, &s->gateway4) || addr_equal(a, &s->dns4));
	return s->v6 && (addr_equal(a, &s->gateway6) || addr_equal(a, &s->dns6) || addr_equal(a, &s->link6));
}

/**
 * subnet_is_broadcast() - whether everybody here is meant: a group, or the subnet's last or first address
 * @s, @a.
 * Return: so.
 */
bool subnet_is_broadcast(const struct subnet *s, const struct addr *a)
{
	uint32_t host;

	if (pkt_is_group(a))
		return true;
	if (!addr_is_v4(a) || !s->v4 || !addr_in(a, &s->net4))
		return false;
	host = 0xffffffff;
	if (s->net4.bits > 96)
		host = s->net4.bits < 128 ? 0xffffffff >> (s->net4.bits - 96) : 0;
	return host > 1 && ((get_be32(a->b + 12) & host) == host || !(get_be32(a->b + 12) & host));
}

/**
 * subnet_is_guests() - whether a guest may send from an address
 * @s: network
 * @a: source. IPv4: the one it was given. IPv6: any of the prefix or link-local, as privacy has it; none of ours
 * Return: so.
 */
bool subnet_is_guests(const struct subnet *s, const struct addr *a)
{
	static const struct addr_range link_local = { { .b = { 0xfe, 0x80 } }, 64 };

	if (addr_is_v4(a))
		return s->v4 && addr_equal(a, &s->guest4);
	return s->v6 && !subnet_is_ours(s, a) && (addr_in(a, &s->net6) || addr_in(a, &link_local));
}

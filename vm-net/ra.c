// SPDX-License-Identifier: ISC
/*
 * ra.c - router advertisements (RFC 4861 §6.2, RFC 8106): the prefix, the MTU, the DNS server, and that DHCPv6 has an
 * address, too. Whoever asks is answered at once; three come soon after the start, and then one every 200 s.
 */
#include "ra.h"

#include "util.h"

enum { OPT_SOURCE = 1, OPT_PREFIX = 3, OPT_MTU = 5, OPT_RDNSS = 25, OPT_DNSSL = 31 };
enum { MANAGED = 0x80, OTHER = 0x40, ON_LINK = 0x80, AUTONOMOUS = 0x40, HOPS = 64, LIFETIME = 1800 };
enum { SOON_MSEC = 16000, SOON = 3, EVERY_MSEC = 200000 };

static const uint8_t all_nodes_mac[PKT_MAC] = { 0x33, 0x33, 0, 0, 0, 1 };
static const struct addr all_nodes = { .b = { 0xff, 0x02, [15] = 1 } };

/* RFC 8106 §5.2. Return: bytes, 0 for a domain that is none. */
static size_t search_list(const struct subnet *s, uint8_t *o)
{
	const char *p = s->domain;
	size_t len = 8;

	memset(o, 0, 8 + 256);
	while (*p) {
		size_t n = strcspn(p, ".");

		if (!n || n > 63)
			return 0;
		o[len++] = (uint8_t)n;
		memcpy(o + len, p, n);
		len += n;
		p += n + (p[n] == '.');
	}
	if (len == 8)
		return 0;
	len = align_up(len + 1, 8);
	o[0] = OPT_DNSSL;
	o[1] = (uint8_t)(len / 8);
	put_be32(o + 4, 3 * LIFETIME);
	return len;
}

static size_t body(const struct subnet *s, uint8_t *b)
{
	uint8_t *o = b + 8;

	memset(b, 0, RA_BODY);
	o[0] = OPT_SOURCE;
	o[1] = 1;
	memcpy(o + 2, s->mac, PKT_MAC);
	o += 8;
	o[0] = OPT_MTU;
	o[1] = 1;
	put_be32(o + 4, s->mtu);
	o += 8;
	o[0] = OPT_PREFIX;
	o[1] = 4;
	o[2] = (uint8_t)s->net6.bits;
	o[3] = ON_LINK | (s->net6.bits == 64 ? AUTONOMOUS : 0);
	put_be32(o + 4, s->lease);
	put_be32(o + 8, s->lease / 2);
	memcpy(o + 16, s->net6.addr.b, 16);
	o += 32;
	o[0] = OPT_RDNSS;
	o[1] = 3;
	put_be32(o + 4, 3 * LIFETIME);
	memcpy(o + 8, s->dns6.b, 16);
	o += 24;
	return (size_t)(o - b) + search_list(s, o);
}

static void advertise(const struct subnet *s, const uint8_t mac[PKT_MAC], const struct addr *dst, struct ra *ra)
{
	struct build_path path = { s->mac, mac, s->link6, *dst };
	uint32_t rest = (uint32_t)HOPS << 24 | (uint32_t)(MANAGED | OTHER) << 16 | LIFETIME;

	build_icmp(&ra->frame, &path, RA_ADVERTISEMENT, 0, rest, ra->body, body(s, ra->body));
}

/**
 * ra_solicited() - answer a router solicitation
 * @s: network
 * @p: parsed ICMPv6 of type RA_SOLICITATION
 * @ra: filled in when answered
 * Return: whether it is; not when malformed (§6.1.1).
 */
bool ra_solicited(const struct subnet *s, const struct pkt *p, struct ra *ra)
{
	static const struct addr nobody;
	bool known = !addr_equal(&p->src, &nobody);
	size_t at;

	if (!s->v6 || p->ttl != 255 || p->code || !pkt_checksum_ok(p))
		return false;
	for (at = 0; at < p->payload_len; at += (size_t)p->payload[at + 1] * 8)
		if (p->payload_len - at < 8 || !p->payload[at + 1] || (p->payload[at] == OPT_SOURCE && !known))
			return false;
	if (at != p->payload_len)
		return false;
	advertise(s, p->src_mac, known ? &p->src : &all_nodes, ra);
	return true;
}

/**
 * ra_due() - look whether one is due
 * @c: zero at first
 * @now: milliseconds, never going back
 * @s: network
 * @ra: filled in when one is
 * Return: whether one is: to all nodes.
 */
bool ra_due(struct ra_clock *c, uint64_t now, const struct subnet *s, struct ra *ra)
{
	if (!s->v6 || now < c->due)
		return false;
	c->sent++;
	c->due = now + (c->sent < SOON ? SOON_MSEC : EVERY_MSEC);
	advertise(s, all_nodes_mac, &all_nodes, ra);
	return true;
}

// SPDX-License-Identifier: ISC
/*
 * pkt.c - one Ethernet frame, looked at once and strictly.
 *
 * What is judged has to be what is carried out: a frame that the stack behind us could read in another way than we do
 * is dropped here. So no VLAN tags, no IP options (RFC 791 §3.1: source routes), no IPv6 extension headers, no
 * lengths that disagree, no IPv4 addresses in IPv6 clothes (::ffff:a.b.c.d never is on a wire, RFC 4291 §2.5.5.2).
 */
#include "pkt.h"

#include "sum.h"
#include "util.h"

enum { ETH_QINQ = 0x88a8, ETH_QINQ_OLD = 0x9100 };
enum { ARP_LEN = 28, TCP_MIN = 20, TCP_URG = 0x20, UDP_LEN = 8, ICMP_MIN = 8, MORE = 0x2000, RESERVED = 0x8000, OFFSET = 0x1fff };

static const char *const names[] = {
	[PKT_OK] = "ok",
	[PKT_DROP_TRUNCATED] = "truncated",
	[PKT_DROP_SOURCE_MAC] = "source-mac",
	[PKT_DROP_VLAN] = "vlan",
	[PKT_DROP_ETHERTYPE] = "ethertype",
	[PKT_DROP_ARP] = "arp",
	[PKT_DROP_VERSION] = "ip-version",
	[PKT_DROP_HEADER] = "ip-header",
	[PKT_DROP_OPTIONS] = "ip-options",
	[PKT_DROP_EXTENSION] = "ipv6-extension",
	[PKT_DROP_LENGTH] = "length",
	[PKT_DROP_CHECKSUM] = "checksum",
	[PKT_DROP_TRANSPORT] = "transport-header",
	[PKT_DROP_FRAGMENT] = "fragment",
	[PKT_DROP_SOURCE] = "source-address",
	[PKT_DROP_DESTINATION] = "destination-address",
	[PKT_DROP_DEST_MAC] = "destination-mac",
	[PKT_DROP_SPOOF] = "spoof",
	[PKT_DROP_NDP] = "ndp",
	[PKT_DROP_GROUP] = "multicast",
	[PKT_DROP_PROTOCOL] = "protocol",
	[PKT_DROP_DENIED] = "denied",
	[PKT_DROP_NO_FLOW] = "no-flow",
	[PKT_DROP_FULL] = "flows-full",
	[PKT_DROP_HELD] = "held",
	[PKT_DROP_UNNAMED] = "unnamed",
	[PKT_DROP_NAME] = "name",
	[PKT_DROP_CHATTER] = "stack-chatter",
};

_Static_assert(ARRAY_SIZE(names) == PKT_DROPS, "every reason has a name");

/** pkt_drop_name() - a reason, as counters and logs call it. @why: below PKT_DROPS. Return: one word. */
const char *pkt_drop_name(enum pkt_drop why)
{
	return names[why];
}

/* -- transport -- */

/**
 * pkt_checksum_ok() - whether the transport's checksum is right
 * @p: parsed IP; every byte is read
 * Return: so; of a fragment, and of protocols that are not ours, always.
 */
bool pkt_checksum_ok(const struct pkt *p)
{
	uint64_t sum = 0;

	if (p->kind == PKT_ARP || p->fragment)
		return true;
	if (p->proto == PKT_PROTO_UDP && !get_be16(p->l4 + 6))
		return p->kind == PKT_IPV4;     /* RFC 768: none; RFC 8200 §8.1: not so */
	if (p->proto == PKT_PROTO_TCP || p->proto == PKT_PROTO_UDP || p->proto == PKT_PROTO_ICMP6)
		sum = sum_pseudo(&p->src, &p->dst, p->proto, p->l4_len);
	else if (p->proto != PKT_PROTO_ICMP)
		return true;
	return !sum_fold(sum_bytes(sum, p->l4, p->l4_len));
}

static enum pkt_drop parse_tcp(struct pkt *p)
{
	size_t header;
	uint8_t f;

	if (p->l4_len < TCP_MIN)
		return PKT_DROP_TRUNCATED;
	header = (size_t)(p->l4[12] >> 4) * 4;
	if (header < TCP_MIN || header > p->l4_len)
		return PKT_DROP_TRANSPORT;
	p->sport = get_be16(p->l4);
	p->dport = get_be16(p->l4 + 2);
	p->seq = get_be32(p->l4 + 4);
	p->ack = get_be32(p->l4 + 8);
	p->flags = f = p->l4[13] & (PKT_FIN | PKT_SYN | PKT_RST | PKT_PSH | PKT_ACK);
	p->urgent = p->l4[13] & TCP_URG;
	p->window = get_be16(p->l4 + 14);
	p->payload = p->l4 + header;
	p->payload_len = p->l4_len - header;
	if (!p->sport || !p->dport || !(f & (PKT_SYN | PKT_RST | PKT_ACK)) ||
	    (f & PKT_SYN && f & (PKT_FIN | PKT_RST)))
		return PKT_DROP_TRANSPORT;
	return PKT_OK;
}

static enum pkt_drop parse_udp(struct pkt *p)
{
	size_t len;

	if (p->l4_len < UDP_LEN)
		return PKT_DROP_TRUNCATED;
	len = get_be16(p->l4 + 4);
	p->sport = get_be16(p->l4);
	p->dport = get_be16(p->l4 + 2);
	p->payload = p->l4 + UDP_LEN;
	p->payload_len = p->l4_len - UDP_LEN;
	if (p->fragment ? len <= p->l4_len : len != p->l4_len)
		return PKT_DROP_LENGTH;
	return p->sport && p->dport ? PKT_OK : PKT_DROP_TRANSPORT;
}

static enum pkt_drop parse_icmp(struct pkt *p)
{
	if (p->l4_len < ICMP_MIN)
		return PKT_DROP_TRUNCATED;
	p->type = p->l4[0];
	p->code = p->l4[1];
	p->id = get_be16(p->l4 + 4);
	p->payload = p->l4 + ICMP_MIN;
	p->payload_len = p->l4_len - ICMP_MIN;
	return PKT_OK;
}

static enum pkt_drop parse_l4(struct pkt *p)
{
	if (p->offset)
		return PKT_OK;
	if (p->proto == PKT_PROTO_TCP)
		return parse_tcp(p);
	if (p->proto == PKT_PROTO_UDP)
		return parse_udp(p);
	if (p->proto == (p->kind == PKT_IPV4 ? PKT_PROTO_ICMP : PKT_PROTO_ICMP6))
		return parse_icmp(p);
	return PKT_OK;
}

/* -- network -- */

/** pkt_is_group() - whether an address is a multicast one, or the limited broadcast. @a. Return: so. */
bool pkt_is_group(const struct addr *a)
{
	if (!addr_is_v4(a))
		return a->b[0] == 0xff;
	return (a->b[12] & 0xf0) == 0xe0 || get_be32(a->b + 12) == 0xffffffff;
}

/** pkt_is_source() - whether a station may send from an address at all: RFC 1122 §3.2.1.3, RFC 4291 §2.5.3, §2.7. @a. Return: so. */
bool pkt_is_source(const struct addr *a)
{
	static const struct addr loopback6 = { .b = { [15] = 1 } };

	if (addr_is_v4(a))
		return a->b[12] != 127 && a->b[12] < 224;
	return a->b[0] != 0xff && !addr_equal(a, &loopback6);
}

static enum pkt_drop parse_fragment(struct pkt *p)
{
	uint16_t word = get_be16(p->ip + 6);

	p->more = word & MORE;
	p->offset = (size_t)(word & OFFSET) * 8;
	p->fragment = p->more || p->offset;
	p->ip_id = get_be16(p->ip + 4);
	if (word & RESERVED)
		return PKT_DROP_HEADER;
	if (!p->fragment)
		return PKT_OK;
	/* A stack sends TCP whole; only who wants to hide a header cuts it. */
	if (p->proto == PKT_PROTO_TCP || !p->l4_len || (p->more && p->l4_len % 8) ||
	    PKT_IP4 + p->offset + p->l4_len > 65535)
		return PKT_DROP_FRAGMENT;
	return PKT_OK;
}

static enum pkt_drop parse_v4(struct pkt *p, size_t have)
{
	const uint8_t *ip = p->ip;
	enum pkt_drop why;
	size_t header;

	if (have < PKT_IP4)
		return PKT_DROP_TRUNCATED;
	if (ip[0] >> 4 != 4)
		return PKT_DROP_VERSION;
	header = (size_t)(ip[0] & 15) * 4;
	p->ip_len = get_be16(ip + 2);
	if (header < PKT_IP4)
		return PKT_DROP_HEADER;
	if (p->ip_len < header)
		return PKT_DROP_LENGTH;
	if (p->ip_len > have)
		return PKT_DROP_TRUNCATED;
	if (header > PKT_IP4)
		return PKT_DROP_OPTIONS;
	if (sum_fold(sum_bytes(0, ip, PKT_IP4)))
		return PKT_DROP_CHECKSUM;
	p->l4 = ip + PKT_IP4;
	p->l4_len = p->ip_len - PKT_IP4;
	p->ttl = ip[8];
	p->proto = ip[9];
	p->src = addr_v4(ip + 12);
	p->dst = addr_v4(ip + 16);
	if (!p->ttl)
		return PKT_DROP_HEADER;
	why = parse_fragment(p);
	if (!why && !pkt_is_source(&p->src))
		why = PKT_DROP_SOURCE;
	return why ? why : parse_l4(p);
}

/* RFC 8200 §4, and what IANA has added. */
static bool is_extension(uint8_t next)
{
	return next == 0 || next == 43 || next == 44 || next == 50 || next == 51 || next == 60 || next == 135 ||
	       next == 139 || next == 140 || next >= 253;
}

static enum pkt_drop parse_v6(struct pkt *p, size_t have)
{
	const uint8_t *ip = p->ip;

	if (have < PKT_IP6)
		return PKT_DROP_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return PKT_DROP_VERSION;
	p->l4 = ip + PKT_IP6;
	p->l4_len = get_be16(ip + 4);
	p->ip_len = PKT_IP6 + p->l4_len;
	p->proto = ip[6];
	p->ttl = ip[7];
	memcpy(p->src.b, ip + 8, 16);
	memcpy(p->dst.b, ip + 24, 16);
	if (p->ip_len > have)
		return PKT_DROP_TRUNCATED;
	if (is_extension(p->proto))
		return PKT_DROP_EXTENSION;
	if (!p->ttl)
		return PKT_DROP_HEADER;
	if (addr_is_v4(&p->src) || !pkt_is_source(&p->src))
		return PKT_DROP_SOURCE;
	if (addr_is_v4(&p->dst))
		return PKT_DROP_DESTINATION;
	return parse_l4(p);
}

static enum pkt_drop parse_arp(struct pkt *p, size_t have)
{
	static const uint8_t wants[6] = { 0, 1, 8, 0, 6, 4 };   /* Ethernet, IPv4 */

	if (have < ARP_LEN)
		return PKT_DROP_TRUNCATED;
	p->ip_len = ARP_LEN;
	return memcmp(p->ip, wants, sizeof(wants)) ? PKT_DROP_ARP : PKT_OK;
}

/**
 * pkt_parse() - look at a frame
 * @frame, @len: any bytes
 * @p: filled in, as far as it got
 * Return: PKT_OK: every length holds; an IPv4 header's checksum, too. PKT_DROP_...: it must go no further.
 */
enum pkt_drop pkt_parse(const uint8_t *frame, size_t len, struct pkt *p)
{
	enum pkt_drop why;

	*p = (struct pkt){ .frame = frame, .len = len };
	if (len < PKT_ETH)
		return PKT_DROP_TRUNCATED;
	p->dst_mac = frame;
	p->src_mac = frame + PKT_MAC;
	p->ip = frame + PKT_ETH;
	if (p->src_mac[0] & 1)
		return PKT_DROP_SOURCE_MAC;
	switch (get_be16(frame + 2 * PKT_MAC)) {
	case PKT_TYPE_ARP:
		p->kind = PKT_ARP;
		why = parse_arp(p, len - PKT_ETH);
		break;
	case PKT_TYPE_IPV4:
		p->kind = PKT_IPV4;
		why = parse_v4(p, len - PKT_ETH);
		break;
	case PKT_TYPE_IPV6:
		p->kind = PKT_IPV6;
		why = parse_v6(p, len - PKT_ETH);
		break;
	case PKT_TYPE_VLAN:
	case ETH_QINQ:
	case ETH_QINQ_OLD:
		return PKT_DROP_VLAN;
	default:
		return PKT_DROP_ETHERTYPE;
	}
	if (!why)
		p->len = PKT_ETH + p->ip_len;
	return why;
}

/* -- ICMP -- */

static bool is_icmp(const struct pkt *p)
{
	return p->proto == (p->kind == PKT_IPV4 ? PKT_PROTO_ICMP : PKT_PROTO_ICMP6);
}

/**
 * pkt_is_echo_request() - whether it asks for an echo
 * @p: parsed IP; of a later fragment after frag_pass().
 * Return: so.
 */
bool pkt_is_echo_request(const struct pkt *p)
{
	return is_icmp(p) && p->type == (p->kind == PKT_IPV4 ? 8 : 128) && !p->code;
}

/** pkt_is_echo_reply() - whether it is an echo. @p: as for pkt_is_echo_request(). Return: so. */
bool pkt_is_echo_reply(const struct pkt *p)
{
	return is_icmp(p) && p->type == (p->kind == PKT_IPV4 ? 0 : 129) && !p->code;
}

/**
 * pkt_is_icmp_error() - whether it tells of another packet (RFC 1122 §3.2.2, RFC 4443 §2.1)
 * @p: parsed IP.
 * Return: so.
 */
bool pkt_is_icmp_error(const struct pkt *p)
{
	if (!is_icmp(p))
		return false;
	if (p->kind == PKT_IPV6)
		return p->type < 128;
	return p->type == 3 || p->type == 4 || p->type == 5 || p->type == 11 || p->type == 12;
}

/**
 * pkt_inner() - what an ICMP error is about
 * @p: pkt_is_icmp_error()
 * @inner: addresses, protocol, and ports or echo id
 * Return: whether it can be told.
 */
bool pkt_inner(const struct pkt *p, struct pkt *inner)
{
	const uint8_t *ip = p->payload, *l4;
	size_t header = p->kind == PKT_IPV4 ? PKT_IP4 : PKT_IP6;

	*inner = (struct pkt){ .kind = p->kind };
	if (!ip || p->payload_len < header + 8 || (p->kind == PKT_IPV4 ? ip[0] != 0x45 : ip[0] >> 4 != 6))
		return false;
	l4 = ip + header;
	if (p->kind == PKT_IPV4) {
		inner->proto = ip[9];
		inner->src = addr_v4(ip + 12);
		inner->dst = addr_v4(ip + 16);
		if (get_be16(ip + 6) & OFFSET)
			return false;
	} else {
		inner->proto = ip[6];
		memcpy(inner->src.b, ip + 8, 16);
		memcpy(inner->dst.b, ip + 24, 16);
		if (addr_is_v4(&inner->src) || addr_is_v4(&inner->dst))
			return false;
	}
	if (inner->proto == PKT_PROTO_TCP || inner->proto == PKT_PROTO_UDP) {
		inner->sport = get_be16(l4);
		inner->dport = get_be16(l4 + 2);
		return true;
	}
	inner->type = l4[0];
	inner->code = l4[1];
	inner->id = get_be16(l4 + 4);
	return pkt_is_echo_request(inner);
}

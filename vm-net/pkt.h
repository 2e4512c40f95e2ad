/* SPDX-License-Identifier: ISC */
/* pkt.h - one Ethernet frame, looked at once and strictly. */
#ifndef PKT_H
#define PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum {
	PKT_MAC = 6,
	PKT_ETH = 14,
	PKT_TYPE_IPV4 = 0x0800, PKT_TYPE_ARP = 0x0806, PKT_TYPE_VLAN = 0x8100, PKT_TYPE_IPV6 = 0x86dd,     /* of the frame */
	PKT_IP4 = 20,                   /* no options are let through */
	PKT_IP6 = 40,
};

enum { PKT_FIN = 0x01, PKT_SYN = 0x02, PKT_RST = 0x04, PKT_PSH = 0x08, PKT_ACK = 0x10 };

enum {
	PKT_PROTO_ICMP = 1,
	PKT_PROTO_IGMP = 2,
	PKT_PROTO_TCP = 6,
	PKT_PROTO_UDP = 17,
	PKT_PROTO_ICMP6 = 58,
};

enum pkt_kind { PKT_ARP, PKT_IPV4, PKT_IPV6 };

/* Why a frame went no further. PKT_OK: it did. */
enum pkt_drop {
	PKT_OK,
	/* pkt_parse() */
	PKT_DROP_TRUNCATED,             /* shorter than it says */
	PKT_DROP_SOURCE_MAC,            /* a group's, ours, or not the guest's */
	PKT_DROP_VLAN,
	PKT_DROP_ETHERTYPE,
	PKT_DROP_ARP,                   /* not Ethernet and IPv4, or bent */
	PKT_DROP_VERSION,
	PKT_DROP_HEADER,                /* IHL, reserved bits, TTL of 0 */
	PKT_DROP_OPTIONS,               /* source routes and all the others */
	PKT_DROP_EXTENSION,             /* IPv6 extension headers, fragments too */
	PKT_DROP_LENGTH,                /* lengths that contradict each other */
	PKT_DROP_CHECKSUM,
	PKT_DROP_TRANSPORT,             /* a TCP, UDP or ICMP header that makes no sense */
	PKT_DROP_FRAGMENT,              /* tiny, overlapping, or without its first */
	PKT_DROP_SOURCE,                /* an address that is not the sender's */
	PKT_DROP_DESTINATION,           /* an address that is none on this wire */
	/* filter.c */
	PKT_DROP_DEST_MAC,              /* for another station */
	PKT_DROP_SPOOF,                 /* ARP or NDP that claims our addresses */
	PKT_DROP_NDP,                   /* malformed, or not for us */
	PKT_DROP_GROUP,                 /* broadcast and multicast that nobody here listens to */
	PKT_DROP_PROTOCOL,              /* neither TCP, UDP nor echo */
	PKT_DROP_DENIED,                /* by policy */
	PKT_DROP_NO_FLOW,               /* of no flow, and opens none */
	PKT_DROP_FULL,                  /* would be one flow too many */
	PKT_DROP_HELD,                  /* kept until its flow's name is known; then it goes on, or is lost */
	PKT_DROP_UNNAMED,               /* of a flow whose name is not known yet: not the next bytes, or urgent ones */
	PKT_DROP_NAME,                  /* ended its flow: the name is denied, or there is none */
	PKT_DROP_CHATTER,               /* the stack's own ARP, NDP and DHCP */
	PKT_DROPS
};

/* Pointers are into the frame, which is borrowed. */
struct pkt {
	const uint8_t *frame;
	size_t len;                     /* without padding */
	const uint8_t *dst_mac, *src_mac;
	enum pkt_kind kind;

	/* IP */
	const uint8_t *ip, *l4;
	size_t ip_len, l4_len;          /* the IP packet's; what follows its header */
	struct addr src, dst;
	uint8_t proto, ttl;
	bool fragment, more;            /* part of a datagram; not the last one */
	uint16_t ip_id;
	size_t offset;                  /* bytes before this fragment */

	/* Transport; of a later fragment what its first had, once frag_pass() has said so. */
	uint16_t sport, dport;
	uint8_t flags;                  /* TCP */
	bool urgent;
	uint16_t window;                /* as it is sent, not scaled */
	uint32_t seq, ack;
	uint8_t type, code;             /* ICMP, ICMPv6 */
	uint16_t id;                    /* echo's */
	const uint8_t *payload;
	size_t payload_len;
};

enum pkt_drop pkt_parse(const uint8_t *frame, size_t len, struct pkt *p);
bool pkt_checksum_ok(const struct pkt *p);
bool pkt_inner(const struct pkt *p, struct pkt *inner);
bool pkt_is_echo_request(const struct pkt *p);
bool pkt_is_echo_reply(const struct pkt *p);
bool pkt_is_icmp_error(const struct pkt *p);
bool pkt_is_group(const struct addr *a);
bool pkt_is_source(const struct addr *a);
const char *pkt_drop_name(enum pkt_drop why);

static inline uint16_t get_be16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t get_be32(const void *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16((const uint8_t *)p + 2);
}

static inline void put_be16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void put_be32(void *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16((uint8_t *)p + 2, (uint16_t)v);
}

#endif

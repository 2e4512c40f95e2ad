// SPDX-License-Identifier: ISC
/*
 * neigh.c - who has an address: ARP (RFC 826, 5227) and neighbour discovery (RFC 4861), for our own addresses only.
 *
 * There is nothing to learn on this wire, so nothing is: our addresses are ours whoever claims them, and every other
 * frame goes to the guest's MAC. What the guest says about itself, gratuitous ARP and its detection of duplicates too,
 * is not answered; asked about an address of ours, by whatever kind of probe, we have it.
 *
 * The stack behind us asks for the guest's addresses in its turn, and is answered with the MAC that we know.
 */
#include "neigh.h"

#include "util.h"

enum { OPT_SOURCE = 1, OPT_TARGET = 2, NA_ROUTER = 0x80, NA_SOLICITED = 0x40, NA_OVERRIDE = 0x20, NS_LEN = 16 };

static const uint8_t all_nodes_mac[PKT_MAC] = { 0x33, 0x33, 0, 0, 0, 1 };

/**
 * neigh_arp() - answer ARP of the guest
 * @s: network
 * @p: parsed ARP
 * @a: filled in when answered
 * Return: PKT_OK: send @a. PKT_DROP_SPOOF: it claims an address of ours. PKT_DROP_ARP: nothing to answer.
 */
enum pkt_drop neigh_arp(const struct subnet *s, const struct pkt *p, struct neigh_answer *a)
{
	struct addr sender = addr_v4(p->ip + 14), target = addr_v4(p->ip + 24);
	struct build_path path = { s->mac, p->src_mac, target, sender };

	if (!s->v4 || memcmp(p->ip + 8, p->src_mac, PKT_MAC))
		return PKT_DROP_ARP;
	if (subnet_is_ours(s, &sender))
		return PKT_DROP_SPOOF;
	if (get_be16(p->ip + 6) != BUILD_ARP_REQUEST || !subnet_is_ours(s, &target))
		return PKT_DROP_ARP;
	build_arp(&a->frame, &path, BUILD_ARP_REPLY);
	return PKT_OK;
}

/* RFC 4861 §4.4: @target is at @mac. */
static void advertise(struct neigh_answer *a, const struct build_path *path, const struct addr *target,
		      const uint8_t mac[PKT_MAC], uint8_t flags)
{
	memcpy(a->body, target->b, 16);
	a->body[16] = OPT_TARGET;
	a->body[17] = 1;
	memcpy(a->body + 18, mac, PKT_MAC);
	build_icmp(&a->frame, path, NEIGH_NA, 0, (uint32_t)flags << 24, a->body, 24);
}

/* §7.1.1, and options as they have to be. */
static bool is_solicitation(const struct pkt *p)
{
	size_t at;

	if (p->kind != PKT_IPV6 || p->proto != PKT_PROTO_ICMP6 || p->type != NEIGH_NS || p->code || p->ttl != 255 ||
	    p->payload_len < NS_LEN || !pkt_checksum_ok(p))
		return false;
	for (at = NS_LEN; at < p->payload_len; at += (size_t)p->payload[at + 1] * 8)
		if (p->payload_len - at < 8 || !p->payload[at + 1])
			return false;
	return at == p->payload_len;
}

/**
 * neigh_solicited() - answer a neighbour solicitation of the guest
 * @s: network
 * @p: parsed; ICMPv6 of type NEIGH_NS or NEIGH_NA
 * @a: filled in when answered
 * Return: PKT_OK: send @a. PKT_DROP_SPOOF: it advertises an address of ours. PKT_DROP_NDP: nothing to answer.
 */
enum pkt_drop neigh_solicited(const struct subnet *s, const struct pkt *p, struct neigh_answer *a)
{
	static const struct addr nobody, all_nodes = { .b = { 0xff, 0x02, [15] = 1 } };
	struct build_path path = { .src_mac = s->mac, .dst_mac = p->src_mac, .dst = p->src };
	uint8_t flags = NA_ROUTER | NA_SOLICITED | NA_OVERRIDE;
	struct addr target;

	if (p->payload_len < NS_LEN)
		return PKT_DROP_NDP;
	memcpy(target.b, p->payload, 16);
	if (p->type == NEIGH_NA && s->v6 && subnet_is_ours(s, &target))
		return PKT_DROP_SPOOF;
	if (!is_solicitation(p) || !s->v6 || addr_is_v4(&target) || !subnet_is_ours(s, &target))
		return PKT_DROP_NDP;
	if (addr_equal(&p->src, &nobody)) {
		/* Whoever wants it for itself hears that it is taken: §7.2.4. */
		path.dst = all_nodes;
		path.dst_mac = all_nodes_mac;
		flags = NA_ROUTER | NA_OVERRIDE;
	}
	path.src = target;
	advertise(a, &path, &target, s->mac, flags);
	return PKT_OK;
}

/**
 * neigh_for_stack() - tell the stack behind us where the guest is
 * @s: network
 * @p: parsed, of the stack: ARP, or ICMPv6
 * @guest: its MAC
 * @a: filled in when it is a question about the guest
 * Return: whether it is.
 */
bool neigh_for_stack(const struct subnet *s, const struct pkt *p, const uint8_t guest[PKT_MAC], struct neigh_answer *a)
{
	struct build_path path = { .src_mac = guest, .dst_mac = p->src_mac, .dst = p->src };

	if (p->kind == PKT_ARP) {
		path.src = addr_v4(p->ip + 24);
		path.dst = addr_v4(p->ip + 14);
		if (get_be16(p->ip + 6) != BUILD_ARP_REQUEST || !subnet_is_guests(s, &path.src))
			return false;
		build_arp(&a->frame, &path, BUILD_ARP_REPLY);
		return true;
	}
	if (!is_solicitation(p))
		return false;
	memcpy(path.src.b, p->payload, 16);
	if (addr_is_v4(&path.src) || !subnet_is_guests(s, &path.src))
		return false;
	advertise(a, &path, &path.src, guest, NA_SOLICITED | NA_OVERRIDE);
	return true;
}

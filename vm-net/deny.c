// SPDX-License-Identifier: ISC
/*
 * deny.c - a packet that may not go further is answered at once, so that who sent it need not wait for a timeout.
 *
 * TCP is reset, with the numbers that RFC 793 §3.4 has for a connection that does not exist; everything else is
 * prohibited by the administration: ICMP type 3 code 13 (RFC 1812 §5.2.7.1), ICMPv6 type 1 code 1 (RFC 4443 §3.1).
 * Nothing is said about a reset, an ICMP error, a later fragment, or what was meant for many (RFC 1122 §3.2.2); nor is a
 * connection to a loopback address reset, which would come from one.
 */
#include "deny.h"

#include "util.h"

enum { V4_UNREACHABLE = 3, V4_PROHIBITED = 13, V6_UNREACHABLE = 1, V6_PROHIBITED = 1 };
enum { V4_MOST = 576 - PKT_IP4 - 8, V6_MOST = 1280 - PKT_IP6 - 8 };

/* A bucket of DENY_BURST answers that fills again over time. */
static bool may_answer(struct deny_limit *limit, uint64_t now)
{
	uint64_t refund = (now - limit->at) * DENY_PER_SECOND;

	limit->spent = limit->spent > refund ? limit->spent - refund : 0;
	limit->at = now;
	if (limit->spent + 1000 > (uint64_t)DENY_BURST * 1000) {
		limit->suppressed++;
		return false;
	}
	limit->spent += 1000;
	return true;
}

static bool may_be_told(const struct subnet *s, const struct pkt *p)
{
	static const struct addr nobody6, nobody4 = { .b = { [10] = 0xff, 0xff } };

	return p->kind != PKT_ARP && (p->kind == PKT_IPV4 ? s->v4 : s->v6) && !p->offset &&
	       !(p->dst_mac[0] & 1) && !subnet_is_broadcast(s, &p->dst) && !addr_equal(&p->src, &nobody4) && !addr_equal(&p->src, &nobody6) && !pkt_is_group(&p->src) &&
	       !pkt_is_icmp_error(p) && !(p->proto == PKT_PROTO_TCP && (p->flags & PKT_RST || !pkt_is_source(&p->dst)));
}

static void reset(const struct pkt *p, const struct build_path *path, struct built *b)
{
	struct pkt rst = { .sport = p->dport, .dport = p->sport, .seq = p->ack, .flags = PKT_RST };

	if (!(p->flags & PKT_ACK)) {
		rst.seq = 0;
		rst.ack = p->seq + (uint32_t)p->payload_len + !!(p->flags & PKT_SYN) + !!(p->flags & PKT_FIN);
		rst.flags = PKT_RST | PKT_ACK;
	}
	build_tcp(b, path, &rst);
}

/**
 * deny_build() - the answer to a packet that is refused
 * @limit: zero at first
 * @now: milliseconds, never going back
 * @s: network
 * @p: parsed IP, from the guest
 * @b: filled in; borrows the packet's bytes
 * Return: whether there is one: send it back.
 */
bool deny_build(struct deny_limit *limit, uint64_t now, const struct subnet *s, const struct pkt *p, struct built *b)
{
	struct build_path path = { s->mac, p->src_mac, p->dst, p->src };

	if (!may_be_told(s, p) || !may_answer(limit, now))
		return false;
	if (p->proto == PKT_PROTO_TCP) {
		reset(p, &path, b);
		return true;
	}
	if (p->kind == PKT_IPV4) {
		path.src = s->gateway4;
		return !build_icmp(b, &path, V4_UNREACHABLE, V4_PROHIBITED, 0, p->ip, MIN(p->ip_len, (size_t)V4_MOST));
	}
	path.src = s->gateway6;
	return !build_icmp(b, &path, V6_UNREACHABLE, V6_PROHIBITED, 0, p->ip, MIN(p->ip_len, (size_t)V6_MOST));
}

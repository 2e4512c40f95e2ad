// SPDX-License-Identifier: ISC
/* serve.c - what the gateway itself answers: ARP and NDP, DHCP of both families, router advertisements, echo. */
#include "serve.h"

#include "dhcp6.h"
#include "util.h"

enum { REDIRECT = 137 };

/** serve_init() - begin. @v: filled in. @s: borrowed for as long. @output, @arg: frames to the guest. */
void serve_init(struct serve *v, const struct subnet *s, serve_fn *output, void *arg)
{
	*v = (struct serve){ .s = s, .output = output, .arg = arg };
	dhcp_init(&v->dhcp, s, 1);
}

static void emit(struct serve *v, const struct built *b)
{
	v->output(v->arg, b->iov, b->n);
}

static const uint8_t everybody[PKT_MAC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static enum pkt_drop serve_dhcp(struct serve *v, uint64_t now, const struct pkt *p)
{
	struct build_path path = { .src_mac = v->s->mac, .dst_mac = p->src_mac, .src = v->s->gateway4 };
	struct dhcp_reply r;
	struct built b;

	if (!pkt_checksum_ok(p))
		return PKT_DROP_CHECKSUM;
	if (!dhcp_answer(&v->dhcp, now, p->src_mac, p->payload, p->payload_len, &r))
		return PKT_OK;
	if (r.broadcast)
		path.dst_mac = everybody;
	path.dst = r.dst;
	build_udp(&b, &path, DHCP_SERVER_PORT, DHCP_CLIENT_PORT, r.data, r.len);
	emit(v, &b);
	return PKT_OK;
}

static enum pkt_drop serve_dhcp6(struct serve *v, const struct pkt *p)
{
	struct build_path path = { v->s->mac, p->src_mac, v->s->link6, p->src };
	struct dhcp6_reply r;
	struct built b;

	if (!pkt_checksum_ok(p))
		return PKT_DROP_CHECKSUM;
	if (!dhcp6_answer(v->s, &v->s->guest6, p->payload, p->payload_len, &r))
		return PKT_OK;
	v->dhcp6_replies++;
	build_udp(&b, &path, DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT, r.data, r.len);
	emit(v, &b);
	return PKT_OK;
}

static enum pkt_drop serve_ndp(struct serve *v, const struct pkt *p)
{
	struct neigh_answer answer;
	enum pkt_drop why;
	struct ra ra;

	if (p->type == RA_SOLICITATION) {
		if (!ra_solicited(v->s, p, &ra))
			return PKT_DROP_NDP;
		emit(v, &ra.frame);
		return PKT_OK;
	}
	if (p->type != NEIGH_NS && p->type != NEIGH_NA)
		return PKT_DROP_SPOOF;          /* who else would be router here */
	why = neigh_solicited(v->s, p, &answer);
	if (!why)
		emit(v, &answer.frame);
	return why;
}

static enum pkt_drop serve_echo(struct serve *v, const struct pkt *p)
{
	struct build_path path = { v->s->mac, p->src_mac, p->dst, p->src };
	struct built b;

	if (!pkt_checksum_ok(p))
		return PKT_DROP_CHECKSUM;
	build_icmp(&b, &path, p->kind == PKT_IPV4 ? 0 : 129, 0, get_be32(p->l4 + 4), p->payload, p->payload_len);
	v->echoes++;
	emit(v, &b);
	return PKT_OK;
}

static bool is_ndp(const struct pkt *p)
{
	return p->kind == PKT_IPV6 && p->proto == PKT_PROTO_ICMP6 && p->type >= RA_SOLICITATION && p->type <= REDIRECT;
}

/* To the server, or to whoever is one: 255.255.255.255, ff02::1:2, our own address. */
static bool is_dhcp(const struct serve *v, const struct pkt *p, const struct addr *servers,
		    uint16_t client, uint16_t server)
{
	return p->proto == PKT_PROTO_UDP && !p->fragment && p->sport == client && p->dport == server &&
	       (addr_equal(&p->dst, servers) || subnet_is_ours(v->s, &p->dst));
}

/**
 * serve_packet() - answer what is ours to answer, whatever policy says
 * @v: initialized
 * @now: milliseconds, never going back
 * @p: parsed, from the guest; of any source
 * @why: set to how it went, when it was ours
 * Return: whether it was; else it is to be judged.
 */
bool serve_packet(struct serve *v, uint64_t now, const struct pkt *p, enum pkt_drop *why)
{
	static const struct addr all4 = { .b = { [10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	static const struct addr all6 = { .b = { 0xff, 0x02, [13] = 1, 0, 2 } };
	struct neigh_answer answer;

	if (p->kind == PKT_ARP) {
		*why = neigh_arp(v->s, p, &answer);
		if (!*why)
			emit(v, &answer.frame);
	} else if (p->kind == PKT_IPV4 && is_dhcp(v, p, &all4, DHCP_CLIENT_PORT, DHCP_SERVER_PORT)) {
		*why = serve_dhcp(v, now, p);
	} else if (is_ndp(p)) {
		*why = serve_ndp(v, p);
	} else if (p->kind == PKT_IPV6 && p->src.b[0] == 0xfe &&
		   is_dhcp(v, p, &all6, DHCP6_CLIENT_PORT, DHCP6_SERVER_PORT)) {
		*why = serve_dhcp6(v, p);
	} else if (!p->fragment && pkt_is_echo_request(p) && subnet_is_ours(v->s, &p->dst) &&
		   subnet_is_guests(v->s, &p->src)) {
		*why = serve_echo(v, p);
	} else {
		return false;
	}
	return true;
}

static bool is_chatter(const struct pkt *p)
{
	return p->kind == PKT_ARP || is_ndp(p) ||
	       (p->kind == PKT_IPV4 && p->proto == PKT_PROTO_UDP && !p->offset &&
		p->sport == DHCP_SERVER_PORT && p->dport == DHCP_CLIENT_PORT);
}

/**
 * serve_stack() - see whether the stack speaks for itself
 * @v: initialized
 * @p: parsed, of the stack
 * @mac: the guest's; NULL while nobody knows: then the stack's question about it is handed on to the guest
 * @answer: filled in for the stack when frame.n is not 0
 * Return: whether it does: ARP, neighbour discovery, DHCP. The guest must not hear it.
 */
bool serve_stack(struct serve *v, const struct pkt *p, const uint8_t *mac, struct neigh_answer *answer)
{
	struct build_path path = { v->s->mac, everybody, v->s->gateway4, v->s->guest4 };
	struct built b;

	answer->frame.n = 0;
	if (!is_chatter(p))
		return false;
	if (mac && !neigh_for_stack(v->s, p, mac, answer))
		answer->frame.n = 0;
	if (!mac && p->kind == PKT_ARP && v->s->v4) {
		build_arp(&b, &path, BUILD_ARP_REQUEST);
		emit(v, &b);
	}
	return true;
}

/** serve_tick() - what is due by the clock. @v. @now: milliseconds; call it once a second or so. */
void serve_tick(struct serve *v, uint64_t now)
{
	struct ra ra;

	if (ra_due(&v->ra, now, v->s, &ra))
		emit(v, &ra.frame);
}

// SPDX-License-Identifier: ISC
/*
 * filter.c - the frames between a guest and the stack that carries them out.
 *
 *	guest --filter_input()--> parse -> station -> ours? -> source -> DNS? -> flow? -> judge --pass()--> stack
 *	                            |        |         |          |        |               |
 *	                         dropped  dropped   answered   dropped   dns()          denied, and told so
 *
 *	guest <--output()-- flow or forward <- parse <--filter_output()-- stack
 *
 * One guest is on this wire: one MAC, one IPv4 address, IPv6 addresses of one prefix. What a frame claims beyond
 * that is dropped, and every drop has a reason with a counter. A flow is judged when it begins, and again when it
 * says which server it wants if its verdict depends on that (hold.h); then it is pinned until it ends, and judged
 * again only when a reload asks for it. The stack gets nothing to do but TCP, UDP and echo of IPv4, and says nothing to the
 * guest that is not of a flow. Its own questions about where the guest is are answered here.
 *
 * Data of known flows is passed with its checksum unseen, the stack looks at it; what opens or ends a flow is not.
 */
#include "filter.h"

#include <errno.h>

#include "filter_flow.h"
#include "filter_hold.h"
#include "util.h"

enum { DNS_PORT = 53 };

static void on_done(void *arg, const struct flow *fl, enum flow_end why)
{
	struct filter *f = arg;

	if (f->ops->done)
		f->ops->done(f->arg, fl, why);
	hold_forget(&f->hold, fl->held);
	if (fl->nat)
		nat_close(&f->nat, fl->nat);
}

static void pass_built(struct filter *f, const struct built *b)
{
	uint8_t frame[BUILD_HEAD + NEIGH_BODY];
	size_t len = build_copy(b, frame, sizeof(frame));

	f->ops->pass(f->arg, frame, len);
}

/**
 * filter_init() - nothing is under way
 * @f: filled in; large
 * @s: borrowed for as long
 * @mac: the guest's; NULL: whoever speaks first
 * @flows: at a time, at least 1; FLOW_MAX
 * @ops, @arg: borrowed for as long
 * Return: 0, -errno.
 */
int filter_init(struct filter *f, const struct subnet *s, const uint8_t *mac, uint32_t flows,
		const struct filter_ops *ops, void *arg)
{
	memset(f, 0, sizeof(*f));
	f->s = s;
	f->ops = ops;
	f->arg = arg;
	f->now = 1;
	serve_init(&f->serve, s, ops->output, arg);
	if (mac) {
		f->has_mac = true;
		memcpy(f->mac, mac, PKT_MAC);
	}
	return flow_init(&f->flows, flows, on_done, f);
}

/* -- flows -- */

/**
 * filter_reload() - the policy is another
 * @f: initialized
 * @live: flows that the guest began are judged again now; else they stay
 * Return: how many of them were denied, and ended.
 */
unsigned int filter_reload(struct filter *f, bool live)
{
	struct flow *fl = NULL;
	unsigned int ended = 0;

	f->flows.generation++;
	while (live && (fl = flow_next(&f->flows, fl))) {
		if (fl->inbound)
			continue;
		if (!filter_flow_allowed(f, fl)) {
			filter_flow_cut(f, fl, FLOW_END_POLICY);
			ended++;
		}
	}
	return ended;
}

/** filter_cut() - a flow's other side failed: both ends are told. Not from within ops. @f. @key: of a flow or none. */
void filter_cut(struct filter *f, const struct flow_key *key)
{
	struct flow *fl = flow_find(&f->flows, key);

	if (fl)
		filter_flow_cut(f, fl, FLOW_END_RESET);
}

/** filter_reset() - there is another guest. @f. @mac: as for filter_init(). Flows end; their other ends are told. */
void filter_reset(struct filter *f, const uint8_t *mac)
{
	struct flow *fl = NULL;

	while ((fl = flow_next(&f->flows, fl)))
		filter_flow_cut(f, fl, FLOW_END_GONE);
	memset(&f->frag_in, 0, sizeof(f->frag_in));
	memset(&f->frag_out, 0, sizeof(f->frag_out));
	serve_init(&f->serve, f->s, f->ops->output, f->arg);
	f->has_mac = mac;
	if (mac)
		memcpy(f->mac, mac, PKT_MAC);
}

/** filter_tick() - what is due by the clock. @f: filter_clock() has its time; call it once a second or so. */
void filter_tick(struct filter *f)
{
	struct flow *fl;

	while ((fl = flow_expired(&f->flows, f->now)))
		filter_flow_cut(f, fl, fl->class == FLOW_CLOSING ? FLOW_END_CLOSED : FLOW_END_IDLE);
	filter_hold_tick(f);
	serve_tick(&f->serve, f->now);
}

/* -- guest to stack -- */

static enum pkt_drop deny(struct filter *f, const struct pkt *p, enum pkt_drop why)
{
	struct built b;

	if (deny_build(&f->deny, f->now, f->s, p, &b))
		f->ops->output(f->arg, b.iov, b.n);
	return why;
}

/* The stack, which would ask for it, is told where the guest is. */
static void learn(struct filter *f, const uint8_t mac[PKT_MAC])
{
	struct build_path path = { mac, f->s->mac, f->s->guest4, f->s->gateway4 };
	struct built b;

	f->has_mac = true;
	memcpy(f->mac, mac, PKT_MAC);
	build_arp(&b, &path, BUILD_ARP_REPLY);
	if (f->s->v4)
		pass_built(f, &b);
}

static enum pkt_drop check_station(struct filter *f, const struct pkt *p)
{
	if (!memcmp(p->src_mac, f->s->mac, PKT_MAC) || (f->has_mac && memcmp(p->src_mac, f->mac, PKT_MAC)))
		return PKT_DROP_SOURCE_MAC;
	if (!(p->dst_mac[0] & 1) && memcmp(p->dst_mac, f->s->mac, PKT_MAC))
		return PKT_DROP_DEST_MAC;
	if (p->kind != PKT_ARP && !(p->kind == PKT_IPV4 ? f->s->v4 : f->s->v6))
		return PKT_DROP_ETHERTYPE;
	if (!f->has_mac)
		learn(f, p->src_mac);
	return PKT_OK;
}

/* A query, whole. */
static bool is_query(const struct filter *f, const struct pkt *p)
{
	return p->proto == PKT_PROTO_UDP && p->dport == DNS_PORT &&
	       addr_equal(&p->dst, p->kind == PKT_IPV4 ? &f->s->dns4 : &f->s->dns6);
}

static enum pkt_drop query(struct filter *f, const struct pkt *p)
{
	struct filter_dns from = { .guest = p->src, .server = p->dst, .port = p->sport };

	if (p->fragment)
		return PKT_DROP_FRAGMENT;
	if (!pkt_checksum_ok(p))
		return PKT_DROP_CHECKSUM;
	memcpy(from.mac, p->src_mac, PKT_MAC);
	f->queries++;
	f->ops->dns(f->arg, &from, p->payload, p->payload_len);
	return PKT_OK;
}

static enum pkt_drop open_flow(struct filter *f, const struct pkt *p, const struct flow_key *key, struct flow **fl)
{
	struct flow_verdict v = { 0 };
	uint16_t nat = 0;

	if (!flow_opens(p))
		return deny(f, p, PKT_DROP_NO_FLOW);
	if (!pkt_checksum_ok(p))
		return PKT_DROP_CHECKSUM;
	if (!f->ops->judge(f->arg, key, &v))
		return deny(f, p, PKT_DROP_DENIED);
	if (v.redirect && (addr_is_v4(&v.to) != (p->kind == PKT_IPV4) || p->proto != PKT_PROTO_TCP))
		return deny(f, p, PKT_DROP_DENIED);     /* it cannot be, and must not go where it says */
	if (v.sni && (p->proto != PKT_PROTO_TCP || p->payload_len))
		return deny(f, p, PKT_DROP_DENIED);     /* it has no name to ask for, or data too early */
	if (v.redirect && !(nat = nat_open(&f->nat, key, &v)))
		return deny(f, p, PKT_DROP_FULL);
	*fl = flow_open(&f->flows, f->now, key, &v, false);
	if (*fl) {
		(*fl)->nat = nat;
		return PKT_OK;
	}
	if (nat)
		nat_close(&f->nat, nat);
	return deny(f, p, PKT_DROP_FULL);
}

static enum pkt_drop on_flow(struct filter *f, struct pkt *p)
{
	struct flow_key key = flow_key_of(p, true);
	struct flow *fl = flow_find(&f->flows, &key);
	enum pkt_drop why = PKT_OK;
	const uint8_t *frame;

	if (fl && flow_changes(p) && !pkt_checksum_ok(p))
		return PKT_DROP_CHECKSUM;
	/* A new connection between the ports of an old one: it is judged by what holds now. */
	if (fl && fl->class != FLOW_OPENING && p->proto == PKT_PROTO_TCP && flow_opens(p)) {
		flow_end(&f->flows, fl, fl->class == FLOW_CLOSING ? FLOW_END_CLOSED : FLOW_END_REPLACED);
		fl = NULL;
	}
	if (!fl)
		why = p->offset ? PKT_DROP_FRAGMENT : open_flow(f, p, &key, &fl);
	if (!why && p->fragment && !p->offset)
		why = frag_admit(&f->frag_in, f->now, p);
	if (why)
		return why;
	if (fl->verdict.sni && !filter_hold(f, fl, p, &why))
		return why;
	frame = fl->nat ? nat_out(&f->nat, fl->nat, p->frame, p->len) : p->frame;
	flow_packet(&f->flows, fl, f->now, p, true);
	f->ops->pass(f->arg, frame, p->len);
	return PKT_OK;
}

static enum pkt_drop on_packet(struct filter *f, struct pkt *p)
{
	enum pkt_drop why = PKT_OK;

	if (serve_packet(&f->serve, f->now, p, &why))
		return why;
	if (!subnet_is_guests(f->s, &p->src))
		return PKT_DROP_SOURCE;
	if (p->dst_mac[0] & 1 || subnet_is_broadcast(f->s, &p->dst))
		return PKT_DROP_GROUP;
	if (p->offset)
		why = frag_pass(&f->frag_in, f->now, p);
	if (why)
		return why;
	if (is_query(f, p))
		return query(f, p);
	if (p->proto == PKT_PROTO_TCP || p->proto == PKT_PROTO_UDP || (p->kind == PKT_IPV4 && pkt_is_echo_request(p)))
		return on_flow(f, p);
	/* Echo of IPv6 the stack would take and forget. */
	return deny(f, p, PKT_DROP_PROTOCOL);
}

/**
 * filter_parsed() - the same as filter_input(), for who has looked at the frame already
 * @f: filter_clock() has its time
 * @why: PKT_OK; else it goes no further for this reason, which is counted
 * @p: as pkt_parse() left it
 */
void filter_parsed(struct filter *f, enum pkt_drop why, struct pkt *p)
{
	if (!why)
		why = check_station(f, p);
	if (!why)
		why = on_packet(f, p);
	f->guest[why]++;
}

/** filter_input() - a frame came from the guest. @f: filter_clock() has its time. @frame, @len: any bytes, borrowed. */
void filter_input(struct filter *f, const uint8_t *frame, size_t len)
{
	struct pkt p;
	enum pkt_drop why = pkt_parse(frame, len, &p);

	filter_parsed(f, why, &p);
}

/**
 * filter_dns_answer() - answer a query
 * @f: initialized
 * @to: as it came with the query
 * @msg, @len: a DNS message
 * Return: 0; -EMSGSIZE when the wire takes no packet of that length: truncate it, and set TC.
 */
int filter_dns_answer(struct filter *f, const struct filter_dns *to, const void *msg, size_t len)
{
	struct build_path path = { f->s->mac, to->mac, to->server, to->guest };
	struct built b;

	if (len + 8 + (addr_is_v4(&to->guest) ? PKT_IP4 : PKT_IP6) > f->s->mtu ||
	    build_udp(&b, &path, DNS_PORT, to->port, msg, len))
		return -EMSGSIZE;
	f->ops->output(f->arg, b.iov, b.n);
	return 0;
}

/* -- stack to guest -- */

/* The flow of a packet to the guest, begun if it is a forward's. */
static struct flow *flow_to_guest(struct filter *f, const struct pkt *p, enum pkt_drop *why)
{
	struct flow_key key = flow_key_of(p, false);
	struct flow_verdict v = { 0 };
	struct flow *fl;
	struct pkt inner;

	*why = PKT_DROP_NO_FLOW;
	if (pkt_is_icmp_error(p)) {
		if (!pkt_inner(p, &inner))
			return NULL;
		key = flow_key_of(&inner, true);
		return addr_equal(&key.guest, &p->dst) ? flow_find(&f->flows, &key) : NULL;
	}
	if (p->proto != PKT_PROTO_TCP && p->proto != PKT_PROTO_UDP && !pkt_is_echo_reply(p))
		return NULL;
	fl = flow_find(&f->flows, &key);
	if (fl && fl->class == FLOW_CLOSING && p->proto == PKT_PROTO_TCP && flow_opens(p)) {
		flow_end(&f->flows, fl, FLOW_END_CLOSED);
		fl = NULL;
	}
	if (fl || p->offset || !flow_opens(p) || !f->ops->inbound || !f->ops->inbound(f->arg, &key, &v))
		return fl;
	*why = PKT_DROP_FULL;
	return flow_open(&f->flows, f->now, &key, &v, true);
}

static enum pkt_drop on_stack(struct filter *f, struct pkt *p)
{
	enum pkt_drop why = PKT_OK;
	uint8_t ethernet[PKT_ETH];
	struct iovec iov[2] = { { ethernet, PKT_ETH } };
	struct neigh_answer answer;
	struct flow *fl;

	if (serve_stack(&f->serve, p, f->has_mac ? f->mac : NULL, &answer)) {
		if (answer.frame.n)
			pass_built(f, &answer.frame);
		return PKT_DROP_CHATTER;
	}
	if (!f->has_mac || !subnet_is_guests(f->s, &p->dst))
		return PKT_DROP_DESTINATION;
	if (p->offset)
		why = frag_pass(&f->frag_out, f->now, p);
	if (why)
		return why;
	nat_in(&f->nat, p);
	fl = flow_to_guest(f, p, &why);
	if (!fl)
		return why;
	if (p->fragment && !p->offset && frag_admit(&f->frag_out, f->now, p))
		return PKT_DROP_FRAGMENT;
	flow_packet(&f->flows, fl, f->now, p, false);
	memcpy(ethernet, f->mac, PKT_MAC);
	memcpy(ethernet + PKT_MAC, f->s->mac, PKT_MAC);
	memcpy(ethernet + 2 * PKT_MAC, p->frame + 2 * PKT_MAC, 2);
	iov[1] = (struct iovec){ (void *)(uintptr_t)p->ip, p->ip_len };
	f->ops->output(f->arg, iov, 2);
	return PKT_OK;
}

/** filter_output() - a frame came from the stack. @f, @frame, @len: as for filter_input(). */
void filter_output(struct filter *f, const uint8_t *frame, size_t len)
{
	enum pkt_drop why;
	struct pkt p;

	why = pkt_parse(frame, len, &p);
	if (!why)
		why = on_stack(f, &p);
	f->stack[why]++;
}

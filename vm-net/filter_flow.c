// SPDX-License-Identifier: ISC
/*
 * filter_flow.c - flows that the filter judges again, speaks in and ends.
 *
 * A flow that is cut was alive on both sides: the guest and the stack are reset each with the number that it
 * expects. What goes to the stack may come back as frames before the call returns, and they may end the flow: it is
 * not looked at after.
 */
#include "filter_flow.h"

#include "util.h"

/** filter_flow_path() - between whom a frame of ours is. @f. @key: flow's. @to_guest: else to the stack. Return: it. */
struct build_path filter_flow_path(const struct filter *f, const struct flow_key *key, bool to_guest)
{
	if (to_guest)
		return (struct build_path){ f->s->mac, f->mac, key->remote, key->guest };
	return (struct build_path){ f->mac, f->s->mac, key->guest, key->remote };
}

/**
 * filter_flow_pass() - a segment of ours goes to the stack
 * @f
 * @nat: the flow's, or 0
 * @b: in the guest's name, with at most FILTER_FLOW_DATA bytes
 */
void filter_flow_pass(struct filter *f, uint16_t nat, const struct built *b)
{
	uint8_t frame[BUILD_HEAD + FILTER_FLOW_DATA];
	size_t len = build_copy(b, frame, sizeof(frame));

	f->ops->pass(f->arg, nat ? nat_out(&f->nat, nat, frame, len) : frame, len);
}

/**
 * filter_flow_tell() - a segment of ours goes to the guest
 * @f
 * @key: flow's
 * @b: in the name of its remote end; if no station may send from there, a loopback address, it goes nowhere
 */
void filter_flow_tell(struct filter *f, const struct flow_key *key, const struct built *b)
{
	if (pkt_is_source(&key->remote))
		f->ops->output(f->arg, b->iov, b->n);
}

/* Whether a verdict lets a flow go on to where it goes, in which case it is the flow's. */
static bool adopt(struct filter *f, struct flow *fl, const struct flow_verdict *v)
{
	bool sni = fl->verdict.sni;

	if (v->redirect != fl->verdict.redirect || v->to_port != fl->verdict.to_port || v->place != fl->verdict.place ||
	    !addr_equal(&v->to, &fl->verdict.to))
		return false;
	fl->verdict = *v;
	fl->verdict.sni = sni;
	fl->generation = f->flows.generation;
	return true;
}

/** filter_flow_named() - whether a flow may go on to the server that it has named. @f. @fl: has a name. Return: so. */
bool filter_flow_named(struct filter *f, struct flow *fl)
{
	struct flow_verdict v = { 0 };

	return f->ops->named && f->ops->named(f->arg, fl, fl->name, &v) && adopt(f, fl, &v);
}

/**
 * filter_flow_allowed() - whether a flow may go on after all, and to where it goes
 * @f
 * @fl: the guest began it. One with a name is judged by that; one that awaits it goes on to; and one that was never
 * asked for it cannot be asked any more, so that it may not go on where the name counts now.
 * Return: so.
 */
bool filter_flow_allowed(struct filter *f, struct flow *fl)
{
	struct flow_verdict v = { 0 };

	if (fl->name)
		return filter_flow_named(f, fl);
	return f->ops->judge(f->arg, &fl->key, &v) && (fl->verdict.sni || !v.sni) && adopt(f, fl, &v);
}

/**
 * filter_flow_cut() - end a flow that neither end has ended, and tell both
 * @f
 * @fl: gone after
 * @why: FLOW_END_GONE: the guest is not told
 */
void filter_flow_cut(struct filter *f, struct flow *fl, enum flow_end why)
{
	struct build_path back = filter_flow_path(f, &fl->key, true), on = filter_flow_path(f, &fl->key, false);
	struct pkt rst = { .sport = fl->key.remote_port, .dport = fl->key.guest_port, .seq = fl->guest_next,
			   .ack = fl->remote_next, .flags = PKT_RST | PKT_ACK };
	bool tcp = fl->key.proto == PKT_PROTO_TCP && fl->class != FLOW_CLOSING;
	struct flow_key key = fl->key;
	uint16_t nat = fl->nat;
	struct built b;

	flow_end(&f->flows, fl, why);
	if (!tcp)
		return;
	build_tcp(&b, &back, &rst);
	if (why != FLOW_END_GONE)
		filter_flow_tell(f, &key, &b);
	rst = (struct pkt){ .sport = rst.dport, .dport = rst.sport, .seq = rst.ack, .ack = rst.seq,
			    .flags = rst.flags };
	build_tcp(&b, &on, &rst);
	filter_flow_pass(f, nat, &b);
}

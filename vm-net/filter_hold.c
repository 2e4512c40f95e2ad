// SPDX-License-Identifier: ISC
/*
 * filter_hold.c - where flows are held until it is known which server they are for: between the filter and hold.c,
 * which has the states.
 *
 *	guest's packet --hold_packet()--> goes on | dropped | kept, and acknowledged
 *	                                  | has the name --named()--> what was kept goes on, and then the packet
 *	                                  | refused, or not allowed --> both sides are reset: FLOW_END_NAME
 *
 * Segments of ours have no options: the stack agrees to none but a maximum size, so that nobody misses them.
 */
#include "filter_hold.h"

#include <stdlib.h>

#include "filter_flow.h"
#include "util.h"

static void refuse(struct filter *f, struct flow *fl, enum hold_end why)
{
	f->hold.ended[why]++;
	filter_flow_cut(f, fl, FLOW_END_NAME);
}

/* Tell the guest which byte is next. */
static void acknowledge(struct filter *f, const struct flow *fl)
{
	struct build_path back = filter_flow_path(f, &fl->key, true);
	struct pkt ack = { .sport = fl->key.remote_port, .dport = fl->key.guest_port, .seq = fl->guest_next,
			   .flags = PKT_ACK };
	struct built b;

	hold_expects(fl, &ack.ack, &ack.window);
	build_tcp(&b, &back, &ack);
	filter_flow_tell(f, &fl->key, &b);
}

/* What was kept goes to the stack, and then the packet that said the name. The flow may be gone after. */
static void settle(struct filter *f, struct flow *fl, const struct pkt *p)
{
	struct hold_bytes held = hold_settle(&f->hold, fl);
	struct build_path on = filter_flow_path(f, &fl->key, false);
	struct pkt seg = { .sport = p->sport, .dport = p->dport, .ack = p->ack, .flags = PKT_ACK, .window = p->window };
	size_t most = MIN((size_t)FILTER_FLOW_DATA, f->s->mtu - (size_t)(BUILD_HEAD - PKT_ETH));
	uint16_t nat = fl->nat;
	struct built b;
	uint32_t at;

	flow_packet(&f->flows, fl, f->now, p, true);
	for (at = 0; at < held.len; at += (uint32_t)seg.payload_len) {
		seg.seq = held.seq + at;
		seg.payload = held.data + at;
		seg.payload_len = MIN(held.len - at, most);
		build_tcp(&b, &on, &seg);
		filter_flow_pass(f, nat, &b);
	}
	free(held.data);
	f->ops->pass(f->arg, nat ? nat_out(&f->nat, nat, p->frame, p->len) : p->frame, p->len);
}

/* A flow has said its name. */
static enum pkt_drop ask(struct filter *f, struct flow *fl, const struct pkt *p)
{
	if (!filter_flow_named(f, fl)) {
		refuse(f, fl, HOLD_DENIED);
		return PKT_DROP_NAME;
	}
	settle(f, fl, p);
	return PKT_OK;
}

/**
 * filter_hold() - look at a packet of a flow whose verdict says `sni`
 * @f
 * @fl: may be gone after false
 * @p: of the guest
 * @why: set with false
 * Return: whether it goes on as usual; else it is dealt with, and counts as @why.
 */
bool filter_hold(struct filter *f, struct flow *fl, const struct pkt *p, enum pkt_drop *why)
{
	enum hold_end end = HOLD_NEITHER;

	*why = PKT_DROP_CHECKSUM;
	if (p->payload_len && fl->naming != FLOW_NAME_KNOWN && !pkt_checksum_ok(p))
		return false;
	if (p->flags & PKT_ACK)
		fl->guest_next = p->ack;        /* for what it is told, even if the packet itself does not count */
	*why = PKT_DROP_UNNAMED;
	switch (hold_packet(&f->hold, fl, f->now, p, &end)) {
	case HOLD_PASS:
		return true;
	case HOLD_REPEAT:
		acknowledge(f, fl);
		return false;
	case HOLD_DROP:
		return false;
	case HOLD_KEPT:
		flow_packet(&f->flows, fl, f->now, p, true);
		acknowledge(f, fl);
		*why = PKT_DROP_HELD;
		return false;
	case HOLD_ASK:
		*why = ask(f, fl, p);
		return false;
	case HOLD_REFUSE:
		break;
	}
	refuse(f, fl, end);
	*why = PKT_DROP_NAME;
	return false;
}

/** filter_hold_tick() - end flows whose name has not come in time. @f: filter_clock() has its time. */
void filter_hold_tick(struct filter *f)
{
	struct flow *fl;

	while ((fl = hold_expired(&f->hold, f->now)))
		refuse(f, fl, HOLD_LATE);
}

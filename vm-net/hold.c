// SPDX-License-Identifier: ISC
/*
 * hold.c - what a guest says is held back until it has said which server it wants.
 *
 *	AWAITED --next bytes, no name yet: kept--> AWAITED
 *	AWAITED --next bytes, the name: judged, allowed--> SETTLING --the stack's ACK of them--> KNOWN: like any flow
 *	AWAITED --denied, no name, FIN, HOLD_BYTES, HOLD_MSEC, no room--> ended, both sides are reset
 *
 * What is judged has to be what the server gets. So a flow's bytes begin where the stack expects them, by its SYN's
 * ACK, and each is taken once: what is not next in order, a retransmission with other bytes among it, is dropped.
 * What was kept goes to the stack as our copy, and until the stack has acknowledged all that said the name, the
 * guest's segments that begin before its end still are dropped: they could say something else in the place of a copy
 * that was lost. Urgent data may be taken out of the stream at the other end, and never passes in such a flow. A
 * segment without data goes on, for it opens the connection, and tells the server nothing.
 *
 * What is kept is acknowledged, with what there is room for as window: a guest that writes in small pieces sends the
 * next one after that only (RFC 896). The first byte starts the clock: a connection may be opened in advance.
 */
#include "hold.h"

#include <stdlib.h>

#include "hello.h"
#include "util.h"

enum { ROOM_FIRST = 1024 };

struct held {
	struct held *prev, *next;       /* older, newer */
	struct flow *flow;
	uint64_t since;
	struct hello hello;
	uint32_t seq, len, room;        /* of the first byte; how many there are, how many fit */
	uint8_t *data;
};

static const char *const end_names[] = {
	[HOLD_NAMED] = "named", [HOLD_DENIED] = "denied", [HOLD_NAMELESS] = "nameless", [HOLD_NEITHER] = "neither",
	[HOLD_SHORT] = "short", [HOLD_LONG] = "long", [HOLD_LATE] = "late", [HOLD_FULL] = "full",
};

_Static_assert(ARRAY_SIZE(end_names) == HOLD_ENDS, "every end has a name");

/** hold_end_name() - what became of a flow, as counters call it. @why: below HOLD_ENDS. Return: one word. */
const char *hold_end_name(enum hold_end why)
{
	return end_names[why];
}

/* -- memory -- */

/* Return: NULL when there is no room. */
static struct held *begin(struct hold *h, struct flow *fl, uint64_t now)
{
	struct held *d;

	if (h->count >= HOLD_FLOWS || !(d = calloc(1, sizeof(*d))))
		return NULL;
	d->flow = fl;
	d->since = now;
	d->seq = fl->remote_next;
	hello_init(&d->hello);
	d->prev = h->last;
	*(h->last ? &h->last->next : &h->first) = d;
	h->last = d;
	h->count++;
	fl->held = d;
	return d;
}

/** hold_forget() - a flow ends, or is held no longer. @h. @d: what it said, which is lost; may be NULL. */
void hold_forget(struct hold *h, struct held *d)
{
	if (!d)
		return;
	*(d->prev ? &d->prev->next : &h->first) = d->next;
	*(d->next ? &d->next->prev : &h->last) = d->prev;
	h->count--;
	h->bytes -= d->room;
	d->flow->held = NULL;
	free(d->data);
	free(d);
}

/** hold_free() - free what is held. @h: zero at first. The flows must not be used again. */
void hold_free(struct hold *h)
{
	while (h->first)
		hold_forget(h, h->first);
}

/* Copy bytes. Return: whether there was room. */
static bool keep(struct hold *h, struct held *d, const uint8_t *data, size_t len)
{
	uint32_t room = d->room ? d->room : ROOM_FIRST;
	uint8_t *more;

	while (room < d->len + len)
		room *= 2;
	if (room != d->room) {
		if (h->bytes - d->room + room > HOLD_TOTAL || !(more = realloc(d->data, room)))
			return false;
		h->bytes = h->bytes - d->room + room;
		d->data = more;
		d->room = room;
	}
	memcpy(d->data + d->len, data, len);
	d->len += (uint32_t)len;
	return true;
}

/* -- the stream -- */

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/**
 * hold_expects() - which byte of the guest is next
 * @fl: awaits its name
 * @seq: set to its sequence number
 * @room: set to how many may come
 */
void hold_expects(const struct flow *fl, uint32_t *seq, uint16_t *room)
{
	*seq = fl->held ? fl->held->seq + fl->held->len : fl->remote_next;
	*room = (uint16_t)(HOLD_BYTES - (fl->held ? fl->held->len : 0));
}

/* The next bytes, which may be none before a FIN. */
static enum hold_step take(struct hold *h, struct held *d, const struct pkt *p, enum hold_end *why)
{
	size_t fits = MIN(p->payload_len, (size_t)HOLD_BYTES - d->len);

	switch (hello_feed(&d->hello, p->payload, fits)) {
	case HELLO_TLS:
	case HELLO_HTTP:
		d->flow->name = strdup(d->hello.name);
		*why = HOLD_FULL;
		return d->flow->name ? HOLD_ASK : HOLD_REFUSE;
	case HELLO_NAMELESS:
		*why = HOLD_NAMELESS;
		return HOLD_REFUSE;
	case HELLO_NEITHER:
		*why = HOLD_NEITHER;
		return HOLD_REFUSE;
	case HELLO_MORE:
		break;
	}
	*why = p->flags & PKT_FIN ? HOLD_SHORT : d->len + p->payload_len >= HOLD_BYTES ? HOLD_LONG : HOLD_FULL;
	return *why == HOLD_FULL && keep(h, d, p->payload, p->payload_len) ? HOLD_KEPT : HOLD_REFUSE;
}

static enum hold_step await(struct hold *h, struct flow *fl, uint64_t now, const struct pkt *p, enum hold_end *why)
{
	uint32_t seq;
	uint16_t room;

	if (!p->payload_len && !(p->flags & PKT_FIN))
		return HOLD_PASS;
	if (p->flags & (PKT_SYN | PKT_RST) || fl->class == FLOW_OPENING)
		return HOLD_DROP;
	hold_expects(fl, &seq, &room);
	if (p->seq != seq)
		return HOLD_REPEAT;
	*why = HOLD_FULL;
	if (!fl->held && !begin(h, fl, now))
		return HOLD_REFUSE;
	return take(h, fl->held, p, why);
}

/**
 * hold_packet() - look at a packet of the guest
 * @h: zero at first
 * @fl: its flow; the verdict says `sni`
 * @now: milliseconds, never going back
 * @p: its checksum is right if it has data
 * @why: set with HOLD_REFUSE, which is not counted yet
 * Return: what is to be done. HOLD_ASK: @fl->name is set; the packet itself is not kept.
 */
enum hold_step hold_packet(struct hold *h, struct flow *fl, uint64_t now, const struct pkt *p, enum hold_end *why)
{
	if (p->urgent)
		return HOLD_DROP;
	if (fl->naming == FLOW_NAME_AWAITED)
		return await(h, fl, now, p, why);
	if (fl->naming == FLOW_NAME_SETTLING && !before(fl->remote_next, fl->named_end))
		fl->naming = FLOW_NAME_KNOWN;
	if (fl->naming == FLOW_NAME_SETTLING && p->payload_len && before(p->seq, fl->named_end))
		return HOLD_DROP;
	return HOLD_PASS;
}

/**
 * hold_settle() - a flow's name is allowed
 * @h
 * @fl: of HOLD_ASK
 * Return: what is to go to the stack before the packet that said the name.
 */
struct hold_bytes hold_settle(struct hold *h, struct flow *fl)
{
	struct held *d = fl->held;
	struct hold_bytes b = { d->data, d->seq, d->len };

	fl->naming = FLOW_NAME_SETTLING;
	fl->named_end = d->seq + (uint32_t)d->hello.used;
	d->data = NULL;
	hold_forget(h, d);
	h->ended[HOLD_NAMED]++;
	return b;
}

/** hold_expired() - one that has been held for too long. @h. @now. Return: it: end it; NULL when there is none. */
struct flow *hold_expired(const struct hold *h, uint64_t now)
{
	return h->first && h->first->since + HOLD_MSEC <= now ? h->first->flow : NULL;
}

// SPDX-License-Identifier: ISC
/*
 * frag.c - IPv4 fragments: later ones pass once their first did.
 *
 * The first fragment has the transport header, whole, and is judged as any packet is; only then is its datagram
 * remembered, with its ports, and only then do others of it pass. Each 8 bytes of a datagram come once: who sends some
 * twice wants them read in two ways (RFC 1858, RFC 3128), and no more of that datagram passes. Stacks send
 * fragments in order, and nothing between a guest and us reorders them.
 *
 * A transport header is 8 bytes at least and whole in the first fragment, so no later one can change what was judged.
 * Identifiers come round again within seconds when a guest sends fast: a first that comes late begins a new datagram.
 *
 * The table is small and its oldest entry gives way: a sender can only hurt itself.
 */
#include "frag.h"

#include "util.h"

static struct frag *find(struct frag_table *t, uint64_t now, const struct pkt *p)
{
	unsigned int i;

	for (i = 0; i < FRAG_MAX; i++) {
		struct frag *f = &t->entry[i];

		if (f->born && f->born + FRAG_MSEC > now && f->ip_id == p->ip_id && f->proto == p->proto &&
		    addr_equal(&f->src, &p->src) && addr_equal(&f->dst, &p->dst))
			return f;
	}
	return NULL;
}

static struct frag *oldest(struct frag_table *t)
{
	struct frag *f = &t->entry[0];
	unsigned int i;

	for (i = 1; i < FRAG_MAX; i++)
		if (t->entry[i].born < f->born)
			f = &t->entry[i];
	return f;
}

/* Note which bytes came. Return: false when some had come before, or lie beyond the end. */
static bool cover(struct frag *f, const struct pkt *p)
{
	size_t at = p->offset / 8, n = (p->l4_len + 7) / 8, i;

	if (f->end && (at + n > f->end || !p->more))
		return false;
	if (!p->more)
		f->end = at + n;
	for (i = at; i < at + n; i++) {
		if (f->seen[i / 8] & 1 << i % 8)
			return false;
		f->seen[i / 8] |= (uint8_t)(1 << i % 8);
	}
	/* What came before may lie beyond the end, too. */
	for (; !p->more && i < FRAG_UNITS; i++)
		if (f->seen[i / 8] & 1 << i % 8)
			return false;
	f->units += n;
	return true;
}

/**
 * frag_admit() - remember a first fragment that was let through
 * @t: zero at first
 * @now: milliseconds, not 0, never going back
 * @p: parsed; fragment, offset 0, with its transport header whole
 * Return: PKT_OK; PKT_DROP_FRAGMENT when there was a first already.
 */
enum pkt_drop frag_admit(struct frag_table *t, uint64_t now, const struct pkt *p)
{
	struct frag *f = find(t, now, p);

	if (f && f->born + FRAG_REUSE_MSEC > now) {
		f->bad = true;
		return PKT_DROP_FRAGMENT;
	}
	if (!f)
		f = oldest(t);
	*f = (struct frag){
		.born = now, .src = p->src, .dst = p->dst, .ip_id = p->ip_id, .proto = p->proto,
		.sport = p->sport, .dport = p->dport, .id = p->id, .type = p->type, .code = p->code,
	};
	return cover(f, p) ? PKT_OK : PKT_DROP_FRAGMENT;
}

/**
 * frag_pass() - look at a later fragment
 * @t, @now: as for frag_admit()
 * @p: parsed; offset not 0; given its first's ports, type and id
 * Return: PKT_OK; PKT_DROP_FRAGMENT without an admitted first, or when some of it had come before.
 */
enum pkt_drop frag_pass(struct frag_table *t, uint64_t now, struct pkt *p)
{
	struct frag *f = find(t, now, p);

	if (!f || f->bad)
		return PKT_DROP_FRAGMENT;
	if (!cover(f, p)) {
		f->bad = true;
		return PKT_DROP_FRAGMENT;
	}
	p->sport = f->sport;
	p->dport = f->dport;
	p->id = f->id;
	p->type = f->type;
	p->code = f->code;
	if (f->end && f->units == f->end)
		f->born = 0;
	return PKT_OK;
}

/* SPDX-License-Identifier: ISC */
/* net_filter.h - what tests of the filter share: a frame, and what becomes of it on both sides. */
#ifndef NET_FILTER_H
#define NET_FILTER_H

#include "net_wire.h"

static struct fr f;

#define GUEST "10.0.2.15"
#define GATE "10.0.2.2"
#define DNS "10.0.2.3"
#define GUEST6 "fd00::f"
#define FAR "1.2.3.4"
#define FAR6 "2001:db8::1"

/* Nothing went anywhere, for this reason. */
static inline bool silent(enum pkt_drop why)
{
	uint64_t before = w.f.guest[why];

	wire_send(&f, true);
	return !w.guest.n && !w.stack.n && w.f.guest[why] == before + 1;
}

/* It went on as it came, and nothing was answered. */
static inline bool passed(void)
{
	wire_send(&f, true);
	return !w.guest.n && w.stack.n == 1 && w.stack.kept[0].len == f.len && !memcmp(w.stack.kept[0].b, f.b, f.len);
}

/* It was refused, and @p is what was said. */
static inline bool refused(struct pkt *p, enum pkt_drop why)
{
	uint64_t before = w.f.guest[why];

	wire_send(&f, true);
	return w.guest.n == 1 && !w.stack.n && w.f.guest[why] == before + 1 && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, p) &&
	       pkt_checksum_ok(p) && !memcmp(p->dst_mac, GUEST_MAC, 6) && !memcmp(p->src_mac, GATE_MAC, 6);
}

static inline bool answered(struct pkt *p)
{
	return refused(p, PKT_OK);
}

/* The stack sent it, and the guest got it. */
static inline bool arrives(void)
{
	memcpy(f.b, ALL_MAC, 6);
	memset(f.b + 6, 0x52, 6);
	wire_send(&f, false);
	return w.guest.n == 1 && !w.stack.n && w.guest.kept[0].len == f.len && !memcmp(w.guest.kept[0].b + 12, f.b + 12, f.len - 12) &&
	       !memcmp(w.guest.kept[0].b, GUEST_MAC, 6) && !memcmp(w.guest.kept[0].b + 6, GATE_MAC, 6);
}

static inline bool lost(enum pkt_drop why)
{
	uint64_t before = w.f.stack[why];

	wire_send(&f, false);
	return !w.guest.n && w.f.stack[why] == before + 1;
}

static inline void solicit(const char *src, const char *target, size_t options)
{
	uint8_t body[16 + 16] = { 0 };
	struct addr t = A(target);

	memcpy(body, t.b, 16);
	body[16] = 1;
	body[17] = 1;
	memcpy(body + 18, GUEST_MAC, 6);
	icmp_frame(&f, src, "ff02::1:ff00:2", 135, 0, 0, body, 16 + options);
	memcpy(f.b, (const uint8_t[]){ 0x33, 0x33, 0xff, 0, 0, 2 }, 6);
}

#endif

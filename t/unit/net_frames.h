/* SPDX-License-Identifier: ISC */
/* net_frames.h - frames of a guest that tests bend as they like; checksums by the book, not by the code under test. */
#ifndef NET_FRAMES_H
#define NET_FRAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkt.h"
#include "tap.h"

static const uint8_t GUEST_MAC[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static const uint8_t GATE_MAC[6] = { 0x52, 0x55, 10, 0, 2, 2 };
static const uint8_t ALL_MAC[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct fr {
	uint8_t b[70000];
	size_t len, l4;                 /* where the transport header begins */
};

static inline struct addr A(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

/* One's complement sum, two bytes at a time. */
static inline uint16_t book_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Right the lengths and checksums of what was built or bent. */
static inline void seal(struct fr *f)
{
	bool v4 = f->b[12] == 8 && f->b[13] == 0;
	uint8_t *ip = f->b + 14, *l4 = f->b + f->l4, proto = v4 ? ip[9] : ip[6];
	size_t len = f->len - f->l4, at = proto == 6 ? 16 : proto == 17 ? 6 : 2, i;
	uint32_t pseudo = (uint32_t)(len + proto);
	uint16_t sum;

	if (v4) {
		put_be16(ip + 2, (uint16_t)(f->len - 14));
		put_be16(ip + 10, 0);
		put_be16(ip + 10, book_sum(ip, f->l4 - 14, 0));
	} else {
		put_be16(ip + 4, (uint16_t)(f->len - 54));
	}
	if (v4 && get_be16(ip + 6) & 0x3fff)
		return;
	for (i = v4 ? 12 : 8; i < (v4 ? 20 : 40); i += 2)
		pseudo += get_be16(ip + i);
	if (proto == 17)
		put_be16(l4 + 4, (uint16_t)len);
	put_be16(l4 + at, 0);
	sum = book_sum(l4, len, proto == 1 ? 0 : pseudo);
	put_be16(l4 + at, proto == 17 && !sum ? 0xffff : sum);
}

/* An IP packet with @len bytes behind its header, all 0. */
static inline void ip_frame(struct fr *f, const char *src, const char *dst, uint8_t proto, size_t len)
{
	struct addr s = A(src), d = A(dst);
	bool v4 = addr_is_v4(&s);
	uint8_t *ip = f->b + 14;

	f->l4 = v4 ? 34 : 54;
	f->len = f->l4 + len;
	memset(f->b, 0, f->len);
	memcpy(f->b, GATE_MAC, 6);
	memcpy(f->b + 6, GUEST_MAC, 6);
	put_be16(f->b + 12, v4 ? 0x0800 : 0x86dd);
	if (v4) {
		ip[0] = 0x45;
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, s.b + 12, 4);
		memcpy(ip + 16, d.b + 12, 4);
	} else {
		ip[0] = 0x60;
		ip[6] = proto;
		ip[7] = proto == 58 ? 255 : 64;
		memcpy(ip + 8, s.b, 16);
		memcpy(ip + 24, d.b, 16);
	}
}

static inline void udp_frame(struct fr *f, const char *src, uint16_t sport, const char *dst, uint16_t dport, const void *data, size_t len)
{
	ip_frame(f, src, dst, 17, 8 + len);
	put_be16(f->b + f->l4, sport);
	put_be16(f->b + f->l4 + 2, dport);
	if (len)
		memcpy(f->b + f->l4 + 8, data, len);
	seal(f);
}

static inline void tcp_frame(struct fr *f, const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags)
{
	uint8_t *t = f->b + 34;

	ip_frame(f, src, dst, 6, 20);
	t = f->b + f->l4;
	put_be16(t, sport);
	put_be16(t + 2, dport);
	put_be32(t + 4, 1000);
	put_be32(t + 8, flags & PKT_ACK ? 5000 : 0);
	t[12] = 0x50;
	t[13] = flags;
	seal(f);
}

static inline void icmp_frame(struct fr *f, const char *src, const char *dst, uint8_t type, uint8_t code, uint32_t rest,
			      const void *data, size_t len)
{
	struct addr s = A(src);

	ip_frame(f, src, dst, addr_is_v4(&s) ? 1 : 58, 8 + len);
	f->b[f->l4] = type;
	f->b[f->l4 + 1] = code;
	put_be32(f->b + f->l4 + 4, rest);
	if (len)
		memcpy(f->b + f->l4 + 8, data, len);
	seal(f);
}

static inline void arp_frame(struct fr *f, uint16_t op, const uint8_t *mac, const char *sender, const char *target)
{
	struct addr s = A(sender), t = A(target);
	uint8_t *a = f->b + 14;

	memset(f->b, 0, 60);
	memcpy(f->b, ALL_MAC, 6);
	memcpy(f->b + 6, GUEST_MAC, 6);
	put_be16(f->b + 12, 0x0806);
	put_be16(a, 1);
	put_be16(a + 2, 0x0800);
	a[4] = 6;
	a[5] = 4;
	put_be16(a + 6, op);
	memcpy(a + 8, mac, 6);
	memcpy(a + 14, s.b + 12, 4);
	memcpy(a + 24, t.b + 12, 4);
	f->len = 60;
}

/* One fragment: @len bytes of payload (transport header and all for the first) at @offset. */
static inline void fragment_frame(struct fr *f, uint16_t id, size_t offset, bool more, size_t len)
{
	ip_frame(f, "10.0.2.15", "1.2.3.4", 17, len);
	put_be16(f->b + 18, id);
	put_be16(f->b + 20, (uint16_t)((more ? 0x2000 : 0) | offset / 8));
	if (!offset) {
		put_be16(f->b + 34, 4000);
		put_be16(f->b + 36, 53);
		put_be16(f->b + 38, 60000);
	}
	seal(f);
}

#endif

/* SPDX-License-Identifier: ISC */
/* world_layers.h - a frame that grows layer by layer, and whose lengths and checksums come last: for world_frame.c. */
#ifndef WORLD_LAYERS_H
#define WORLD_LAYERS_H

#include <net/ethernet.h>

#include "world.h"

enum { ROOM = 70000, LAYERS = 16 };

enum kind { ETHER, V4, V6, EXTENSION, UDP, TCP, ICMP, OTHER };
enum sum { SUM_RIGHT, SUM_BAD, SUM_NONE };

struct layer {
	enum kind kind;
	size_t at;
	enum sum sum;
	int len;                        /* -1: what is right */
};

static uint8_t f[ROOM];
static size_t used, next_at;            /* @next_at: the field that says what comes next; 0: none does */
static bool next_is_type;
static struct layer layers[LAYERS];
static unsigned int count_layers;

static inline struct layer *last(void)
{
	return &layers[count_layers - 1];
}

static inline void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The previous header says that @number, a protocol or, after Ethernet, @type comes. */
static inline void announce(unsigned int type, unsigned int number)
{
	if (next_at && next_is_type)
		put16(f + next_at, type);
	else if (next_at)
		f[next_at] = (uint8_t)number;
	next_at = 0;
}

/* Begin a layer of @len bytes, which are zero. Return: them. */
static inline uint8_t *begin(enum kind kind, size_t len)
{
	if (count_layers == LAYERS || used + len > ROOM)
		die(2, "too much");
	layers[count_layers++] = (struct layer){ .kind = kind, .at = used, .len = -1 };
	used += len;
	return f + used - len;
}

static inline void next_in(size_t at, bool type)
{
	next_at = at;
	next_is_type = type;
}

static inline struct layer *find_ip(struct layer *l)
{
	while (l > layers && l->kind != V4 && l->kind != V6)
		l--;
	return l;
}

static inline uint32_t add(uint32_t sum, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static inline void put_sum(uint8_t *at, uint32_t sum, const struct layer *l)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	if (l->kind == UDP && !sum)
		sum = 0xffff;
	put16(at, l->sum == SUM_NONE ? 0 : l->sum == SUM_BAD ? sum ^ 0x1111 : sum);
}

/* Length and checksum of one layer; those behind it are done. It may be done again, for what was changed. */
static inline void finish(struct layer *l)
{
	static const size_t sum_at[] = { [UDP] = 6, [TCP] = 16, [ICMP] = 2 };
	static const uint8_t proto[] = { [UDP] = IPPROTO_UDP, [TCP] = IPPROTO_TCP, [ICMP] = IPPROTO_ICMPV6 };
	uint8_t *p = f + l->at;
	const struct layer *over = find_ip(l);
	size_t len = used - l->at, said = l->len >= 0 ? (size_t)l->len : len;
	uint32_t sum;

	if (l->kind == V4) {
		put16(p + 2, said);
		put16(p + 10, 0);
		put_sum(p + 10, add(0, p, 20), l);
	} else if (l->kind == V6) {
		put16(p + 4, l->len >= 0 ? said : len - 40);
	}
	if (l->kind != UDP && l->kind != TCP && l->kind != ICMP)
		return;
	if (l->kind == UDP)
		put16(p + 4, said);
	put16(p + sum_at[l->kind], 0);
	sum = add(0, p, len);
	if (over->kind == V6)
		sum = add(sum, f + over->at + 8, 32) + (uint32_t)len + proto[l->kind];
	else if (l->kind != ICMP)
		sum = add(sum, f + over->at + 12, 8) + (uint32_t)len + proto[l->kind];
	put_sum(p + sum_at[l->kind], sum, l);
}

#endif

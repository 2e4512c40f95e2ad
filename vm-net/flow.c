// SPDX-License-Identifier: ISC
/*
 * flow.c - what is under way between the guest and others, judged once.
 *
 *	OPENING --an ACK of who was asked--> OPEN --FINs of both--> CLOSING --time--> ended (CLOSED)
 *	OPENING, OPEN, CLOSING --RST--> ended (RESET)
 *	UDP, ECHO --time--> ended (IDLE)
 *
 * A flow has its verdict for life: names and policies may change meanwhile. What was denied is no flow, so refusals cost
 * no memory, and a table that is full refuses what is new. Each class has a list with the longest silent first, so
 * expiry looks at no flow too many. The hash (SipHash-1-3) has a random key: a guest picks ports as it likes, and must not
 * be able to pick one bucket.
 *
 * Memory is reserved whole and touched as far as flows were ever open at a time.
 */
#include "flow.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

#include "util.h"

enum { NONE = 0xffffffff, FIN_GUEST = 1, FIN_REMOTE = 2, FIN_BOTH = 3 };

static const uint64_t timeout_msec[FLOW_CLASSES] = {
	[FLOW_OPENING] = 120 * 1000,            /* the stack gives a connect up after 75 s (RFC 1122 §4.2.3.5) */
	[FLOW_OPEN] = 24 * 3600 * 1000,         /* RFC 5382 REQ-5 asks for 124 minutes at least */
	[FLOW_CLOSING] = 30 * 1000,
	[FLOW_UDP] = 300 * 1000,                /* RFC 4787 REQ-5; the stack's own are shorter */
	[FLOW_ECHO] = 60 * 1000,                /* RFC 5508 REQ-1 */
};

static const char *const end_names[] = {
	[FLOW_END_CLOSED] = "closed", [FLOW_END_RESET] = "reset", [FLOW_END_IDLE] = "idle",
	[FLOW_END_POLICY] = "policy",
	[FLOW_END_NAME] = "name", [FLOW_END_REPLACED] = "replaced", [FLOW_END_GONE] = "gone",
};

_Static_assert(ARRAY_SIZE(end_names) == FLOW_ENDS, "every end has a name");
_Static_assert(sizeof(struct flow_key) == 40, "no padding in a key");

/** flow_end_name() - why a flow ended, as logs call it. @why: below FLOW_ENDS. Return: one word. */
const char *flow_end_name(enum flow_end why)
{
	return end_names[why];
}

/** flow_key_of() - whose a packet is. @p: parsed TCP, UDP or echo. @from_guest: which way. Return: the key. */
struct flow_key flow_key_of(const struct pkt *p, bool from_guest)
{
	struct flow_key k = { .proto = p->proto };

	k.guest = from_guest ? p->src : p->dst;
	k.remote = from_guest ? p->dst : p->src;
	if (p->proto == PKT_PROTO_TCP || p->proto == PKT_PROTO_UDP) {
		k.guest_port = from_guest ? p->sport : p->dport;
		k.remote_port = from_guest ? p->dport : p->sport;
	} else {
		k.guest_port = p->id;
	}
	return k;
}

/** flow_opens() - whether a packet may begin a flow, if allowed to. @p: parsed IP. Return: so. */
bool flow_opens(const struct pkt *p)
{
	if (p->proto == PKT_PROTO_TCP)
		return (p->flags & (PKT_SYN | PKT_ACK)) == PKT_SYN;
	return p->proto == PKT_PROTO_UDP || pkt_is_echo_request(p);
}

/** flow_changes() - whether a packet opens or ends a connection. @p: parsed IP. Return: so. */
bool flow_changes(const struct pkt *p)
{
	return p->proto == PKT_PROTO_TCP && p->flags & (PKT_SYN | PKT_FIN | PKT_RST);
}

/* -- hash -- */

static uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

static uint32_t hash(const struct flow_table *t, const struct flow_key *key)
{
	uint64_t v[4] = {
		t->key[0] ^ 0x736f6d6570736575, t->key[1] ^ 0x646f72616e646f6d,
		t->key[0] ^ 0x6c7967656e657261, t->key[1] ^ 0x7465646279746573,
	};
	uint64_t word[sizeof(*key) / 8];
	unsigned int i;

	memcpy(word, key, sizeof(word));
	for (i = 0; i < ARRAY_SIZE(word); i++) {
		v[3] ^= word[i];
		sip_round(v);
		v[0] ^= word[i];
	}
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		sip_round(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]) & t->mask;
}

/* -- lists -- */

static void unlist(struct flow_table *t, struct flow *f)
{
	if (f->prev != NONE)
		t->flows[f->prev].next = f->next;
	else
		t->list[f->class].first = f->next;
	if (f->next != NONE)
		t->flows[f->next].prev = f->prev;
	else
		t->list[f->class].last = f->prev;
}

static void enlist(struct flow_table *t, struct flow *f, enum flow_class class)
{
	uint32_t i = (uint32_t)(f - t->flows);

	f->class = (uint8_t)class;
	f->next = NONE;
	f->prev = t->list[class].last;
	if (f->prev != NONE)
		t->flows[f->prev].next = i;
	else
		t->list[class].first = i;
	t->list[class].last = i;
}

/* -- the table -- */

/**
 * flow_init() - an empty table
 * @t: filled in
 * @max: flows at a time, at least 1
 * @done, @arg: called with each flow that ends; it must not open or end flows
 * Return: 0; -ENOMEM; another -errno without random bytes.
 */
int flow_init(struct flow_table *t, uint32_t max, flow_done_fn *done, void *arg)
{
	uint32_t buckets = 1, i;

	while (buckets < max)
		buckets *= 2;
	*t = (struct flow_table){ .max = max, .mask = buckets - 1, .free = NONE, .done = done, .arg = arg };
	if (getrandom(t->key, sizeof(t->key), 0) != sizeof(t->key))
		return -EIO;
	for (i = 0; i < FLOW_CLASSES; i++)
		t->list[i].first = t->list[i].last = NONE;
	t->flows = calloc(max, sizeof(*t->flows));
	t->bucket = malloc(buckets * sizeof(*t->bucket));
	if (!t->flows || !t->bucket) {
		flow_free(t);
		return -ENOMEM;
	}
	memset(t->bucket, 0xff, buckets * sizeof(*t->bucket));
	return 0;
}

/** flow_free() - free a table; flows that are open end without a word. @t: initialized, or zero. */
void flow_free(struct flow_table *t)
{
	uint32_t i;

	for (i = 0; t->flows && i < t->fresh; i++)
		free(t->flows[i].name);
	free(t->flows);
	free(t->bucket);
	t->flows = NULL;
	t->bucket = NULL;
}

static enum flow_class first_class(const struct flow_key *key)
{
	if (key->proto == PKT_PROTO_TCP)
		return FLOW_OPENING;
	return key->proto == PKT_PROTO_UDP ? FLOW_UDP : FLOW_ECHO;
}

static bool is(const struct flow_table *t, uint32_t i, const struct flow_key *key)
{
	return !memcmp(&t->flows[i].key, key, sizeof(*key));
}

/** flow_find() - the flow between two. @t. @key. Return: it, NULL. */
struct flow *flow_find(const struct flow_table *t, const struct flow_key *key)
{
	/* Packets come in rows: the flow that was heard last is the end of its class's list, and costs no hash. */
	uint32_t i = t->list[key->proto == PKT_PROTO_TCP ? FLOW_OPEN : first_class(key)].last;

	if (i != NONE && is(t, i, key))
		return &t->flows[i];
	i = t->bucket[hash(t, key)];
	while (i != NONE && !is(t, i, key))
		i = t->flows[i].chain;
	return i == NONE ? NULL : &t->flows[i];
}

/**
 * flow_open() - begin a flow that was allowed
 * @t: has none of this key
 * @now: milliseconds, never going back
 * @key, @v: copied
 * @inbound: the other side began
 * Return: it; NULL when there are as many as may be, which is counted.
 */
struct flow *flow_open(struct flow_table *t, uint64_t now, const struct flow_key *key,
		       const struct flow_verdict *v, bool inbound)
{
	uint32_t i = t->free != NONE ? t->free : t->fresh, h = hash(t, key);
	struct flow *f;

	if (i >= t->max) {
		t->refused++;
		return NULL;
	}
	f = &t->flows[i];
	if (i == t->free)
		t->free = f->chain;
	else
		t->fresh++;
	*f = (struct flow){
		.key = *key, .verdict = *v, .inbound = inbound, .generation = t->generation, .start = now, .last = now,
		.used = true, .chain = t->bucket[h],
	};
	t->bucket[h] = i;
	enlist(t, f, first_class(key));
	t->count++;
	t->opened++;
	return f;
}

/** flow_end() - end a flow, and tell. @t. @f: of it; gone. @why. */
void flow_end(struct flow_table *t, struct flow *f, enum flow_end why)
{
	uint32_t i = (uint32_t)(f - t->flows), *at = &t->bucket[hash(t, &f->key)];

	assert(f->used);
	if (t->done)
		t->done(t->arg, f, why);
	free(f->name);
	f->name = NULL;
	while (*at != i)
		at = &t->flows[*at].chain;
	*at = f->chain;
	unlist(t, f);
	f->used = false;
	f->chain = t->free;
	t->free = i;
	t->count--;
}

static enum flow_class tcp_class(struct flow *f, const struct pkt *p, bool from_guest)
{
	enum flow_class class = f->class;

	if (p->flags & PKT_FIN)
		f->fins |= from_guest ? FIN_GUEST : FIN_REMOTE;
	if (p->flags & PKT_ACK)
		*(from_guest ? &f->guest_next : &f->remote_next) = p->ack;
	else if (p->flags & PKT_SYN)
		*(from_guest ? &f->remote_next : &f->guest_next) = p->seq + 1;
	if (class == FLOW_OPENING && p->flags & PKT_ACK && from_guest == f->inbound)
		class = FLOW_OPEN;
	return f->fins == FIN_BOTH ? FLOW_CLOSING : class;
}

/**
 * flow_packet() - account for a packet
 * @t, @f, @now
 * @p: parsed; of this flow
 * @from_guest: which way
 * Return: whether the flow lives on; false after a RST: @f is gone.
 */
bool flow_packet(struct flow_table *t, struct flow *f, uint64_t now, const struct pkt *p, bool from_guest)
{
	struct flow_count *count = from_guest ? &f->sent : &f->received;
	enum flow_class class = f->class;

	count->packets++;
	count->bytes += p->ip_len;
	f->last = now;
	if (f->key.proto == PKT_PROTO_TCP && p->proto == PKT_PROTO_TCP) {
		if (p->flags & PKT_RST) {
			flow_end(t, f, f->fins == FIN_BOTH ? FLOW_END_CLOSED : FLOW_END_RESET);
			return false;
		}
		class = tcp_class(f, p, from_guest);
	}
	if (class == f->class && f->next == NONE)
		return true;
	unlist(t, f);
	enlist(t, f, class);
	return true;
}

/**
 * flow_expired() - one that has been silent for too long
 * @t. @now.
 * Return: it: flow_end() it; NULL when there is none.
 */
struct flow *flow_expired(const struct flow_table *t, uint64_t now)
{
	unsigned int class;

	for (class = 0; class < FLOW_CLASSES; class++) {
		uint32_t i = t->list[class].first;

		if (i != NONE && t->flows[i].last + timeout_msec[class] <= now)
			return &t->flows[i];
	}
	return NULL;
}

/**
 * flow_next() - walk the flows; ending the one at hand is fine
 * @t. @f: NULL at first.
 * Return: the next; NULL at the end.
 */
struct flow *flow_next(const struct flow_table *t, const struct flow *f)
{
	uint32_t i = f ? (uint32_t)(f - t->flows) + 1 : 0;

	while (i < t->fresh && !t->flows[i].used)
		i++;
	return i < t->fresh ? &t->flows[i] : NULL;
}

// SPDX-License-Identifier: ISC
/*
 * redirect.c - flows that a policy hands to a program of the host.
 *
 *	ADDR:PORT of the flow's family, no header:	guest --filter, nat--> libslirp --> target
 *	all others:					guest --filter, nat--> libslirp --> inlet --relay--> target
 *
 * The first needs nothing but the NAT: libslirp connects, and what the target answers is what the guest hears. For the
 * others, the NAT's slot of the connection that the inlet gets says between whom it is and which target's: nothing is
 * guessed. The guest is connected before the target is asked. If that refuses, the guest is reset: cut(). If the guest
 * resets, or its flow ends otherwise than by both sides' wish, so does the target's connection: redirects_ended(). One
 * whose flow has ended by both sides' wish goes on until all is said, on its own: the next flow may have the same key.
 *
 * The targets' paths are looked up at each connection, as seen by the confined process. A place is a target's for good;
 * when all are taken, one that no policy has any more and that was freed first is given to another. One place is not a
 * target's: flows that this process serves itself.
 */
#include "redirect.h"

#include <errno.h>

#include "filter.h"
#include "inlet.h"
#include "log.h"
#include "loop.h"
#include "policy.h"
#include "relay.h"
#include "util.h"

enum { NO_PLACE, SERVICE, FIRST };      /* flow_verdict.place: of a target, FIRST and its index */
enum { PROXY_HEADER = 16 + 36 };

struct place {
	struct policy_target target;
	uint64_t used;                  /* the count of redirects_use() when it was last of a policy */
};

struct conn {
	bool used;
	const struct nat_slot *slot;    /* its flow's, of @nat; NULL: that has ended */
	const struct nat *nat;
	struct flow_key key;
};

struct redirects {
	const struct subnet *s;
	struct redirect_ops ops;
	void *arg;
	struct inlet *inlet;
	struct relays *relays;
	unsigned int places;
	uint64_t uses;
	struct redirect_figures figures;
	struct place place[REDIRECT_TARGETS];
	struct conn conn[REDIRECT_RELAYS];
};

/* -- targets -- */

static bool is_local(const struct addr *a)
{
	static const struct addr local6 = { .b = { [15] = 1 } };
	const struct addr local4 = addr_v4((const uint8_t[]){ 127, 0, 0, 1 });

	return addr_equal(a, &local4) || addr_equal(a, &local6);
}

/* Whether libslirp can connect by itself, and does not take it for its own network, and frames can come from there. */
static bool is_direct(const struct redirects *r, const struct policy_target *t, bool v4)
{
	const struct addr *a = &t->addr;

	if (*t->path || t->proxy_v2 || addr_is_v4(a) != v4 || pkt_is_group(a) || addr_in(a, v4 ? &r->s->net4 : &r->s->net6))
		return false;
	return !v4 || a->b[12] != 127 || is_local(a);
}

static bool same(const struct policy_target *x, const struct policy_target *y)
{
	return x->proxy_v2 == y->proxy_v2 && !strcmp(x->path, y->path) &&
	       (*x->path || (x->port == y->port && addr_equal(&x->addr, &y->addr)));
}

static struct place *find(struct redirects *r, const struct policy_target *t)
{
	unsigned int i;

	for (i = 0; i < r->places; i++)
		if (same(&r->place[i].target, t))
			return &r->place[i];
	return NULL;
}

/* A place for another target. Return: NULL when all are of this policy. */
static struct place *take(struct redirects *r)
{
	struct place *oldest = &r->place[0];
	unsigned int i;

	if (r->places < REDIRECT_TARGETS)
		return &r->place[r->places++];
	for (i = 1; i < r->places; i++)
		if (r->place[i].used < oldest->used)
			oldest = &r->place[i];
	return oldest->used < r->uses ? oldest : NULL;
}

static int use(struct redirects *r, const struct policy_target *t, size_t count)
{
	struct place *at;
	size_t i;

	r->uses++;
	for (i = 0; i < count; i++)
		if ((at = find(r, &t[i])))
			at->used = r->uses;
	for (i = 0; i < count; i++) {
		if (find(r, &t[i]))
			continue;
		at = take(r);
		if (!at)
			return -ENOSPC;
		*at = (struct place){ .target = t[i], .used = r->uses };
	}
	return 0;
}

/**
 * redirects_use() - there is another policy
 * @r
 * @p: read now; each of its targets gets its place, and keeps the one that it has
 * Return: 0; -ENOSPC: it has more than REDIRECT_TARGETS different ones; -ENOMEM. Then nothing is changed.
 */
int redirects_use(struct redirects *r, const struct policy *p)
{
	size_t count;
	const struct policy_target *t = policy_targets(p, &count);
	unsigned int places = r->places;
	autofree struct place *was = malloc(sizeof(r->place));
	int err = was ? 0 : -ENOMEM;

	if (err)
		return err;
	memcpy(was, r->place, sizeof(r->place));
	err = use(r, t, count);
	if (err) {
		memcpy(r->place, was, sizeof(r->place));
		r->places = places;
	}
	return err;
}

/** redirects_private() - whether a place is one that flows are led to: the guest may not. @r, @a, @port. Return: so. */
bool redirects_private(const struct redirects *r, const struct addr *a, uint16_t port)
{
	return inlet_owns(r->inlet, a, port);
}

/* Whether there is a relay for a flow. */
static bool has_relay(const struct redirects *r, const struct flow_key *key)
{
	unsigned int i = 0;

	while (i < REDIRECT_RELAYS && !(r->conn[i].slot && !memcmp(&r->conn[i].key, key, sizeof(*key))))
		i++;
	return i < REDIRECT_RELAYS;
}

/**
 * redirects_verdict() - say where a flow is carried to
 * @r
 * @t: of the policy that redirects_use() was told of
 * @key: the flow's, which begins, or is judged again
 * @v: `redirect`, `to`, `to_port` and `place` are set
 * Return: whether there is a way and room for it; if not, which is counted, deny it.
 */
bool redirects_verdict(struct redirects *r, const struct policy_target *t, const struct flow_key *key,
		       struct flow_verdict *v)
{
	bool v4 = addr_is_v4(&key->remote);
	const struct place *at;

	v->redirect = true;
	if (is_direct(r, t, v4)) {
		/* A frame from the loopback is none; behind the gateway is the same. */
		v->to = !is_local(&t->addr) ? t->addr : v4 ? r->s->gateway4 : r->s->gateway6;
		v->to_port = t->port;
		v->place = NO_PLACE;
		return true;
	}
	at = find(r, t);
	if (!at || (relays_full(r->relays) && !has_relay(r, key)) || !inlet_lead(r->inlet, v4, v)) {
		r->figures.refused++;
		return false;
	}
	v->place = (uint16_t)(FIRST + (at - r->place));
	return true;
}

/**
 * redirects_service() - carry a flow to who serves it
 * @r
 * @v4: it is of IPv4
 * @v: changed
 * Return: whether there is a way.
 */
bool redirects_service(const struct redirects *r, bool v4, struct flow_verdict *v)
{
	v->redirect = true;
	v->place = SERVICE;
	return inlet_lead(r->inlet, v4, v);
}

/* -- connections -- */

/* PROXY protocol, version 2: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt §2.2. Return: its length. */
static size_t proxy_header(uint8_t h[PROXY_HEADER], const struct flow_key *key)
{
	bool v4 = addr_is_v4(&key->remote);
	size_t len = v4 ? 4 : 16, at = 16, skip = 16 - len;

	memcpy(h, "\r\n\r\n\0\r\nQUIT\n", 12);
	h[12] = 0x21;                   /* version 2, PROXY */
	h[13] = v4 ? 0x11 : 0x21;       /* TCP over IPv4, IPv6 */
	put_be16(h + 14, (uint16_t)(2 * len + 4));
	memcpy(h + at, key->guest.b + skip, len);
	memcpy(h + at + len, key->remote.b + skip, len);
	put_be16(h + at + 2 * len, key->guest_port);
	put_be16(h + at + 2 * len + 2, key->remote_port);
	return at + 2 * len + 4;
}

static int target_socket(const struct policy_target *t, struct hostsock_addr *to)
{
	int fd;

	if (*t->path)
		hostsock_path(to, t->path);
	else
		hostsock_addr(to, &t->addr, t->port);
	fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static void connect_target(struct redirects *r, int *near, const struct policy_target *t, const struct nat *nat,
			   const struct nat_slot *slot)
{
	struct relay_plan plan = { .tag = 0 };
	struct conn *c;
	int far;

	while (plan.tag < REDIRECT_RELAYS && r->conn[plan.tag].used)
		plan.tag++;
	far = plan.tag < REDIRECT_RELAYS ? target_socket(t, &plan.to) : -1;
	if (far < 0) {
		r->figures.refused++;
		cleanup_fd(near);
		return;
	}
	c = &r->conn[plan.tag];
	c->nat = nat;
	c->key = (struct flow_key){ .guest = slot->guest, .remote = slot->remote, .guest_port = slot->guest_port,
				    .remote_port = slot->remote_port, .proto = PKT_PROTO_TCP };
	if (t->proxy_v2)
		plan.headlen = proxy_header(plan.head, &c->key);
	c->used = !relays_open(r->relays, near, &far, &plan);
	c->slot = c->used ? slot : NULL;
	r->figures.refused += !c->used;
}

static void on_done(void *arg, uint32_t tag, int err)
{
	struct redirects *r = arg;
	struct conn *c = &r->conn[tag];
	bool goes_on = c->slot;

	c->used = false;
	c->slot = NULL;
	if (!err)
		return;
	r->figures.failed++;
	debug("redirect: a target failed: %s", errstr(-err));
	if (goes_on)
		r->ops.cut(r->arg, c->nat, &c->key);
}

static void on_inlet(void *arg, int *near, const struct nat *nat, const struct nat_slot *slot)
{
	struct redirects *r = arg;
	unsigned int i = (unsigned int)slot->place - FIRST;

	if (slot->place == SERVICE)
		r->ops.serve(r->arg, near);
	else if (slot->place >= FIRST && i < r->places)
		connect_target(r, near, &r->place[i].target, nat, slot);
}

/**
 * redirects_opened() - the stack has opened a descriptor for a guest's frame; call it right after
 * @r, @nat, @frame, @len: as inlet_opened() has them
 */
void redirects_opened(struct redirects *r, const struct nat *nat, const uint8_t *frame, size_t len)
{
	inlet_opened(r->inlet, nat, frame, len);
}

/**
 * redirects_ended() - a redirected flow has ended
 * @r
 * @slot: its; not closed yet
 * @closed: by the wish of both sides
 */
void redirects_ended(struct redirects *r, const struct nat_slot *slot, bool closed)
{
	uint32_t tag = 0;

	while (tag < REDIRECT_RELAYS && r->conn[tag].slot != slot)
		tag++;
	if (tag == REDIRECT_RELAYS)
		return;
	r->conn[tag].slot = NULL;
	if (!closed)
		relays_cancel(r->relays, tag);
}

/** redirects_address() - the address that none of the network's guests may have. @r. @a: set. Return: whether there is one. */
bool redirects_address(const struct redirects *r, struct addr *a)
{
	return inlet_address(r->inlet, a);
}

/** redirects_figures() - what there is, and was. @r. Return: figures. */
struct redirect_figures redirects_figures(const struct redirects *r)
{
	struct redirect_figures f = r->figures;

	f.open = relays_count(r->relays);
	f.refused += inlet_refused(r->inlet);
	return f;
}

/**
 * redirects_new() - no target yet; before confinement, as inlet_new()
 * @l, @st, @s: borrowed for as long
 * @ops: copied
 * @arg: theirs
 * Return: it; NULL with errno.
 */
struct redirects *redirects_new(struct loop *l, struct stack *st, const struct subnet *s, const struct redirect_ops *ops,
				void *arg)
{
	struct redirects *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	r->s = s;
	r->ops = *ops;
	r->arg = arg;
	r->relays = relays_new(l, REDIRECT_RELAYS, on_done, r);
	r->inlet = r->relays ? inlet_new(l, st, s, on_inlet, r) : NULL;
	if (r->inlet)
		return r;
	err = errno;
	redirects_free(r);
	errno = err;
	return NULL;
}

/** redirects_free() - close all connections. @r: may be NULL. The stack is not to be fed any more. */
void redirects_free(struct redirects *r)
{
	if (!r)
		return;
	relays_free(r->relays);
	inlet_free(r->inlet);
	free(r);
}

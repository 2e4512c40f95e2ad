// SPDX-License-Identifier: ISC
/*
 * router.c - the virtual network as a whole.
 *
 *	guest <== member ==> stack <== sockets ==> the host's network
 *	            |   \
 *	          judge  dns <== sockets ==> the host's DNS servers
 *
 * A member is a guest's cable and filter. There is one; or there are several, on a switch (lan.h), behind one stack, one
 * DNS server and one policy.
 *
 * One thread, one loop, nothing that waits. Frames of a batch go through a filter one by one; the stack is asked what
 * it waits for once a batch, and what is due to the guests leaves with one write for each at its end. What one does not
 * read waits in its own cable, and is dropped there.
 */
#include "router.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "dnshosts.h"
#include "log.h"
#include "loop.h"
#include "util.h"

enum { TICK_MSEC = 1000 };

_Static_assert(sizeof(struct router) < 2 << 20, "allocated at once");

/** router_now() - milliseconds of a clock that never goes back, more than 0. Return: them. */
uint64_t router_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* -- the guests -- */

/* Whose guest an address is. */
static struct member *member_at(struct router *r, const struct addr *a)
{
	int port = r->lan ? lan_owner(r->lan, a) : 0;

	return port < 0 ? NULL : r->member[port];
}

/* One guest for another. */
static void across(void *arg, unsigned int port, const uint8_t *frame, size_t len)
{
	struct router *r = arg;
	struct iovec iov = { (void *)(uintptr_t)frame, len };

	cable_send(&r->member[port]->cable, &iov, 1);
}

/* Names that guests have said, as such and in the network's domain. */
static const char *full_name(const struct router *r, const char *name, char full[SEAT_NAME + SUBNET_DOMAIN + 1])
{
	snprintf(full, SEAT_NAME + SUBNET_DOMAIN + 1, "%s.%s", name, r->subnet.domain);
	return full;
}

static void unname(struct router *r, const char *name)
{
	char full[SEAT_NAME + SUBNET_DOMAIN + 1];

	if (!*name)
		return;
	dnshosts_remove(dns_hosts(r->dns), name);
	if (*r->subnet.domain)
		dnshosts_remove(dns_hosts(r->dns), full_name(r, name, full));
}

static int add_name(struct router *r, const struct member *m, const char *name)
{
	struct dnshosts *h = dns_hosts(r->dns);
	int err = 0;

	if (m->subnet.v4)
		err = dnshosts_add(h, name, &m->subnet.guest4);
	if (!err && m->subnet.v6)
		err = dnshosts_add(h, name, &m->subnet.guest6);
	return err;
}

static int set_name(struct router *r, const struct member *m, const char *name)
{
	char full[SEAT_NAME + SUBNET_DOMAIN + 1];
	int err = *name ? add_name(r, m, name) : 0;

	if (!err && *name && *r->subnet.domain)
		err = add_name(r, m, full_name(r, name, full));
	if (err)
		unname(r, name);
	return err;
}

static void has_addresses(struct router *r, unsigned int port)
{
	struct member *m = r->member[port];

	m->subnet.guest4 = r->lan->port[port].addr4;
	m->subnet.guest6 = r->lan->port[port].addr6;
}

static void moved(void *arg, unsigned int port)
{
	struct router *r = arg;
	const char *name = lan_name(r->lan, port);

	unname(r, name);
	has_addresses(r, port);
	if (set_name(r, r->member[port], name))
		warn("dns: %s: no room for this name", name);
}

static const struct lan_ops lan_ops = { .send = across, .moved = moved };

/*
 * What waits in the stack for an answer that it has. It knows STACK_NEIGHBOURS at a time: of more questions in one turn
 * the first have been forgotten, and are answered again.
 */
static void send_waiting(struct router *r)
{
	unsigned int at = 0, end;

	for (; at < r->questions; at = end) {
		bool forgotten = r->questions > STACK_NEIGHBOURS;

		for (end = at; end < r->questions && end < at + STACK_NEIGHBOURS; end++)
			if (forgotten)
				member_output(r->member[r->question[end].port], r->question[end].frame, r->question[end].len);
		stack_nudge(r->stack);          /* which may ask more */
	}
	r->questions = 0;
}

/* The end of a turn: what was gathered leaves. */
static void settled(void *arg)
{
	struct router *r = arg;
	int i;

	if (r->questions)
		send_waiting(r);
	for (i = 0; i < LAN_PORTS; i++)
		if (member_plugged(r->member[i]))
			cable_flush(&r->member[i]->cable);
	journal_flush(&r->journal);
	if (r->pcap.fd >= 0 && pcap_flush(&r->pcap))
		debug("pcap: %s", errstr(-r->pcap.err));
}

static void remember(struct router *r, unsigned int port, const uint8_t *frame, size_t len)
{
	struct router_question *q = &r->question[r->questions];

	if (r->questions == ROUTER_QUESTIONS || len > ROUTER_QUESTION) {
		r->questions_refused++;
		return;
	}
	r->questions++;
	q->port = port;
	q->len = len;
	memcpy(q->frame, frame, len);
}

static void from_stack(void *arg, const uint8_t *frame, size_t len)
{
	struct router *r = arg;
	bool asks = false;
	int port = r->lan ? lan_target(r->lan, frame, len, &asks) : 0;

	if (port < 0 || !r->member[port])
		return;
	if (asks)
		remember(r, (unsigned int)port, frame, len);
	member_output(r->member[port], frame, len);
}

/* The target of a redirect has failed. */
static void cut(void *arg, const struct nat *nat, const struct flow_key *key)
{
	struct router *r = arg;
	int i = 0;

	while (!r->member[i] || &r->member[i]->filter.nat != nat)
		i++;
	member_cut(r->member[i], key);
	stack_settle(r->stack);
}

/* -- DNS -- */

static bool name_allowed(void *arg, const char *name)
{
	struct policy_verdict v;

	judge_name(arg, name, &v);
	return v.allow;
}

static void learned(void *arg, const char *name, const struct addr *a, uint32_t seconds)
{
	struct router *r = arg;

	if (names_learn(r->names, name, a, seconds, router_now()))
		debug("dns: %s: no room for another address", name);
}

static bool told(void *arg, const struct addr *a)
{
	return judge_told(arg, a);
}

static void answer(void *arg, const struct dns_client *c, const uint8_t *msg, size_t len)
{
	struct router *r = arg;
	struct filter_dns to = { .port = get_le16(c->ref + 22) };
	struct member *m;

	if (c->tcp) {
		dnstcp_answer(r->dnstcp, c, msg, len);
		return;
	}
	memcpy(to.guest.b, c->ref, 16);
	memcpy(to.mac, c->ref + 16, PKT_MAC);
	to.server = addr_is_v4(&to.guest) ? r->subnet.dns4 : r->subnet.dns6;
	m = member_at(r, &to.guest);
	if (m)
		member_answer(m, &to, msg, len);
}

static void by_tcp(void *arg, int *fd)
{
	struct router *r = arg;

	dnstcp_take(r->dnstcp, fd);
}

static const struct redirect_ops redirect_ops = { .cut = cut, .serve = by_tcp };

/* -- all of it -- */

static void on_tick(void *arg, uint32_t events)
{
	struct router *r = arg;
	int i;

	(void)events;
	loop_timer_set(r->loop, r->timer, TICK_MSEC);
	for (i = 0; i < LAN_PORTS; i++)
		if (r->member[i])
			member_tick(r->member[i]);
	stack_settle(r->stack);
}

static void describe_space(struct router *r)
{
	const struct subnet *s = &r->subnet;

	space_init(&r->space);
	if (s->v4) {
		space_add_virtual(&r->space, &s->net4);
		space_add_router(&r->space, &s->gateway4, SPACE_GATEWAY);
		space_add_router(&r->space, &s->dns4, SPACE_DNS);
	}
	if (s->v6) {
		space_add_virtual(&r->space, &s->net6);
		space_add_router(&r->space, &s->gateway6, SPACE_GATEWAY);
		space_add_router(&r->space, &s->dns6, SPACE_DNS);
	}
}

/* The guest that there is without a switch; or the switch. */
static int make_room(struct router *r, bool several)
{
	struct addr private;

	if (!several) {
		r->member[0] = member_new(r, 0, FLOW_MAX);
		return r->member[0] ? 0 : -errno;
	}
	r->lan = calloc(1, sizeof(*r->lan));
	if (!r->lan)
		return -ENOMEM;
	lan_init(r->lan, &r->subnet, &lan_ops, r);
	if (redirects_address(r->redirects, &private))
		seats_bar(&r->lan->seats, &private);
	return 0;
}

static int start(struct router *r, bool several)
{
	struct dns_config dns = {
		.loop = r->loop, .arg = r, .allowed = name_allowed, .learned = learned, .keep = told, .answer = answer,
		.udp_max = r->subnet.mtu - PKT_IP6 - 8,
	};
	int err;

	describe_space(r);
	r->names = names_new(ROUTER_NAMES);
	r->dns = dns_new(&dns);
	r->dnstcp = r->dns ? dnstcp_new(r->loop, r->dns) : NULL;
	r->stack = stack_new(r->loop, &r->subnet, from_stack, settled, r);
	r->timer = loop_timer(r->loop, on_tick, r);
	if (!r->names || !r->dnstcp || !r->stack || r->timer < 0)
		return -ENOMEM;
	r->forwards = forwards_new(r->loop, r->stack, &r->subnet);
	if (!r->forwards)
		return -ENOMEM;
	r->redirects = redirects_new(r->loop, r->stack, &r->subnet, &redirect_ops, r);
	if (!r->redirects)
		return -errno;
	err = redirects_use(r->redirects, r->policy);
	if (err)
		return err;
	err = make_room(r, several);
	if (!err)
		loop_timer_set(r->loop, r->timer, TICK_MSEC);
	return err;
}

/**
 * router_new() - a network without a guest
 * @loop: borrowed for as long
 * @s: copied
 * @p: a reference of its own is taken
 * @several: guests, up to LAN_PORTS on a switch; else one
 * Return: freed with router_free(); NULL with errno.
 */
struct router *router_new(struct loop *loop, const struct subnet *s, struct policy *p, bool several)
{
	struct router *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	r->loop = loop;
	r->subnet = *s;
	r->policy = policy_ref(p);
	r->timer = -1;
	r->pcap.fd = -1;
	journal_open(&r->journal, -1);
	err = start(r, several);
	if (!err)
		return r;
	router_free(r);
	errno = -err;
	return NULL;
}

/** router_free() - end it; who talked to the guests is not told. @r: may be NULL. */
void router_free(struct router *r)
{
	int i;

	if (!r)
		return;
	loop_timer_del(r->loop, &r->timer);
	for (i = 0; i < LAN_PORTS; i++)
		if (member_plugged(r->member[i]))
			filter_reset(&r->member[i]->filter, NULL);      /* its flows' ends are logged */
	redirects_free(r->redirects);
	forwards_free(r->forwards);
	for (i = 0; i < LAN_PORTS; i++)
		member_free(r->member[i]);
	stack_free(r->stack);
	dnstcp_free(r->dnstcp);
	dns_free(r->dns);
	names_free(r->names);
	free(r->lan);
	journal_close(&r->journal);
	pcap_free(&r->pcap);
	policy_unref(r->policy);
	free(r);
}

/* The port for a guest of that name, with room for it. */
static int join(struct router *r, const char *name)
{
	char full[SEAT_NAME + SUBNET_DOMAIN + 1];
	int port;

	if (*name && !seat_name_ok(name))
		return -EINVAL;
	if (*name && (dnshosts_knows(dns_hosts(r->dns), name) ||
		      (*r->subnet.domain && dnshosts_knows(dns_hosts(r->dns), full_name(r, name, full)))))
		return -EEXIST;
	port = lan_join(r->lan, name);
	if (port < 0)
		return -EBUSY;
	if (!r->member[port])
		r->member[port] = member_new(r, (unsigned int)port, ROUTER_FLOWS);
	if (!r->member[port]) {
		lan_leave(r->lan, (unsigned int)port);
		return -ENOMEM;
	}
	has_addresses(r, (unsigned int)port);
	return port;
}

/**
 * router_plug() - a guest is there
 * @r
 * @name: that the others are to know it by; NULL: none. Without a switch nobody asks.
 * @fd: its frames, consumed on success
 * Return: its port; -EBUSY: one is there, or as many as can be; -EINVAL: @name is no host's; -EEXIST: another is called
 * so; -errno.
 */
int router_plug(struct router *r, const char *name, int *fd)
{
	int port = 0, err;

	if (!r->lan && member_plugged(r->member[0]))
		return -EBUSY;
	if (r->lan)
		port = join(r, name ? name : "");
	if (port < 0)
		return port;
	err = member_plug(r->member[port], fd);
	if (r->lan && !err)
		err = set_name(r, r->member[port], lan_name(r->lan, (unsigned int)port));
	if (err && r->lan) {
		cable_unplug(&r->member[port]->cable);
		lan_leave(r->lan, (unsigned int)port);
	}
	r->taken += !err;
	return err ? err : port;
}

/**
 * router_limit() - let no more than so much pass in a second, either way, for each guest
 * @r: nobody is plugged in
 * @rate: bytes, at least 1000
 * Return: 0, -errno.
 */
int router_limit(struct router *r, uint64_t rate)
{
	r->rate = rate;
	return r->member[0] ? cable_limit(&r->member[0]->cable, rate) : 0;
}

/** router_left() - a guest is gone. @r. @m: it was this one's; its cable is unplugged. */
void router_left(struct router *r, struct member *m)
{
	if (!r->lan)
		return;
	unname(r, lan_name(r->lan, m->port));
	lan_leave(r->lan, m->port);
}

/**
 * router_use() - the policy is another
 * @r
 * @p: a reference of its own is taken
 * @live: flows under way are judged by it now; else they stay
 * Return: how many of them ended; -ENOSPC for more targets than there can be, -ENOMEM: nothing is changed.
 */
int router_use(struct router *r, struct policy *p, bool live)
{
	struct policy *old = r->policy;
	int ended = 0, err, i;

	err = redirects_use(r->redirects, p);
	if (err)
		return err;
	r->policy = policy_ref(p);
	policy_unref(old);
	for (i = 0; i < LAN_PORTS; i++)
		if (r->member[i])
			ended += (int)member_reload(r->member[i], live);
	stack_settle(r->stack);
	return ended;
}

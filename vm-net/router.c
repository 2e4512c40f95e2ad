// SPDX-License-Identifier: ISC
/*
 * router.c - the virtual network as a whole.
 *
 *	guest <== cable ==> filter <== frames ==> stack <== sockets ==> the host's network
 *	                    |    \
 *	                  judge   dns <== sockets ==> the host's DNS servers
 *
 * One thread, one loop, nothing that waits. Frames of a batch go through the filter one by one; the stack is asked what
 * it waits for once a batch, and what is due to the guest leaves with one write at its end.
 */
#include "router.h"

#include <errno.h>
#include <time.h>

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

static uint64_t wall_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* -- the cable -- */

static void on_frame(void *arg, const uint8_t *frame, size_t len)
{
	struct router *r = arg;
	struct iovec iov = { (void *)(uintptr_t)frame, len };

	if (r->pcap.fd >= 0)
		pcap_frame(&r->pcap, wall_usec(), true, &iov, 1);
	filter_clock(&r->filter, router_now());
	filter_input(&r->filter, frame, len);
}

static void on_batch(void *arg)
{
	struct router *r = arg;

	stack_settle(r->stack);
}

static void on_gone(void *arg)
{
	struct router *r = arg;

	filter_clock(&r->filter, router_now());
	filter_reset(&r->filter, NULL);
	stack_settle(r->stack);
	if (r->gone)
		r->gone(r->arg);
}

static const struct cable_ops cable_ops = { .frame = on_frame, .batch = on_batch, .gone = on_gone };

/* The end of a turn: what was gathered leaves. */
static void settled(void *arg)
{
	struct router *r = arg;

	cable_flush(&r->cable);
	journal_flush(&r->journal);
	if (r->pcap.fd >= 0 && pcap_flush(&r->pcap))
		debug("pcap: %s", errstr(-r->pcap.err));
}

/* -- the filter -- */

static void to_guest(void *arg, const struct iovec *iov, unsigned int n)
{
	struct router *r = arg;

	if (r->pcap.fd >= 0)
		pcap_frame(&r->pcap, wall_usec(), false, iov, n);
	cable_send(&r->cable, iov, n);
}

static void to_stack(void *arg, const uint8_t *frame, size_t len)
{
	struct router *r = arg;

	stack_input(r->stack, frame, len);
	if (r->redirects)
		redirects_passed(r->redirects, frame, len);
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	return judge_flow(arg, key, v);
}

static bool named(void *arg, const struct flow *f, const char *name, struct flow_verdict *v)
{
	return judge_named(arg, f, name, v);
}

static bool inbound(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	const struct router *r = arg;

	(void)v;
	return forwards_inbound(r->forwards, key);
}

/* The target of a redirect has failed. */
static void cut(void *arg, const struct flow_key *key)
{
	struct router *r = arg;

	filter_clock(&r->filter, router_now());
	filter_cut(&r->filter, key);
	stack_settle(r->stack);
}

static void done(void *arg, const struct flow *f, enum flow_end why)
{
	struct router *r = arg;
	const struct names_entry *at = NULL;
	const char *name = f->name;

	if (!name && journal_wanted(&r->journal))
		name = names_next(r->names, &f->key.remote, router_now(), &at);

	journal_end(&r->journal, f, name ? name : "", why, router_now());
}

static void query(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len)
{
	struct router *r = arg;
	struct dns_client c = { 0 };

	memcpy(c.ref, from->guest.b, 16);
	memcpy(c.ref + 16, from->mac, PKT_MAC);
	put_le16(c.ref + 22, from->port);
	dns_query(r->dns, &c, msg, len);
}

static const struct filter_ops filter_ops = {
	.output = to_guest, .pass = to_stack, .dns = query, .judge = judge, .inbound = inbound,
	.done = done, .named = named,
};

static void from_stack(void *arg, const uint8_t *frame, size_t len)
{
	struct router *r = arg;

	filter_clock(&r->filter, router_now());
	filter_output(&r->filter, frame, len);
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

	if (c->tcp) {
		dnstcp_answer(r->dnstcp, c, msg, len);
		return;
	}
	memcpy(to.guest.b, c->ref, 16);
	memcpy(to.mac, c->ref + 16, PKT_MAC);
	to.server = addr_is_v4(&to.guest) ? r->subnet.dns4 : r->subnet.dns6;
	if (filter_dns_answer(&r->filter, &to, msg, len))
		debug("dns: an answer of %zu bytes found no way to the guest", len);
	cable_flush(&r->cable);
}

static void by_tcp(void *arg, int *fd)
{
	struct router *r = arg;

	dnstcp_take(r->dnstcp, fd);
}

/* -- all of it -- */

static void on_tick(void *arg, uint32_t events)
{
	struct router *r = arg;

	(void)events;
	loop_timer_set(r->loop, r->timer, TICK_MSEC);
	filter_clock(&r->filter, router_now());
	filter_tick(&r->filter);
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

static int start(struct router *r)
{
	struct dns_config dns = {
		.loop = r->loop, .arg = r, .allowed = name_allowed, .learned = learned, .keep = told, .answer = answer,
		.udp_max = r->subnet.mtu - PKT_IP6 - 8,
	};
	int err;

	describe_space(r);
	err = cable_init(&r->cable, r->loop, &cable_ops, r);
	if (!err)
		err = filter_init(&r->filter, &r->subnet, NULL, FLOW_MAX, &filter_ops, r);
	if (err)
		return err;
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
	r->redirects = redirects_new(r->loop, r->stack, &r->subnet, &r->filter.nat, cut, r);
	if (!r->redirects && errno != EADDRNOTAVAIL)
		return -errno;
	if (r->redirects && redirects_use(r->redirects, r->policy))
		return -ENOSPC;
	if (r->redirects && redirects_serve(r->redirects, by_tcp, r))
		return -EADDRINUSE;
	loop_timer_set(r->loop, r->timer, TICK_MSEC);
	return 0;
}

/**
 * router_new() - a network without a guest
 * @loop: borrowed for as long
 * @s: copied
 * @p: a reference of its own is taken
 * Return: freed with router_free(); NULL with errno.
 */
struct router *router_new(struct loop *loop, const struct subnet *s, struct policy *p)
{
	struct router *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	r->loop = loop;
	r->subnet = *s;
	r->policy = policy_ref(p);
	r->timer = -1;
	r->cable.fd = r->cable.watch = -1;
	r->pcap.fd = -1;
	journal_open(&r->journal, -1);
	err = start(r);
	if (!err)
		return r;
	router_free(r);
	errno = -err;
	return NULL;
}

/** router_free() - end it; who talked to the guest is not told. @r: may be NULL. */
void router_free(struct router *r)
{
	if (!r)
		return;
	loop_timer_del(r->loop, &r->timer);
	if (cable_plugged(&r->cable))
		filter_reset(&r->filter, NULL);         /* its flows' ends are logged */
	redirects_free(r->redirects);
	forwards_free(r->forwards);
	filter_free(&r->filter);
	stack_free(r->stack);
	dnstcp_free(r->dnstcp);
	dns_free(r->dns);
	names_free(r->names);
	cable_free(&r->cable);
	journal_close(&r->journal);
	pcap_free(&r->pcap);
	policy_unref(r->policy);
	free(r);
}

/** router_plug() - a guest is there. @r. @fd: its frames, consumed on success. Return: 0, -EBUSY: one is; -errno. */
int router_plug(struct router *r, int *fd)
{
	int err = cable_plugged(&r->cable) ? -EBUSY : cable_plug(&r->cable, fd);

	r->taken += !err;
	return err;
}

/**
 * router_use() - the policy is another
 * @r
 * @p: a reference of its own is taken
 * @live: flows under way are judged by it now; else they stay
 * Return: how many of them ended; -ENOSPC for more targets than there can be: nothing is changed.
 */
int router_use(struct router *r, struct policy *p, bool live)
{
	struct policy *old = r->policy;
	int ended;

	if (r->redirects && redirects_use(r->redirects, p))
		return -ENOSPC;
	r->policy = policy_ref(p);
	policy_unref(old);
	filter_clock(&r->filter, router_now());
	ended = (int)filter_reload(&r->filter, live);
	stack_settle(r->stack);
	return ended;
}

// SPDX-License-Identifier: ISC
/*
 * member.c - one guest of the network: its cable, its addresses, its filter.
 *
 *	guest <== cable ==> filter <== frames ==> the router's stack
 *	            |         \
 *	      other members   judge, DNS
 *
 * Without a switch there is one, which hands every frame to its filter. With one, frames for other guests leave at the
 * cable (lan.h), and the filter sees those for the gateway.
 */
#include "member.h"

#include <errno.h>
#include <time.h>

#include "log.h"
#include "router.h"
#include "util.h"

static uint64_t wall_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* -- the cable -- */

static void on_frame(void *arg, const uint8_t *frame, size_t len)
{
	struct member *m = arg;
	struct router *r = m->router;
	struct iovec iov = { (void *)(uintptr_t)frame, len };
	enum pkt_drop why;
	bool up = true;
	struct pkt p;

	if (r->pcap.fd >= 0)
		pcap_frame(&r->pcap, wall_usec(), true, &iov, 1);
	filter_clock(&m->filter, router_now());
	why = pkt_parse(frame, len, &p);
	if (!why && r->lan)
		why = lan_frame(r->lan, m->port, &p, &up);
	if (why || up)
		filter_parsed(&m->filter, why, &p);
}

static void on_batch(void *arg)
{
	struct member *m = arg;

	stack_settle(m->router->stack);
}

static void on_gone(void *arg)
{
	struct member *m = arg;

	filter_clock(&m->filter, router_now());
	filter_reset(&m->filter, NULL);
	router_left(m->router, m);
	stack_settle(m->router->stack);
}

static const struct cable_ops cable_ops = { .frame = on_frame, .batch = on_batch, .gone = on_gone };

/* -- the filter -- */

static void to_guest(void *arg, const struct iovec *iov, unsigned int n)
{
	struct member *m = arg;

	if (m->router->pcap.fd >= 0)
		pcap_frame(&m->router->pcap, wall_usec(), false, iov, n);
	cable_send(&m->cable, iov, n);
}

static void to_stack(void *arg, const uint8_t *frame, size_t len)
{
	struct member *m = arg;
	struct router *r = m->router;

	if (stack_input(r->stack, frame, len))
		redirects_opened(r->redirects, &m->filter.nat, frame, len);
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	struct member *m = arg;

	return judge_flow(m->router, key, v);
}

static bool named(void *arg, const struct flow *f, const char *name, struct flow_verdict *v)
{
	struct member *m = arg;

	return judge_named(m->router, f, name, v);
}

static bool inbound(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	const struct member *m = arg;

	(void)v;
	return forwards_inbound(m->router->forwards, key);
}

static void done(void *arg, const struct flow *f, enum flow_end why)
{
	struct member *m = arg;
	struct router *r = m->router;
	const struct names_entry *at = NULL;
	const char *name = f->name;

	/* Who had said all may go before the target has read it. */
	if (f->nat)
		redirects_ended(r->redirects, nat_slot(&m->filter.nat, f->nat),
				why == FLOW_END_CLOSED || (why == FLOW_END_GONE && f->class == FLOW_CLOSING));
	if (!name && journal_wanted(&r->journal))
		name = names_next(r->names, &f->key.remote, router_now(), &at);
	journal_end(&r->journal, f, name ? name : "", why, router_now());
}

static void query(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len)
{
	struct member *m = arg;
	struct dns_client c = { 0 };

	memcpy(c.ref, from->guest.b, 16);
	memcpy(c.ref + 16, from->mac, PKT_MAC);
	put_le16(c.ref + 22, from->port);
	dns_query(m->router->dns, &c, msg, len);
}

static const struct filter_ops filter_ops = {
	.output = to_guest, .pass = to_stack, .dns = query, .judge = judge, .inbound = inbound,
	.done = done, .named = named,
};

/* -- all of it -- */

/**
 * member_new() - room for a guest
 * @r: borrowed for as long; its loop and subnet are there
 * @port: its number
 * @flows: that it may have at a time
 * Return: freed with member_free(); NULL with errno.
 */
struct member *member_new(struct router *r, unsigned int port, uint32_t flows)
{
	struct member *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return NULL;
	m->router = r;
	m->port = port;
	m->subnet = r->subnet;
	err = cable_init(&m->cable, r->loop, &cable_ops, m);
	if (!err && r->rate)
		err = cable_limit(&m->cable, r->rate);
	if (!err)
		err = filter_init(&m->filter, &m->subnet, NULL, flows, &filter_ops, m);
	if (!err)
		return m;
	cable_free(&m->cable);
	free(m);
	errno = -err;
	return NULL;
}

/** member_free() - end it; nobody is told. @m: may be NULL. */
void member_free(struct member *m)
{
	if (!m)
		return;
	filter_free(&m->filter);
	cable_free(&m->cable);
	free(m);
}

/** member_plug() - a guest is there. @m: without. @fd: its frames, consumed on success. Return: 0, -errno. */
int member_plug(struct member *m, int *fd)
{
	int err = cable_plug(&m->cable, fd);

	if (err)
		return err;
	m->in = m->cable.in.frames;
	m->out = m->cable.out.frames;
	m->dropped = m->cable.out.dropped;
	return 0;
}

/** member_tick() - what is due by the clock. @m. */
void member_tick(struct member *m)
{
	filter_clock(&m->filter, router_now());
	filter_tick(&m->filter);
}

/** member_reload() - the policy is another. @m. @live: as for filter_reload(). Return: how many flows ended. */
unsigned int member_reload(struct member *m, bool live)
{
	filter_clock(&m->filter, router_now());
	return filter_reload(&m->filter, live);
}

/** member_cut() - the other side of a flow failed. @m. @key: its flow's. */
void member_cut(struct member *m, const struct flow_key *key)
{
	filter_clock(&m->filter, router_now());
	filter_cut(&m->filter, key);
}

/** member_output() - a frame of the stack for its guest. @m. @frame, @len: borrowed. */
void member_output(struct member *m, const uint8_t *frame, size_t len)
{
	filter_clock(&m->filter, router_now());
	filter_output(&m->filter, frame, len);
}

/** member_answer() - a reply of the DNS server. @m. @to: who asked; perhaps a guest before this one. @msg, @len: of it. */
void member_answer(struct member *m, const struct filter_dns *to, const uint8_t *msg, size_t len)
{
	if (!m->filter.has_mac || memcmp(m->filter.mac, to->mac, PKT_MAC))
		return;
	if (filter_dns_answer(&m->filter, to, msg, len))
		debug("dns: an answer of %zu bytes found no way to the guest", len);
	cable_flush(&m->cable);
}

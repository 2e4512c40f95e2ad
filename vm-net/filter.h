/* SPDX-License-Identifier: ISC */
/* filter.h - the frames between a guest and the stack that carries them out. */
#ifndef FILTER_H
#define FILTER_H

#include "deny.h"
#include "flow.h"
#include "frag.h"
#include "hold.h"
#include "nat.h"
#include "pkt.h"
#include "serve.h"
#include "subnet.h"

/* Who asked the DNS server: give it back with the answer. */
struct filter_dns {
	struct addr guest, server;
	uint16_t port;
	uint8_t mac[PKT_MAC];
};

/* What the filter needs of others. They may call filter_dns_answer(), and otherwise not come back to the filter. */
struct filter_ops {
	/* A frame for the guest. Borrowed until the return. */
	void (*output)(void *arg, const struct iovec *iov, unsigned int n);
	/* A frame for the stack, which may call filter_output() before it returns. */
	void (*pass)(void *arg, const uint8_t *frame, size_t len);
	/* A query to the DNS server by UDP; the answer comes when it comes. */
	void (*dns)(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len);
	/* Whether the guest may begin a flow, or go on with one. Fills in @v when so. */
	bool (*judge)(void *arg, const struct flow_key *key, struct flow_verdict *v);
	/* Whether the stack may begin one: a forward's. NULL: never. */
	bool (*inbound)(void *arg, const struct flow_key *key, struct flow_verdict *v);
	/* A flow has ended. NULL: nobody wants to know. */
	void (*done)(void *arg, const struct flow *f, enum flow_end why);
	/*
	 * Whether a flow whose verdict said `sni` may go on to the server that it has named: @name is canonical.
	 * Fills in @v when so; its `sni` counts no more. Asked again when a reload looks at the flow. NULL: never.
	 */
	bool (*named)(void *arg, const struct flow *f, const char *name, struct flow_verdict *v);
};

struct filter {
	const struct subnet *s;
	const struct filter_ops *ops;
	void *arg;
	uint64_t now;                           /* milliseconds, see filter_clock() */
	bool has_mac;
	uint8_t mac[PKT_MAC];                   /* the guest's */
	struct flow_table flows;
	struct serve serve;
	struct deny_limit deny;
	struct frag_table frag_in, frag_out;    /* of the guest, of the stack */
	struct nat nat;
	struct hold hold;

	/* [PKT_OK]: those that went on. */
	uint64_t guest[PKT_DROPS], stack[PKT_DROPS];
	uint64_t queries;
};

int filter_init(struct filter *f, const struct subnet *s, const uint8_t *mac, uint32_t flows,
		const struct filter_ops *ops, void *arg);
void filter_tick(struct filter *f);
void filter_input(struct filter *f, const uint8_t *frame, size_t len);
void filter_parsed(struct filter *f, enum pkt_drop why, struct pkt *p);
void filter_output(struct filter *f, const uint8_t *frame, size_t len);
int filter_dns_answer(struct filter *f, const struct filter_dns *to, const void *msg, size_t len);
unsigned int filter_reload(struct filter *f, bool live);
void filter_cut(struct filter *f, const struct flow_key *key);
void filter_reset(struct filter *f, const uint8_t *mac);

/** filter_free() - free what it holds. @f: initialized. */
static inline void filter_free(struct filter *f)
{
	hold_free(&f->hold);
	flow_free(&f->flows);
}

/** filter_clock() - tell the time, before frames are handled. @f. @now: milliseconds, more than 0, never going back. */
static inline void filter_clock(struct filter *f, uint64_t now)
{
	f->now = now;
}

#endif

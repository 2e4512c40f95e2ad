/* SPDX-License-Identifier: ISC */
/* net_wire.h - a filter between a guest and a stack that are arrays. */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include "filter.h"
#include "names.h"
#include "net_frames.h"

enum { WIRE_KEPT = 64 };

struct wire_side {
	struct fr kept[WIRE_KEPT];      /* the first ones */
	unsigned int n;
};

static struct {
	struct subnet s;
	struct filter f;
	struct wire_side guest, stack;
	unsigned int queries, judged, ended;
	struct filter_dns from;
	uint8_t query[512];
	size_t query_len;
	bool allow, forwards, redirect, sni, names;
	unsigned int named;
	char name[NAMES_TEXT];
	struct flow_key key;
	struct flow last;
	enum flow_end why;
} w;

static void wire_keep(struct wire_side *side, const struct iovec *iov, unsigned int n)
{
	struct fr *f = &side->kept[side->n < WIRE_KEPT ? side->n : 0];
	unsigned int i;

	if (side->n++ >= WIRE_KEPT)
		return;
	f->len = 0;
	for (i = 0; i < n; i++) {
		if (f->len + iov[i].iov_len > sizeof(f->b))
			abort();
		memcpy(f->b + f->len, iov[i].iov_base, iov[i].iov_len);
		f->len += iov[i].iov_len;
	}
}

static void wire_output(void *arg, const struct iovec *iov, unsigned int n)
{
	(void)arg;
	wire_keep(&w.guest, iov, n);
}

static void wire_pass(void *arg, const uint8_t *frame, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)frame, len };

	(void)arg;
	wire_keep(&w.stack, &iov, 1);
}

static void wire_dns(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len)
{
	(void)arg;
	w.queries++;
	w.from = *from;
	w.query_len = len < sizeof(w.query) ? len : sizeof(w.query);
	memcpy(w.query, msg, w.query_len);
}

static void wire_redirect(struct flow_verdict *v)
{
	v->redirect = w.redirect;
	if (w.redirect) {
		v->to = A("10.0.2.100");
		v->to_port = 8080;
	}
}

static bool wire_judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	w.judged++;
	w.key = *key;
	v->rule = 7;
	v->sni = w.sni;
	wire_redirect(v);
	return w.allow;
}

static bool wire_inbound(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	w.key = *key;
	v->rule = 0;
	return w.forwards;
}

static void wire_done(void *arg, const struct flow *f, enum flow_end why)
{
	(void)arg;
	w.ended++;
	w.last = *f;
	w.why = why;
}

static bool wire_named(void *arg, const struct flow *f, const char *name, struct flow_verdict *v)
{
	(void)arg;
	w.named++;
	w.key = f->key;
	strcpy(w.name, name);
	v->rule = 8;
	wire_redirect(v);
	return w.names;
}

static const struct filter_ops wire_ops = {
	wire_output, wire_pass, wire_dns, wire_judge, wire_inbound, wire_done, wire_named
};

static inline void wire_up(uint32_t flows)
{
	memset(&w, 0, sizeof(w));
	subnet_default(&w.s);
	w.allow = true;
	if (filter_init(&w.f, &w.s, GUEST_MAC, flows, &wire_ops, NULL))
		abort();
	filter_clock(&w.f, 1000);
}

static inline void wire_down(void)
{
	filter_free(&w.f);
}

/* A copy of just its size, so that a sanitizer sees every byte too many. */
static inline void wire_send(const struct fr *f, bool from_guest)
{
	uint8_t *exact = malloc(f->len ? f->len : 1);

	w.guest.n = w.stack.n = 0;
	if (!exact)
		abort();
	memcpy(exact, f->b, f->len);
	if (from_guest)
		filter_input(&w.f, exact, f->len);
	else
		filter_output(&w.f, exact, f->len);
	free(exact);
}

#endif

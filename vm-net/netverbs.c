// SPDX-License-Identifier: ISC
/*
 * netverbs.c - what vm-net's control socket can be asked: one function a verb, and their table.
 *
 * No verb carries a path: vm-net is confined, and a client opens files where it is and passes descriptors.
 */
#include "netverbs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "dns.h"
#include "log.h"
#include "msg.h"
#include "opts.h"
#include "policy_parse.h"
#include "router.h"
#include "util.h"

static void refuse(struct msg *m, int err, const char *text)
{
	msg_init(m);
	msg_add(m, "error");
	msg_add(m, strerrorname_np(err < 0 ? -err : err));
	msg_add(m, text);
}

static void ok(struct msg *m)
{
	msg_init(m);
	msg_add(m, "ok");
}

/* key=ADDR/BITS, with the prefix length that people know. */
static void add_addr(struct msg *m, const char *key, const struct addr *a, const struct addr_range *net)
{
	char text[ADDR_TEXT];
	unsigned int bits = net ? net->bits - (addr_is_v4(a) ? 96 : 0) : 0;

	if (net)
		msg_addf(m, "%s=%s/%u", key, addr_format(a, text), bits);
	else
		msg_addf(m, "%s=%s", key, addr_format(a, text));
}

static void describe(const struct subnet *s, struct msg *m)
{
	char dns4[ADDR_TEXT] = "", dns6[ADDR_TEXT] = "";

	msg_addf(m, "mtu=%u", s->mtu);
	if (s->v4) {
		add_addr(m, "addr", &s->guest4, &s->net4);
		add_addr(m, "gateway", &s->gateway4, NULL);
		addr_format(&s->dns4, dns4);
	}
	if (s->v6) {
		add_addr(m, "addr6", &s->guest6, &s->net6);
		add_addr(m, "gateway6", &s->gateway6, NULL);
		addr_format(&s->dns6, dns6);
	}
	msg_addf(m, "dns=%s%s%s", dns4, *dns4 && *dns6 ? "," : "", dns6);
}

static int verb_frames(struct router *r, struct msg *req, struct msg *m)
{
	int pair[2], err;

	(void)req;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		refuse(m, errno, "frames: no socket could be made");
		return -1;
	}
	err = router_plug(r, &pair[0]);
	if (err) {
		close(pair[0]);
		close(pair[1]);
		refuse(m, err, err == -EBUSY ? "frames: another VM has them" : "frames: out of resources");
		return -1;
	}
	ok(m);
	describe(&r->subnet, m);
	msg_add_fd(m, &pair[1]);
	return -1;
}

static int verb_policy(struct router *r, struct msg *req, struct msg *m)
{
	bool live = req->words == 2 && !strcmp(req->word[1], "live");
	autoclose int fd = msg_take_fd(req, 0);
	char why[POLICY_ERROR];
	struct policy *p;
	int ended;

	if (req->words == 2 && !live) {
		refuse(m, EINVAL, "policy: takes live, or nothing");
		return -1;
	}
	if (policy_read(fd, "policy", &p, why)) {
		refuse(m, EINVAL, why);
		return -1;
	}
	ended = router_use(r, p, live);
	policy_unref(p);
	if (ended < 0) {
		refuse(m, ENOSPC, "policy: redirects to more targets than there can be");
		return -1;
	}
	ok(m);
	msg_addf(m, "ended=%d", ended);
	return -1;
}

/* Forwards, as many as a packet holds, from the @skip'th on. */
struct list {
	struct msg *m;
	uint64_t skip, n;
};

static void list_one(void *arg, const char *spec)
{
	struct list *l = arg;

	if (l->n++ < l->skip)
		return;
	if (l->m->words < MSG_WORDS - 1 && l->m->len + strlen(spec) + 32 < MSG_SIZE)
		msg_add(l->m, spec);
	else if (strncmp(l->m->word[l->m->words - 1], "more=", 5))
		msg_addf(l->m, "more=%llu", (unsigned long long)(l->n - 1));
}

static void list_forwards(struct router *r, struct msg *req, struct msg *m)
{
	struct list l = { .m = m };

	if (req->words == 3 && parse_u64(req->word[2], 0, FORWARD_PORTS, &l.skip)) {
		refuse(m, EINVAL, "forward list: takes how many to leave out");
		return;
	}
	ok(m);
	forwards_list(r->forwards, list_one, &l);
}

static int verb_forward(struct router *r, struct msg *req, struct msg *m)
{
	char told[FWDSPEC_TEXT], why[FORWARD_ERROR];
	int err;

	if (!strcmp(req->word[1], "list")) {
		list_forwards(r, req, m);
		return -1;
	}
	if (req->words != 3 || (strcmp(req->word[1], "add") && strcmp(req->word[1], "del"))) {
		refuse(m, EINVAL, "forward: takes add SPEC, del SPEC or list");
		return -1;
	}
	if (!strcmp(req->word[1], "add"))
		err = forwards_add(r->forwards, req->word[2], told, why, sizeof(why));
	else
		err = forwards_del(r->forwards, req->word[2], why, sizeof(why));
	if (err) {
		refuse(m, err, why);
		return -1;
	}
	ok(m);
	if (!strcmp(req->word[1], "add"))
		msg_add(m, told);
	return -1;
}

static void add_drops(struct msg *m, const char *side, const uint64_t count[PKT_DROPS])
{
	int why;

	for (why = PKT_OK + 1; why < PKT_DROPS; why++)
		if (count[why])
			msg_addf(m, "%s_%s=%llu", side, pkt_drop_name(why), (unsigned long long)count[why]);
}

static void add_count(struct msg *m, const char *key, uint64_t n)
{
	msg_addf(m, "%s=%llu", key, (unsigned long long)n);
}

static int verb_status(struct router *r, struct msg *req, struct msg *m)
{
	const struct dns_stats *d = dns_stats(r->dns);
	const struct filter *f = &r->filter;

	(void)req;
	ok(m);
	msg_addf(m, "guest=%s", cable_plugged(&r->cable) ? "up" : "down");
	describe(&r->subnet, m);
	add_count(m, "frames_in", r->cable.in.frames);
	add_count(m, "bytes_in", r->cable.in.bytes);
	add_count(m, "frames_out", r->cable.out.frames);
	add_count(m, "bytes_out", r->cable.out.bytes);
	add_count(m, "frames_out_dropped", r->cable.out.dropped);
	add_count(m, "flows", f->flows.count);
	add_count(m, "flows_opened", f->flows.opened);
	add_count(m, "flows_refused", f->flows.refused);
	add_count(m, "names", names_stats(r->names).entries);
	add_count(m, "names_refused", names_stats(r->names).refused);
	add_count(m, "dns_queries", d->queries);
	add_count(m, "dns_answered", d->answered);
	add_count(m, "dns_refused", d->refused);
	add_count(m, "dns_failed", d->failed + d->overflow);
	add_count(m, "log_lines", r->journal.lines);
	add_count(m, "log_dropped", r->journal.dropped);
	add_drops(m, "guest", f->guest);
	add_drops(m, "stack", f->stack);
	return -1;
}

/* A connection of its own, for whom this one is shared with others. */
static int verb_dial(struct router *r, struct msg *req, struct msg *m)
{
	int pair[2];

	(void)r;
	(void)req;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		refuse(m, errno, "dial: no socket could be made");
		return -1;
	}
	ok(m);
	msg_add_fd(m, &pair[1]);
	return pair[0];
}

static const struct {
	const char *name;
	int min, max, fds;
	bool shared;
	int (*run)(struct router *r, struct msg *req, struct msg *answer);
} verbs[] = {
	{ "frames", 0, 0, 0, true, verb_frames },
	{ "policy", 0, 1, 1, false, verb_policy },
	{ "forward", 1, 2, 0, false, verb_forward },
	{ "status", 0, 0, 0, false, verb_status },
	{ "dial", 0, 0, 0, true, verb_dial },
};

/**
 * netverb_run() - do what a client asks
 * @r: network
 * @shared: others hold the same end of the connection, and could take the answer: few verbs there
 * @req: request; NULL: a packet that means nothing
 * @m: filled in with the answer
 * Return: a connection to serve from now on, or -1.
 */
int netverb_run(struct router *r, bool shared, struct msg *req, struct msg *m)
{
	size_t i;

	if (!req || !req->words) {
		refuse(m, EBADMSG, "malformed packet");
		return -1;
	}
	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, req->word[0]))
			continue;
		if (shared && !verbs[i].shared) {
			refuse(m, EPERM, "this connection is shared with others: ask `dial` for one");
			return -1;
		}
		if (req->words - 1 >= verbs[i].min && req->words - 1 <= verbs[i].max && req->fds == verbs[i].fds)
			return verbs[i].run(r, req, m);
		refuse(m, EINVAL, "wrong number of words or descriptors");
		return -1;
	}
	refuse(m, EOPNOTSUPP, "unknown verb");
	return -1;
}

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

static void refuse_frames(const struct router *r, struct msg *m, int err)
{
	switch (err) {
	case -EBUSY:
		refuse(m, err, r->lan ? "frames: there are as many VMs as can be" : "frames: another VM has them");
		break;
	case -EEXIST:
		refuse(m, err, "frames: this name is another's");
		break;
	case -EINVAL:
		refuse(m, err, "frames: a name is of letters, digits and hyphens, 63 at most");
		break;
	default:
		refuse(m, err, "frames: out of resources");
	}
}

static void add_mac(struct msg *m, const uint8_t mac[PKT_MAC])
{
	msg_addf(m, "mac=%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static int verb_frames(struct router *r, struct msg *req, struct msg *m)
{
	int pair[2], port;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		refuse(m, errno, "frames: no socket could be made");
		return -1;
	}
	port = router_plug(r, req->words == 2 ? req->word[1] : NULL, &pair[0]);
	if (port < 0) {
		close(pair[0]);
		close(pair[1]);
		refuse_frames(r, m, port);
		return -1;
	}
	ok(m);
	describe(&r->member[port]->subnet, m);
	if (r->lan)
		add_mac(m, r->lan->port[port].mac);
	msg_add_fd(m, &pair[1]);
	return -1;
}

/* Items, as many as a packet holds, from the @skip'th on. */
struct list {
	struct msg *m;
	uint64_t skip, n;
};

static void list_one(void *arg, const char *text)
{
	struct list *l = arg;

	if (l->n++ < l->skip)
		return;
	if (l->m->words < MSG_WORDS - 1 && l->m->len + strlen(text) + 32 < MSG_SIZE)
		msg_add(l->m, text);
	else if (strncmp(l->m->word[l->m->words - 1], "more=", 5))
		msg_addf(l->m, "more=%llu", (unsigned long long)(l->n - 1));
}

static void list_member(struct list *l, const struct router *r, const struct member *m)
{
	const struct lan_port *p = r->lan ? &r->lan->port[m->port] : NULL;
	const uint8_t *mac = p ? p->mac : m->filter.mac;
	char v4[ADDR_TEXT] = "", v6[ADDR_TEXT] = "", text[512];

	if (m->subnet.v4)
		addr_format(&m->subnet.guest4, v4);
	if (m->subnet.v6)
		addr_format(&m->subnet.guest6, v6);
	snprintf(text, sizeof(text), "name=%s,addr=%s,addr6=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x,frames_in=%llu,"
		 "frames_out=%llu,frames_out_dropped=%llu", p ? lan_name(r->lan, m->port) : "", v4, v6,
		 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], (unsigned long long)(m->cable.in.frames - m->in),
		 (unsigned long long)(m->cable.out.frames - m->out),
		 (unsigned long long)(m->cable.out.dropped - m->dropped));
	list_one(l, text);
}

static int verb_guests(struct router *r, struct msg *req, struct msg *m)
{
	struct list l = { .m = m };
	int i;

	if (req->words == 2 && parse_u64(req->word[1], 0, LAN_PORTS, &l.skip)) {
		refuse(m, EINVAL, "guests: takes how many to leave out");
		return -1;
	}
	ok(m);
	for (i = 0; i < LAN_PORTS; i++)
		if (member_plugged(r->member[i]))
			list_member(&l, r, r->member[i]);
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
		refuse(m, -ended, ended == -ENOSPC ? "policy: redirects to more targets than there can be" : errstr(-ended));
		return -1;
	}
	ok(m);
	msg_addf(m, "ended=%d", ended);
	return -1;
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

/* Of all guests that there are and were. */
struct figures {
	unsigned int guests;
	struct { uint64_t frames, bytes, dropped; } in, out;
	uint64_t flows, opened, refused, nat, held;
	uint64_t guest[PKT_DROPS], stack[PKT_DROPS];
};

static void add_member(struct figures *f, const struct member *m)
{
	int why;

	f->guests += member_plugged(m);
	f->in.frames += m->cable.in.frames;
	f->in.bytes += m->cable.in.bytes;
	f->out.frames += m->cable.out.frames;
	f->out.bytes += m->cable.out.bytes;
	f->out.dropped += m->cable.out.dropped;
	f->flows += m->filter.flows.count;
	f->opened += m->filter.flows.opened;
	f->refused += m->filter.flows.refused;
	f->nat += m->filter.nat.refused;
	f->held += m->filter.hold.ended[HOLD_FULL];
	for (why = 0; why < PKT_DROPS; why++) {
		f->guest[why] += m->filter.guest[why];
		f->stack[why] += m->filter.stack[why];
	}
}

static void add_figures(struct msg *m, const struct figures *f)
{
	add_count(m, "frames_in", f->in.frames);
	add_count(m, "bytes_in", f->in.bytes);
	add_count(m, "frames_out", f->out.frames);
	add_count(m, "bytes_out", f->out.bytes);
	add_count(m, "frames_out_dropped", f->out.dropped);
	add_count(m, "flows", f->flows);
	add_count(m, "flows_opened", f->opened);
	add_count(m, "flows_refused", f->refused);
}

static void add_dns(struct msg *m, const struct router *r)
{
	const struct dns_stats *d = dns_stats(r->dns);

	add_count(m, "names", names_stats(r->names).entries);
	add_count(m, "names_refused", names_stats(r->names).refused);
	add_count(m, "dns_queries", d->queries);
	add_count(m, "dns_answered", d->answered);
	add_count(m, "dns_refused", d->refused);
	add_count(m, "dns_failed", d->failed);
	add_count(m, "dns_overflow", d->overflow);
	add_count(m, "dns_tcp_refused", dnstcp_refused(r->dnstcp));
}

/* What found no room, beside flows, names and queries. */
static void add_refusals(struct msg *m, const struct router *r, const struct figures *f)
{
	struct redirect_figures d = redirects_figures(r->redirects);

	add_count(m, "nat_refused", f->nat);
	add_count(m, "held_refused", f->held);
	add_count(m, "redirects", d.open);
	add_count(m, "redirects_refused", d.refused);
	add_count(m, "redirects_failed", d.failed);
	add_count(m, "forwards_refused", forwards_refused(r->forwards));
	add_count(m, "questions_refused", r->questions_refused);
	add_count(m, "control_refused", r->control_refused);
	add_count(m, "pcap_frames", r->pcap.frames);
	add_count(m, "pcap_dropped", r->pcap.dropped);
}

static int verb_status(struct router *r, struct msg *req, struct msg *m)
{
	struct figures f = { 0 };
	int i;

	(void)req;
	for (i = 0; i < LAN_PORTS; i++)
		if (r->member[i])
			add_member(&f, r->member[i]);
	ok(m);
	msg_addf(m, "guest=%s", f.guests ? "up" : "down");
	describe(&r->subnet, m);
	if (r->lan) {
		add_count(m, "guests", f.guests);
		add_count(m, "frames_across", r->lan->frames);
		add_count(m, "frames_to_all", r->lan->groups);
	}
	add_figures(m, &f);
	add_dns(m, r);
	add_refusals(m, r, &f);
	add_count(m, "log_lines", r->journal.lines);
	add_count(m, "log_dropped", r->journal.dropped);
	add_drops(m, "guest", f.guest);
	add_drops(m, "stack", f.stack);
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
	{ "frames", 0, 1, 0, true, verb_frames },
	{ "guests", 0, 1, 0, false, verb_guests },
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

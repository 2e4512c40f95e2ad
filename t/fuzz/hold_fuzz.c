// SPDX-License-Identifier: ISC
/*
 * hold_fuzz.c - a guest that wants to reach b.example where a.example alone is allowed, and knows TCP. It sends parts of
 * requests to either in any order, with any flags. The stack is a receiver of the kind that is easiest to deceive: it
 * loses segments, keeps those that come too early, lets a later one change what it has not delivered, and acknowledges
 * when it likes. Whatever comes: what it delivers is no byte before the name was judged, and then the name that was.
 */
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "hello.h"
#include "util.h"

#include "net_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIRST = 1001, MOST = 2 * HOLD_BYTES, PORT = 443 };

/* How a segment is sent, and treated. */
enum { LOSE = 1, BAD_SUM = 2, URGENT = 4, SILENT = 8, TICK = 16, OTHER = 32, ABSOLUTE = 64, LONG = 128 };

static struct filter f;
static struct subnet s;
static bool judged, open;
static unsigned int how;
static uint32_t heard;                  /* what the guest heard to be next */

static struct {
	uint8_t byte[MOST];
	bool have[MOST];
	uint32_t next;
	struct hello hello;             /* what it makes of it */
} far;

static void sane(bool ok)
{
	if (!ok)
		abort();
}

static void on_output(void *arg, const struct iovec *iov, unsigned int n)
{
	static uint8_t frame[70000];
	size_t len = 0;
	struct pkt p;
	unsigned int i;

	(void)arg;
	for (i = 0; i < n; len += iov[i++].iov_len)
		memcpy(frame + len, iov[i].iov_base, iov[i].iov_len);
	sane(pkt_parse(frame, len, &p) == PKT_OK);
	if (p.kind != PKT_IPV4 || p.proto != PKT_PROTO_TCP)
		return;
	if (p.flags & PKT_ACK && !(p.flags & PKT_RST))
		heard = p.ack;
}

/* The stack says something, as an answer, or on its own. */
static void far_says(uint8_t flags)
{
	static struct fr fr;

	tcp_frame(&fr, "1.2.3.4", PORT, "10.0.2.15", 4000, flags);
	put_be32(fr.b + fr.l4 + 8, FIRST + far.next);
	seal(&fr);
	filter_output(&f, fr.b, fr.len);
}

static void deliver(void)
{
	while (far.next < MOST && far.have[far.next])
		hello_feed(&far.hello, &far.byte[far.next++], 1);
	sane(!far.next || judged);
	sane(far.hello.result == HELLO_MORE || far.hello.result == HELLO_HTTP);
	sane(far.hello.result == HELLO_MORE || !strcmp(far.hello.name, "a.example"));
}

static void far_hears(const struct pkt *p)
{
	size_t i;

	sane(!p->urgent);
	if (how & LOSE || !pkt_checksum_ok(p))
		return;
	for (i = 0; i < p->payload_len; i++) {
		uint32_t at = p->seq + (uint32_t)i - FIRST;

		if (at >= far.next && at < MOST) {
			far.byte[at] = p->payload[i];
			far.have[at] = true;
		}
	}
	deliver();
	if (!(how & SILENT))
		far_says(PKT_ACK);
}

static void on_pass(void *arg, const uint8_t *frame, size_t len)
{
	struct pkt p;

	(void)arg;
	sane(pkt_parse(frame, len, &p) == PKT_OK && p.len == len);
	if (p.kind != PKT_IPV4 || p.proto != PKT_PROTO_TCP)
		return;
	if (p.flags & (PKT_SYN | PKT_RST))
		sane(!p.payload_len || judged);
	else
		far_hears(&p);
}

static void on_dns(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len)
{
	(void)arg;
	(void)from;
	(void)msg;
	(void)len;
}

static bool on_judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	(void)key;
	v->sni = true;
	return true;
}

static bool on_named(void *arg, const struct flow *fl, const char *name, struct flow_verdict *v)
{
	(void)arg;
	(void)v;
	sane(fl->verdict.sni);
	judged |= !strcmp(name, "a.example");
	return !strcmp(name, "a.example");
}

static void on_done(void *arg, const struct flow *fl, enum flow_end why)
{
	(void)arg;
	(void)fl;
	(void)why;
	open = false;
}

static const struct filter_ops ops = { on_output, on_pass, on_dns, on_judge, NULL, on_done, on_named };

/* Bytes @from to @from + @len of what the guest wants to say. */
static void say(struct fr *fr, uint32_t from, size_t len)
{
	static const char *const text[2] = {
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"
	};
	const char *t = text[how & OTHER ? 1 : 0];
	size_t i;

	for (i = 0; i < len; i++)
		fr->b[fr->len++] = from + i < strlen(t) ? (uint8_t)t[from + i] : 'x';
}

static void segment(unsigned int at, unsigned int len, uint8_t flags)
{
	static struct fr fr;
	uint32_t seq = how & ABSOLUTE ? FIRST + at : heard + (uint32_t)(int8_t)at;

	flags &= PKT_FIN | PKT_PSH;     /* what opens and resets would begin another connection */
	tcp_frame(&fr, "10.0.2.15", 4000, "1.2.3.4", PORT, flags | PKT_ACK);
	put_be32(fr.b + fr.l4 + 4, seq);
	say(&fr, seq - FIRST, len * (how & LONG ? 64 : 1));
	if (how & URGENT)
		fr.b[fr.l4 + 13] |= 0x20;
	seal(&fr);
	if (how & BAD_SUM)
		fr.b[fr.l4 + 16] ^= 1;
	filter_input(&f, fr.b, fr.len);
}

static void connect_far(void)
{
	static struct fr fr;

	tcp_frame(&fr, "10.0.2.15", 4000, "1.2.3.4", PORT, PKT_SYN);
	filter_input(&f, fr.b, fr.len);
	open = true;
	far_says(PKT_SYN | PKT_ACK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now = 1;
	size_t at;

	if (size > 1024)
		return 0;
	subnet_default(&s);
	if (filter_init(&f, &s, GUEST_MAC, 4, &ops, NULL))
		abort();
	memset(&far, 0, sizeof(far));
	hello_init(&far.hello);
	judged = false;
	how = 0;
	connect_far();
	for (at = 0; at + 4 <= size && open; at += 4) {
		how = data[at];
		now += how & TICK ? 100u * data[at + 3] : 1;
		filter_clock(&f, now);
		segment(data[at + 1], data[at + 2], data[at + 3]);
		if (how & TICK)
			filter_tick(&f);
		sane(f.hold.count <= 1 && f.hold.bytes <= HOLD_BYTES);
	}
	sane(open || !f.hold.count);
	filter_free(&f);
	return 0;
}

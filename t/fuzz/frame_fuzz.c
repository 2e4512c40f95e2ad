// SPDX-License-Identifier: ISC
/*
 * frame_fuzz.c - a guest that sends anything, and a stack that does. The input is a byte that chooses the world, then
 * records: how to treat it, a length, bytes. Bytes are a frame as they are, or are laid over one that is good; checksums are
 * righted now and then, as guests know how to. Whatever comes: what is passed on is the guest's own, strictly parsed and of a
 * flow, what is sent to the guest is sound, and flows that need a name say nothing before it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#include "net_frames.h"

static struct filter *f;
static struct subnet s;
static unsigned int world;
static bool inside, named;

enum { CHECKED = 443 };                 /* the port whose flows need a name */

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
	for (i = 0; i < n; i++) {
		sane(len + iov[i].iov_len <= sizeof(frame));
		memcpy(frame + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	sane(pkt_parse(frame, len, &p) == PKT_OK && !memcmp(p.src_mac, s.mac, PKT_MAC));
	sane(inside || pkt_checksum_ok(&p));    /* the stack's own are its own */
}

static void on_pass(void *arg, const uint8_t *frame, size_t len)
{
	struct pkt p;

	(void)arg;
	sane(pkt_parse(frame, len, &p) == PKT_OK && p.len == len);
	sane(p.kind == PKT_ARP || (subnet_is_guests(&s, &p.src) && (inside || !subnet_is_broadcast(&s, &p.dst))));
	if (p.kind != PKT_ARP && !inside && p.proto == PKT_PROTO_TCP && p.dport == CHECKED)
		sane(!p.payload_len || named || world & 2);     /* nothing is said before a name; but by a forward */
	if (p.kind != PKT_ARP && !inside && p.proto == PKT_PROTO_UDP && p.dport == 53)
		sane(!subnet_is_ours(&s, &p.dst) || addr_equal(&p.dst, &s.gateway4) || addr_equal(&p.dst, &s.gateway6) || addr_equal(&p.dst, &s.link6) || p.offset);
}

static void on_dns(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len)
{
	(void)arg;
	filter_dns_answer(f, from, msg, len);
}

static bool on_judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	v->rule = key->remote_port;
	v->redirect = key->remote_port & 1 && key->remote.b[15] & 4;
	v->to = s.gateway4;
	v->to_port = 9;
	v->sni = key->remote_port == CHECKED;
	return !(world & 1) || key->remote.b[15] & 1;
}

static bool on_inbound(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	v->rule = 0;
	return world & 2 && key->guest_port < 1024;
}

static bool on_named(void *arg, const struct flow *fl, const char *name, struct flow_verdict *v)
{
	(void)arg;
	sane(fl->verdict.sni && *name);
	named = true;
	v->redirect = fl->verdict.redirect;
	v->to = fl->verdict.to;
	v->to_port = fl->verdict.to_port;
	return strcmp(name, "b.example") != 0;
}

static const struct filter_ops ops = { on_output, on_pass, on_dns, on_judge, on_inbound, NULL, on_named };

/* Some of a request: @part is 0 for none, 1 for all, else for so many bytes or all behind them. */
static void request(struct fr *fr, unsigned int part)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
	size_t cut = part / 2 * 5, from = part & 1 ? cut : 0, to = part & 1 ? sizeof(text) - 1 : cut;

	tcp_frame(fr, "10.0.2.15", 4000, "1.2.3.5", CHECKED, PKT_ACK);
	put_be32(fr->b + fr->l4 + 4, 1001 + (uint32_t)from);
	memcpy(fr->b + fr->len, text + from, to - from);
	fr->len += to - from;
	seal(fr);
}

/* A good frame to begin with. */
static void template(struct fr *fr, unsigned int which)
{
	static const uint8_t body[48] = { 0xfd, [15] = 2 };
	static uint8_t dhcp[300] = { 1, 1, 6, 0, [28] = 0x52, 0x54, 0, 0x12, 0x34, 0x56, [236] = 99, 130, 83, 99, 53, 1, 1, 255 };
	static const uint8_t dhcp6[40] = { 1, 0, 0, 1, 0, 1, 0, 10, 0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0, 3, 0, 12 };

	switch (which % 16) {
	case 0: arp_frame(fr, 1, GUEST_MAC, "10.0.2.15", "10.0.2.2"); break;
	case 1: tcp_frame(fr, "10.0.2.15", 4000, "1.2.3.5", 443, PKT_SYN); break;
	case 2: request(fr, which >> 4); break;
	case 3: tcp_frame(fr, "fd00::f", 4000, "2001:db8::1", 443, PKT_SYN); break;
	case 4: udp_frame(fr, "10.0.2.15", 4000, "10.0.2.3", 53, body, 20); break;
	case 5: udp_frame(fr, "10.0.2.15", 4000, "1.2.3.5", 9, body, 20); break;
	case 6: udp_frame(fr, "fd00::f", 4000, "2001:db8::1", 9, body, 20); break;
	case 7: icmp_frame(fr, "10.0.2.15", "1.2.3.5", 8, 0, 1, body, 20); break;
	case 8: icmp_frame(fr, "fd00::f", "fd00::2", 135, 0, 0, body, 16); break;
	case 9: icmp_frame(fr, "fe80::1", "ff02::2", 133, 0, 0, NULL, 0); break;
	case 10: udp_frame(fr, "0.0.0.0", 68, "255.255.255.255", 67, dhcp, sizeof(dhcp)); break;
	case 11: udp_frame(fr, "fe80::1", 546, "ff02::1:2", 547, dhcp6, sizeof(dhcp6)); break;
	case 12:
		tcp_frame(fr, "1.2.3.5", 443, "10.0.2.15", 4000, PKT_SYN | PKT_ACK);
		put_be32(fr->b + fr->l4 + 8, 1001);
		seal(fr);
		break;
	case 13: udp_frame(fr, "1.2.3.5", 9, "10.0.2.15", 4000, body, 20); break;
	case 14: icmp_frame(fr, "1.2.3.5", "10.0.2.15", 3, 3, 0, body, 40); break;
	default:
		fragment_frame(fr, (uint16_t)(which >> 6), (which >> 4 & 3) * 24, (which >> 4 & 3) != 3, 24);
	}
}

static bool can_seal(const struct fr *fr)
{
	return fr->len >= fr->l4 + 20 && fr->l4 >= 34 && fr->b[12] != 0x08 ? fr->b[12] == 0x86 && fr->len >= 74 : fr->l4 == 34 && fr->b[13] == 0 && fr->len >= 54;
}

static void send(const struct fr *fr, bool from_guest)
{
	uint8_t *exact = malloc(fr->len ? fr->len : 1);

	memcpy(exact, fr->b, fr->len);
	inside = !from_guest;
	if (from_guest)
		filter_input(f, exact, fr->len);
	else
		filter_output(f, exact, fr->len);
	inside = false;
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fr fr;
	size_t at = 1;
	uint64_t now = 1;

	if (size < 4 || size > 8192)
		return 0;
	world = data[0];
	named = false;
	f = malloc(sizeof(*f));
	subnet_default(&s);
	s.v4 = world & 4 || !(world & 8);
	s.v6 = world & 8 || !(world & 4);
	if (!f || filter_init(f, &s, world & 16 ? NULL : GUEST_MAC, 1 + (world >> 5), &ops, NULL))
		abort();
	while (at + 4 <= size) {
		unsigned int how = data[at], which = data[at + 1], over = data[at + 2];
		size_t n = data[at + 3];

		at += 4;
		n = n < size - at ? n : size - at;
		if (how & 1) {
			template(&fr, which);
			if (over + n > fr.len)
				fr.len = over + n;
			memcpy(fr.b + over, data + at, n);
			if (how & 2 && can_seal(&fr))
				seal(&fr);
		} else {
			fr.len = n;
			memcpy(fr.b, data + at, n);
		}
		at += n;
		now += how & 32 ? 1000u * which : how >> 6;
		filter_clock(f, now);
		send(&fr, !(how & 4));
		if (how & 8)
			filter_tick(f);
		if (how & 16 && how & 128)
			filter_reload(f, how & 64);
		sane(f->flows.count <= f->flows.max);
	}
	filter_reset(f, NULL);
	sane(!f->flows.count);
	filter_free(f);
	free(f);
	return 0;
}

// SPDX-License-Identifier: ISC
/* filter_test.c - what a guest may send, and hear: seen from both sides of the filter. */
#include "net_filter.h"

#include <errno.h>

static void test_sources(void)
{
	static const char *const v4[] = { "10.0.2.2", "10.0.2.3", "10.0.2.16", "10.0.2.0", "10.0.2.255", "8.8.8.8", "0.0.0.0", "192.168.1.1" };
	static const char *const v6[] = { "fd00::2", "fd00::3", "::", "2001:db8::9", "fe80::5055:aff:fe00:202", "fd00:0:0:1::f", "64:ff9b::1" };
	bool ok = true;
	unsigned int i;

	wire_up(16);
	for (i = 0; i < sizeof(v4) / sizeof(*v4); i++) {
		udp_frame(&f, v4[i], 4000, FAR, 9, "x", 1);
		ok &= silent(PKT_DROP_SOURCE);
		tcp_frame(&f, v4[i], 4000, FAR, 9, PKT_SYN);
		ok &= silent(PKT_DROP_SOURCE);
	}
	for (i = 0; i < sizeof(v6) / sizeof(*v6); i++) {
		udp_frame(&f, v6[i], 4000, FAR6, 9, "x", 1);
		ok &= silent(PKT_DROP_SOURCE);
	}
	CHECK(ok && !w.judged, "a source address that is not the guest's");
	udp_frame(&f, "fd00::1234:5678:9abc:def0", 4000, FAR6, 9, "x", 1);
	CHECK(passed(), "any IPv6 address of the prefix is");
	udp_frame(&f, GUEST, 4000, FAR, 9, "x", 1);
	f.b[0] = 2;
	CHECK(silent(PKT_DROP_DEST_MAC), "a frame for another station");
	for (i = 0; i < 4; i++) {
		udp_frame(&f, GUEST, 4000, ((const char *[]){ "255.255.255.255", "10.0.2.255", "224.0.0.251", "10.0.2.0" })[i], 9, "x", 1);
		ok &= silent(PKT_DROP_GROUP);
	}
	udp_frame(&f, GUEST6, 5353, "ff02::fb", 5353, "x", 1);
	CHECK(ok && silent(PKT_DROP_GROUP), "broadcast and multicast");
	udp_frame(&f, GUEST, 4000, FAR, 9, "x", 1);
	memcpy(f.b, ALL_MAC, 6);
	CHECK(silent(PKT_DROP_GROUP), "... in a frame's address alone");
	udp_frame(&f, GUEST, 4000, "1.2.3.255", 9, "x", 1);
	CHECK(passed(), "... an address of another network that ends in 255 is neither");
	udp_frame(&f, GUEST, 4000, "10.0.3.0", 9, "x", 1);
	CHECK(passed(), "... nor one that ends in 0");
	w.s.net4.bits = 96 + 22;
	w.s.net4.addr = A("10.0.0.0");
	udp_frame(&f, GUEST, 4000, "10.0.2.255", 9, "x", 1);
	CHECK(passed(), "... nor within a network that is larger");
	udp_frame(&f, GUEST, 4000, "10.0.3.255", 9, "x", 1);
	CHECK(silent(PKT_DROP_GROUP), "... but its last one");
	w.s.v6 = false;
	udp_frame(&f, GUEST6, 4000, FAR6, 9, "x", 1);
	CHECK(silent(PKT_DROP_ETHERTYPE), "a family that is off");
	wire_down();
}

static void test_dns(void)
{
	static uint8_t answer[66000];
	struct pkt p;

	wire_up(16);
	w.allow = false;
	udp_frame(&f, GUEST, 4000, DNS, 53, "query", 5);
	wire_send(&f, true);
	CHECK(w.queries == 1 && w.query_len == 5 && !memcmp(w.query, "query", 5) && !w.stack.n && !w.guest.n && !w.judged, "a query is handed on");
	w.guest.n = 0;
	CHECK(!filter_dns_answer(&w.f, &w.from, "answer", 6) && w.guest.n == 1 && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, &p) && pkt_checksum_ok(&p) &&
	      p.sport == 53 && p.dport == 4000 && p.payload_len == 6 && addr_equal(&p.src, &w.s.dns4), "... and answered");
	udp_frame(&f, GUEST6, 4001, "fd00::3", 53, "query6", 6);
	wire_send(&f, true);
	w.guest.n = 0;
	CHECK(w.queries == 2 && w.query_len == 6 && !filter_dns_answer(&w.f, &w.from, "answer", 6) && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, &p) &&
	      pkt_checksum_ok(&p) && p.dport == 4001 && p.kind == PKT_IPV6, "... over IPv6");
	f.b[f.len - 1] ^= 1;
	CHECK(silent(PKT_DROP_CHECKSUM) && w.queries == 2, "... not a broken one");
	CHECK(filter_dns_answer(&w.f, &w.from, answer, 65520 - 47) == -EMSGSIZE && !filter_dns_answer(&w.f, &w.from, answer, 65520 - 48), "answers as long as the wire takes");
	udp_frame(&f, GUEST, 4000, DNS, 54, "x", 1);
	wire_send(&f, true);
	CHECK(w.queries == 2 && w.judged == 1, "another port is judged");
	udp_frame(&f, GUEST, 4000, GATE, 53, "x", 1);
	wire_send(&f, true);
	CHECK(w.queries == 2 && w.judged == 2, "another address is");
	wire_down();
}

static void test_deny(void)
{
	static const uint8_t zeros[40000];
	struct pkt p;

	wire_up(16);
	w.allow = false;
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	CHECK(refused(&p, PKT_DROP_DENIED) && p.flags == (PKT_RST | PKT_ACK) && p.seq == 0 && p.ack == 1001 && p.sport == 443 && p.dport == 4000 &&
	      addr_equal(&p.src, &w.key.remote), "a SYN is reset, with its number");
	CHECK(w.key.guest_port == 4000 && w.key.remote_port == 443 && w.key.proto == 6, "... after it was judged");
	tcp_frame(&f, GUEST6, 4000, FAR6, 443, PKT_SYN);
	CHECK(refused(&p, PKT_DROP_DENIED) && p.flags == (PKT_RST | PKT_ACK) && p.ack == 1001 && p.kind == PKT_IPV6, "... over IPv6");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_ACK);
	CHECK(refused(&p, PKT_DROP_NO_FLOW) && p.flags == PKT_RST && p.seq == 5000 && w.judged == 2, "what belongs to no flow is reset, and not judged");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN | PKT_ACK);
	CHECK(refused(&p, PKT_DROP_NO_FLOW) && p.flags == PKT_RST && w.judged == 2, "... a SYN with ACK, too");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_RST);
	CHECK(silent(PKT_DROP_NO_FLOW), "... but no RST");
	tcp_frame(&f, GUEST, 4000, "127.0.0.1", 443, PKT_SYN);
	CHECK(silent(PKT_DROP_DENIED), "... nor a SYN to a loopback address: the answer would come from one");
	tcp_frame(&f, GUEST6, 4000, "::1", 443, PKT_SYN);
	CHECK(silent(PKT_DROP_DENIED) && w.judged == 4, "... over IPv6");
	w.allow = true;
	tcp_frame(&f, GUEST6, 4000, "::1", 443, PKT_SYN);
	wire_send(&f, true);
	CHECK(w.f.flows.count == 1, "... where it is allowed, it goes on");
	w.guest.n = w.stack.n = 0;
	filter_cut(&w.f, &w.key);
	CHECK(!w.guest.n && w.stack.n == 1 && !w.f.flows.count, "... and its end is told to the stack alone");
	w.allow = false;
	udp_frame(&f, GUEST, 4000, FAR, 443, "quic", 4);
	CHECK(refused(&p, PKT_DROP_DENIED) && p.type == 3 && p.code == 13 && addr_equal(&p.src, &w.s.gateway4) && p.payload_len == 32 && !memcmp(p.payload, f.b + 14, 32), "UDP is prohibited");
	udp_frame(&f, GUEST6, 4000, FAR6, 443, "quic", 4);
	CHECK(refused(&p, PKT_DROP_DENIED) && p.type == 1 && p.code == 1 && !memcmp(p.payload, f.b + 14, 52), "... over IPv6");
	udp_frame(&f, GUEST6, 4000, FAR6, 443, zeros, sizeof(zeros));
	CHECK(refused(&p, PKT_DROP_DENIED) && p.ip_len == 1280, "... at no great length");
	icmp_frame(&f, GUEST, FAR, 8, 0, 0x12340001, "ping", 4);
	CHECK(refused(&p, PKT_DROP_DENIED) && p.type == 3 && p.code == 13 && w.key.guest_port == 0x1234 && w.key.proto == 1, "echo is");
	ip_frame(&f, GUEST, FAR, 132, 20);
	seal(&f);
	CHECK(refused(&p, PKT_DROP_PROTOCOL) && p.type == 3, "a protocol that is not carried is");
	icmp_frame(&f, GUEST, FAR, 3, 3, 0, zeros, 28);
	CHECK(silent(PKT_DROP_PROTOCOL), "nothing is said about an ICMP error");
	icmp_frame(&f, GUEST, FAR, 0, 0, 1, NULL, 0);
	w.allow = true;
	CHECK(refused(&p, PKT_DROP_PROTOCOL), "an echo nobody asked for goes nowhere");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	f.b[40] ^= 1;
	CHECK(silent(PKT_DROP_CHECKSUM) && !w.f.flows.count, "a SYN with a wrong checksum opens nothing");
	wire_down();
}

static void test_flood(void)
{
	unsigned int i, resets = 0;

	wire_up(FLOW_MAX);
	w.allow = false;
	for (i = 0; i < 10000; i++) {
		tcp_frame(&f, GUEST, (uint16_t)(1 + i), FAR, 81, PKT_SYN);
		wire_send(&f, true);
		resets += w.guest.n;
	}
	CHECK(w.judged == 10000 && !w.f.flows.count && !w.f.flows.fresh, "10,000 denied SYNs take no entry");
	CHECK(resets == DENY_BURST && w.f.deny.suppressed == 10000 - DENY_BURST, "... and so many answers");
	filter_clock(&w.f, 1500);
	for (i = resets = 0; i < 1000; i++) {
		wire_send(&f, true);
		resets += w.guest.n;
	}
	CHECK(resets == DENY_PER_SECOND / 2, "... and others later");
	wire_down();

	wire_up(100);
	for (i = 0; i < 100; i++) {
		tcp_frame(&f, GUEST, (uint16_t)(1 + i), FAR, 81, PKT_SYN);
		wire_send(&f, true);
	}
	CHECK(w.f.flows.count == 100, "as many flows as there may be");
	tcp_frame(&f, GUEST, 101, FAR, 81, PKT_SYN);
	wire_send(&f, true);
	CHECK(w.guest.n == 1 && !w.stack.n && w.f.guest[PKT_DROP_FULL] == 1 && w.f.flows.refused == 1, "one more is refused at once, and counted");
	tcp_frame(&f, GUEST, 50, FAR, 81, PKT_ACK);
	CHECK(passed(), "... the others go on");
	wire_down();
}

static void test_tcp_flow(void)
{
	wire_up(16);
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	CHECK(passed() && w.judged == 1 && w.f.flows.count == 1, "a SYN that is allowed opens a flow");
	CHECK(passed() && w.judged == 1, "... sent again, it is not judged again");
	tcp_frame(&f, FAR, 443, GUEST, 4000, PKT_SYN | PKT_ACK);
	CHECK(arrives(), "its answer arrives");
	w.allow = false;
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_ACK);
	CHECK(passed() && w.judged == 1, "its verdict is pinned");
	tcp_frame(&f, FAR, 443, GUEST, 4001, PKT_ACK);
	CHECK(lost(PKT_DROP_NO_FLOW), "what the stack sends to another port is lost");
	tcp_frame(&f, "1.2.3.5", 443, GUEST, 4000, PKT_ACK);
	CHECK(lost(PKT_DROP_NO_FLOW), "... from another address, too");
	tcp_frame(&f, FAR, 443, "10.0.2.16", 4000, PKT_ACK);
	CHECK(lost(PKT_DROP_DESTINATION), "... to another address");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_FIN | PKT_ACK);
	CHECK(passed(), "half-close");
	tcp_frame(&f, FAR, 443, GUEST, 4000, PKT_ACK);
	CHECK(arrives() && !w.ended, "... the other half goes on");
	tcp_frame(&f, FAR, 443, GUEST, 4000, PKT_FIN | PKT_ACK);
	CHECK(arrives() && !w.ended, "both");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_ACK);
	CHECK(passed(), "... and the last ACK");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	wire_send(&f, true);
	CHECK(w.judged == 2 && !w.stack.n && w.guest.n == 1 && w.ended == 1 && w.why == FLOW_END_CLOSED && w.last.sent.packets == 5 && w.last.received.packets == 3,
	      "the same ports again are a new flow, and judged");
	w.allow = true;
	CHECK(passed() && w.f.flows.count == 1, "... by what holds now");
	tcp_frame(&f, FAR, 443, GUEST, 4000, PKT_SYN | PKT_ACK);
	arrives();
	w.allow = false;
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	CHECK(!passed() && w.ended == 2 && w.why == FLOW_END_REPLACED && !w.f.flows.count, "... while the old one is open, too");
	w.allow = true;
	passed();
	tcp_frame(&f, FAR, 443, GUEST, 4000, PKT_RST | PKT_ACK);
	CHECK(arrives() && w.ended == 3 && w.why == FLOW_END_RESET && !w.f.flows.count, "a refusal arrives, and ends it");
	wire_down();
}

static void test_cut(void)
{
	struct pkt p, q;

	wire_up(16);
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	passed();
	tcp_frame(&f, FAR, 443, GUEST, 4000, PKT_SYN | PKT_ACK);
	arrives();
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_ACK);
	passed();
	udp_frame(&f, GUEST, 4000, FAR, 443, "x", 1);
	passed();
	w.judged = w.guest.n = w.stack.n = 0;
	CHECK(filter_reload(&w.f, false) == 0 && !w.judged && w.f.flows.count == 2, "a new policy leaves what is under way");
	CHECK(filter_reload(&w.f, true) == 0 && w.judged == 2 && w.f.flows.count == 2 && flow_next(&w.f.flows, NULL)->generation == 2, "... looks at it when asked");
	w.allow = false;
	CHECK(filter_reload(&w.f, true) == 2 && w.f.flows.count == 0 && w.why == FLOW_END_POLICY, "... and ends what it denies");
	CHECK(w.guest.n == 1 && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, &p) && pkt_checksum_ok(&p) && p.flags & PKT_RST && p.seq == 5000 && p.dport == 4000, "the guest is told");
	CHECK(w.stack.n == 1 && !pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &q) && pkt_checksum_ok(&q) && q.flags & PKT_RST && q.seq == 5000 && q.dport == 443, "... and the stack");
	w.allow = true;
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	passed();
	w.guest.n = w.stack.n = 0;
	filter_clock(&w.f, 1000 + 121 * 1000);
	filter_tick(&w.f);
	CHECK(w.why == FLOW_END_IDLE && w.guest.n >= 1 && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, &p) && p.flags == (PKT_RST | PKT_ACK) && p.ack == 1001,
	      "a connect that hears nothing is reset in the end");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	passed();
	w.guest.n = w.stack.n = 0;
	filter_reset(&w.f, NULL);
	CHECK(w.why == FLOW_END_GONE && !w.guest.n && w.stack.n == 1 && !w.f.flows.count, "when the guest is gone the stack hears it");
	wire_down();
}

/* What the stack got. */
static bool stack_got(struct pkt *p)
{
	return w.stack.n == 1 && !pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, p) && pkt_checksum_ok(p);
}

static void test_redirect(void)
{
	uint16_t port, other;
	struct pkt p, q;
	unsigned int i;

	wire_up(5000);
	w.redirect = true;
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	wire_send(&f, true);
	CHECK(stack_got(&p) && !w.guest.n && addr_equal(&p.dst, &(struct addr){ .b = { [10] = 0xff, 0xff, 10, 0, 2, 100 } }) && p.dport == 8080 && p.seq == 1000 &&
	      p.flags == PKT_SYN && addr_equal(&p.src, &w.s.guest4), "a redirected connection goes elsewhere");
	port = p.sport;
	tcp_frame(&f, GUEST, 4000, "1.2.3.5", 443, PKT_SYN);
	wire_send(&f, true);
	CHECK(stack_got(&p) && p.sport != port && p.dport == 8080, "another of the same port is another");
	other = p.sport;
	tcp_frame(&f, "10.0.2.100", 8080, GUEST, port, PKT_SYN | PKT_ACK);
	wire_send(&f, false);
	CHECK(w.guest.n == 1 && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, &p) && pkt_checksum_ok(&p) && addr_equal(&p.src, &(struct addr){ .b = { [10] = 0xff, 0xff, 1, 2, 3, 4 } }) &&
	      p.sport == 443 && p.dport == 4000 && p.ack == 5000, "its answer comes from where the guest asked");
	tcp_frame(&f, "10.0.2.100", 8080, GUEST, (uint16_t)(other + 1), PKT_SYN | PKT_ACK);
	CHECK(lost(PKT_DROP_NO_FLOW), "... one to nobody's number is lost");
	tcp_frame(&f, "10.0.2.100", 8081, GUEST, port, PKT_ACK);
	CHECK(lost(PKT_DROP_NO_FLOW), "... from elsewhere, too");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_ACK);
	f.b[40] ^= 1;
	wire_send(&f, true);
	CHECK(w.stack.n == 1 && !pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &q) && !pkt_checksum_ok(&q), "a wrong checksum stays wrong");
	w.guest.n = w.stack.n = 0;
	CHECK(filter_reload(&w.f, true) == 0 && w.f.nat.count == 2, "the same verdict leaves them");
	w.redirect = false;
	CHECK(filter_reload(&w.f, true) == 2 && !w.f.nat.count && !w.f.flows.count, "another one ends them");
	CHECK(w.stack.n == 2 && !pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &p) && p.flags & PKT_RST && p.dport == 8080 && pkt_checksum_ok(&p), "... and tells the stack by their numbers");
	w.redirect = true;
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	wire_send(&f, true);
	CHECK(stack_got(&p) && p.sport != port && p.sport != other, "a number is not used again at once");
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_RST);
	wire_send(&f, true);
	udp_frame(&f, GUEST, 4000, FAR, 443, "x", 1);
	CHECK(refused(&p, PKT_DROP_DENIED), "UDP is not redirected");
	tcp_frame(&f, GUEST6, 4000, FAR6, 443, PKT_SYN);
	CHECK(refused(&p, PKT_DROP_DENIED) && p.flags & PKT_RST, "... nor IPv6");
	for (i = 0; i < NAT_MAX; i++) {
		tcp_frame(&f, GUEST, (uint16_t)(1 + i), FAR, 443, PKT_SYN);
		wire_send(&f, true);
	}
	tcp_frame(&f, GUEST, 60000, FAR, 443, PKT_SYN);
	CHECK(w.f.nat.count == NAT_MAX && refused(&p, PKT_DROP_FULL) && w.f.nat.refused == 1 && w.f.flows.count == NAT_MAX, "no more than there may be");
	tcp_frame(&f, GUEST, 5, FAR, 443, PKT_RST);
	wire_send(&f, true);
	CHECK(stack_got(&p) && p.dport == 8080 && p.flags == PKT_RST && w.f.nat.count == NAT_MAX - 1, "a RST is carried, and ends it");
	wire_down();
}

static void test_udp_and_icmp(void)
{
	uint8_t quote[29];
	struct pkt p;

	wire_up(16);
	udp_frame(&f, GUEST, 4000, FAR, 9, "x", 1);
	CHECK(passed() && passed() && w.judged == 1, "UDP is judged once");
	memcpy(quote, f.b + 14, 29);
	udp_frame(&f, FAR, 9, GUEST, 4000, "y", 1);
	CHECK(arrives(), "... and answered");
	icmp_frame(&f, FAR, GUEST, 3, 3, 0, quote, 29);
	CHECK(arrives(), "an error about it arrives");
	quote[20] ^= 1;
	icmp_frame(&f, FAR, GUEST, 3, 3, 0, quote, 29);
	CHECK(lost(PKT_DROP_NO_FLOW), "... about something else it does not");
	icmp_frame(&f, GUEST, FAR, 8, 0, 0x12340001, "x", 1);
	CHECK(passed(), "a ping");
	icmp_frame(&f, FAR, GUEST, 0, 0, 0x12340001, "x", 1);
	CHECK(arrives(), "... and its echo");
	icmp_frame(&f, FAR, GUEST, 0, 0, 0x12350001, "x", 1);
	CHECK(lost(PKT_DROP_NO_FLOW), "... no other");
	icmp_frame(&f, GUEST6, FAR6, 128, 0, 0x12340001, "x", 1);
	CHECK(refused(&p, PKT_DROP_PROTOCOL) && p.proto == PKT_PROTO_ICMP6 && p.type == 1 && p.code == 1,
	      "a ping over IPv6, which the stack knows nothing of, is prohibited");
	icmp_frame(&f, FAR6, GUEST6, 129, 0, 0x12340001, "x", 1);
	CHECK(lost(PKT_DROP_NO_FLOW), "... and has no echo");
	icmp_frame(&f, FAR, GUEST, 8, 0, 1, "x", 1);
	CHECK(lost(PKT_DROP_NO_FLOW), "nobody pings the guest");
	wire_down();
}

static void test_fragments(void)
{
	wire_up(16);
	fragment_frame(&f, 5, 1480, true, 1480);
	CHECK(silent(PKT_DROP_FRAGMENT), "a later fragment alone");
	w.allow = false;
	fragment_frame(&f, 5, 0, true, 1480);
	wire_send(&f, true);
	CHECK(!w.stack.n && w.guest.n == 1, "a first one that is denied");
	fragment_frame(&f, 5, 1480, false, 100);
	CHECK(silent(PKT_DROP_FRAGMENT), "... and what follows it");
	w.allow = true;
	fragment_frame(&f, 6, 0, true, 1480);
	CHECK(passed(), "a first one that is allowed");
	fragment_frame(&f, 6, 1480, true, 1480);
	CHECK(passed(), "... and what follows it");
	fragment_frame(&f, 6, 1480, true, 1480);
	CHECK(silent(PKT_DROP_FRAGMENT), "... once");
	fragment_frame(&f, 9, 0, true, 1480);
	memcpy(f.b + 30, A(DNS).b + 12, 4);
	seal(&f);
	CHECK(silent(PKT_DROP_FRAGMENT) && !w.queries, "a query in pieces");
	/* Of the stack: the guest's flow is known. */
	ip_frame(&f, FAR, GUEST, 17, 1480);
	put_be16(f.b + 20, 0x2000);
	put_be16(f.b + 34, 53);
	put_be16(f.b + 36, 4000);
	put_be16(f.b + 38, 3000);
	seal(&f);
	CHECK(arrives(), "the stack's fragments arrive");
	ip_frame(&f, FAR, GUEST, 17, 1520);
	put_be16(f.b + 20, 1480 / 8);
	seal(&f);
	CHECK(arrives() && lost(PKT_DROP_FRAGMENT), "... each once");
	wire_down();
}

static void test_forwards(void)
{
	struct pkt p;

	wire_up(16);
	w.allow = false;
	tcp_frame(&f, GATE, 50000, GUEST, 22, PKT_SYN);
	CHECK(lost(PKT_DROP_NO_FLOW), "nobody connects to the guest");
	w.forwards = true;
	CHECK(arrives() && w.key.guest_port == 22 && w.key.remote_port == 50000, "... but a forward");
	tcp_frame(&f, GUEST, 22, GATE, 50000, PKT_SYN | PKT_ACK);
	CHECK(passed() && !w.judged, "its replies are pinned");
	w.guest.n = w.stack.n = 0;
	CHECK(filter_reload(&w.f, true) == 0 && !w.judged && w.f.flows.count == 1, "... whatever the policy");
	icmp_frame(&f, GUEST, GATE, 8, 0, 1, "x", 1);
	CHECK(answered(&p) && pkt_is_echo_reply(&p), "the gateway answers a ping");
	udp_frame(&f, GUEST, 4000, DNS, 53, "query", 5);
	wire_send(&f, true);
	CHECK(w.queries == 1, "... and DNS works");
	tcp_frame(&f, GATE, 50001, GUEST, 22, PKT_ACK);
	CHECK(lost(PKT_DROP_NO_FLOW), "only a SYN begins a forward's connection");
	udp_frame(&f, "9.9.9.9", 50000, GUEST, 53, "x", 1);
	CHECK(arrives() && w.f.flows.count == 2, "UDP forwards");
	udp_frame(&f, GUEST, 53, "9.9.9.9", 50000, "y", 1);
	CHECK(passed() && !w.judged, "... and their answers");
	wire_down();
}

static void test_stack_chatter(void)
{
	struct pkt p;

	wire_up(16);
	arp_frame(&f, 1, GATE_MAC, GATE, GUEST);
	memcpy(f.b + 6, GATE_MAC, 6);
	wire_send(&f, false);
	CHECK(!w.guest.n && w.stack.n == 1 && !pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &p) && p.kind == PKT_ARP && p.ip[7] == 2 && !memcmp(p.ip + 8, GUEST_MAC, 6),
	      "the stack asks where the guest is, and is told");
	arp_frame(&f, 1, GATE_MAC, GATE, "10.0.2.77");
	wire_send(&f, false);
	CHECK(!w.guest.n && !w.stack.n, "... not about others");
	solicit("fd00::2", GUEST6, 8);
	wire_send(&f, false);
	CHECK(!w.guest.n && w.stack.n == 1 && !pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &p) && p.type == 136 && !memcmp(p.payload + 18, GUEST_MAC, 6) && pkt_checksum_ok(&p),
	      "... by NDP, too");
	icmp_frame(&f, "fe80::2", "ff02::1", 134, 0, 0x40000708, NULL, 0);
	CHECK(lost(PKT_DROP_CHATTER), "its advertisements are not ours");
	udp_frame(&f, GATE, 67, "255.255.255.255", 68, "x", 1);
	CHECK(lost(PKT_DROP_CHATTER), "its DHCP is not");
	wire_down();

	memset(&w, 0, sizeof(w));
	subnet_default(&w.s);
	if (filter_init(&w.f, &w.s, NULL, 16, &wire_ops, NULL))
		abort();
	arp_frame(&f, 1, GATE_MAC, GATE, GUEST);
	wire_send(&f, false);
	CHECK(w.guest.n == 1 && !w.stack.n && !memcmp(w.guest.kept[0].b, ALL_MAC, 6), "a guest that is not known is asked for");
	arp_frame(&f, 2, GUEST_MAC, GUEST, GATE);
	memcpy(f.b, GATE_MAC, 6);
	wire_send(&f, true);
	CHECK(w.stack.n == 1 && w.f.has_mac && !memcmp(w.f.mac, GUEST_MAC, 6), "... and the stack told when it speaks");
	wire_down();
}

int main(void)
{
	test_sources();
	test_dns();
	test_deny();
	test_flood();
	test_tcp_flow();
	test_cut();
	test_redirect();
	test_udp_and_icmp();
	test_fragments();
	test_forwards();
	test_stack_chatter();
	return tap_done();
}

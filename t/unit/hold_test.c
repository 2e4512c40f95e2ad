// SPDX-License-Identifier: ISC
/* hold_test.c - flows that are held until they say which server they want: nothing else may get past. */
#include "hello_bytes.h"
#include "net_filter.h"

enum { FIRST = 1001 };                  /* the guest's first byte: its SYN has 1000 */

static struct hello_bytes hb;
static bool v6;

/* A segment of the guest's. */
static void segment(uint16_t port, uint32_t seq, uint8_t flags, const void *data, size_t len)
{
	tcp_frame(&f, v6 ? GUEST6 : GUEST, port, v6 ? FAR6 : FAR, 443, flags | PKT_ACK);
	put_be32(f.b + f.l4 + 4, seq);
	put_be32(f.b + f.l4 + 8, 7001);
	put_be16(f.b + f.l4 + 14, 500);
	if (len)
		memcpy(f.b + f.len, data, len);
	f.len += len;
	seal(&f);
}

/* A connection that was opened: the stack's first byte is 7001. */
static void open_port(uint16_t port)
{
	tcp_frame(&f, v6 ? GUEST6 : GUEST, port, v6 ? FAR6 : FAR, 443, PKT_SYN);
	wire_send(&f, true);
	tcp_frame(&f, v6 ? FAR6 : FAR, 443, v6 ? GUEST6 : GUEST, port, PKT_SYN | PKT_ACK);
	put_be32(f.b + f.l4 + 4, 7000);
	put_be32(f.b + f.l4 + 8, FIRST);
	seal(&f);
	wire_send(&f, false);
}

static void up(bool allowed)
{
	wire_up(2048);
	w.sni = true;
	w.names = allowed;
	open_port(4000);
}

/* What the stack acknowledges. */
static void stack_acks(uint32_t ack)
{
	tcp_frame(&f, v6 ? FAR6 : FAR, 443, v6 ? GUEST6 : GUEST, 4000, PKT_ACK);
	put_be32(f.b + f.l4 + 4, 7001);
	put_be32(f.b + f.l4 + 8, ack);
	seal(&f);
	wire_send(&f, false);
}

static bool is_ack(uint32_t ack, uint16_t window)
{
	struct pkt p;

	return w.guest.n == 1 && !w.stack.n && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, &p) &&
	       pkt_checksum_ok(&p) && p.flags == PKT_ACK && p.ack == ack && p.seq == 7001 && p.window == window &&
	       p.dport == 4000 && !p.payload_len;
}

/* It was kept, and acknowledged. */
static bool kept(uint32_t ack)
{
	uint64_t before = w.f.guest[PKT_DROP_HELD];

	wire_send(&f, true);
	return is_ack(ack, (uint16_t)(HOLD_BYTES - (ack - FIRST))) && w.f.guest[PKT_DROP_HELD] == before + 1;
}

/* It was dropped, and the guest told which byte is next. */
static bool again(uint32_t ack)
{
	uint64_t before = w.f.guest[PKT_DROP_UNNAMED];

	wire_send(&f, true);
	return is_ack(ack, (uint16_t)(HOLD_BYTES - (ack - FIRST))) && w.f.guest[PKT_DROP_UNNAMED] == before + 1;
}

/* Both sides were reset, with the numbers that they expect, and nothing else was said. */
static bool reset(enum hold_end why)
{
	struct pkt p, q;

	return w.guest.n && w.stack.n == 1 && !pkt_parse(w.guest.kept[0].b, w.guest.kept[0].len, &p) &&
	       !pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &q) && pkt_checksum_ok(&p) && pkt_checksum_ok(&q) &&
	       p.flags & PKT_RST && q.flags & PKT_RST && p.seq == 7001 && q.seq == FIRST && q.dport == 443 &&
	       !p.payload_len && !q.payload_len && w.why == FLOW_END_NAME && w.f.hold.ended[why] == 1 &&
	       !w.f.hold.count && !w.f.hold.bytes;
}

/* It ended its flow. */
static bool ends(enum hold_end why)
{
	uint64_t before = w.f.guest[PKT_DROP_NAME];

	wire_send(&f, true);
	return reset(why) && w.guest.n == 1 && w.f.guest[PKT_DROP_NAME] == before + 1;
}

/* What the stack got is @data, in order from @seq. */
static bool stack_has(uint32_t seq, const uint8_t *data, size_t len)
{
	struct pkt p;
	unsigned int i;
	size_t at = 0;

	for (i = 0; i < w.stack.n && i < WIRE_KEPT; i++) {
		if (pkt_parse(w.stack.kept[i].b, w.stack.kept[i].len, &p) || !pkt_checksum_ok(&p) ||
		    p.seq != seq + at || at + p.payload_len > len || p.ip_len > w.s.mtu ||
		    memcmp(p.payload, data + at, p.payload_len) != 0 || p.ack != 7001 ||
		    !(p.flags & PKT_ACK) || p.window != 500 || p.dport != 443)
			return false;
		at += p.payload_len;
	}
	return at == len;
}

static void test_allowed(void)
{
	size_t i;
	bool ok = true;

	up(true);
	hello_make(&hb, "A.example", 0);
	segment(4000, FIRST, 0, NULL, 0);
	CHECK(passed() && !w.named, "what opens the connection passes");
	segment(4000, FIRST, PKT_PSH, hb.b, hb.len);
	CHECK(passed() && w.named == 1 && !strcmp(w.name, "a.example") && w.key.guest_port == 4000,
	      "a hello at once is judged, and passes");
	CHECK(!w.f.hold.count && w.f.hold.ended[HOLD_NAMED] == 1 && flow_next(&w.f.flows, NULL)->verdict.rule == 8,
	      "... by the rule of its name");
	stack_acks(FIRST + (uint32_t)hb.len);
	segment(4000, FIRST + (uint32_t)hb.len, 0, "data", 4);
	CHECK(passed() && w.named == 1, "... what follows is ordinary");
	segment(4000, FIRST, 0, "retransmitted", 13);
	CHECK(passed(), "... the stack has the hello, and drops it itself");
	segment(4000, FIRST + 4 + (uint32_t)hb.len, PKT_FIN, NULL, 0);
	CHECK(passed(), "... its end, too");
	wire_down();

	up(true);
	for (i = 0; i + 1 < hb.len; i++) {
		segment(4000, FIRST + (uint32_t)i, 0, hb.b + i, 1);
		ok &= kept(FIRST + (uint32_t)i + 1);
	}
	CHECK(ok && w.f.hold.count == 1 && !w.named, "a hello byte by byte is kept, and acknowledged");
	segment(4000, FIRST + (uint32_t)i, 0, hb.b + i, 1);
	wire_send(&f, true);
	CHECK(stack_has(FIRST, hb.b, hb.len) && !w.guest.n && w.named == 1 && !w.f.hold.count && !w.f.hold.bytes,
	      "... and goes on whole");
	wire_down();

	up(true);
	hello_make(&hb, "a.example", 12000);
	hello_cut(&hb, 7000);
	segment(4000, FIRST, 0, hb.b, 7005);
	CHECK(kept(FIRST + 7005), "two records: the first");
	segment(4000, FIRST + 7005, 0, hb.b + 7005, hb.len - 7005);
	wire_send(&f, true);
	CHECK(stack_has(FIRST, hb.b, hb.len) && w.stack.n == 3, "... and the second");
	wire_down();

	up(true);
	w.s.mtu = 1280;
	segment(4000, FIRST, 0, hb.b, 7005);
	wire_send(&f, true);
	segment(4000, FIRST + 7005, 0, hb.b + 7005, hb.len - 7005);
	wire_send(&f, true);
	CHECK(w.stack.n == 7, "... in packets that fit the network");
	wire_down();
}

static void test_denied(void)
{
	static const char first[] = "GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n";

	up(false);
	hello_make(&hb, "b.example", 0);
	segment(4000, FIRST, 0, hb.b, hb.len);
	CHECK(ends(HOLD_DENIED) && !strcmp(w.name, "b.example") && w.ended == 1,
	      "a name that is denied resets both sides");
	wire_send(&f, true);
	CHECK(!w.stack.n && w.guest.n == 1, "... what comes after is of no flow");
	wire_down();
	up(true);
	hello_make(&hb, NULL, 0);
	segment(4000, FIRST, 0, hb.b, hb.len);
	CHECK(ends(HOLD_NAMELESS) && !w.named, "TLS without a name");
	wire_down();
	up(true);
	segment(4000, FIRST, 0, first, strlen(first));
	CHECK(ends(HOLD_NEITHER) && !w.named, "an address as Host");
	wire_down();
	up(true);
	segment(4000, FIRST, 0, "SSH-2.0-x\r\n", 11);
	CHECK(ends(HOLD_NEITHER) && !w.named, "another protocol");
	wire_down();
	up(true);
	segment(4000, FIRST, PKT_FIN, NULL, 0);
	CHECK(ends(HOLD_SHORT), "an end before a name");
	wire_down();
	up(true);
	segment(4000, FIRST, 0, "GET", 3);
	kept(FIRST + 3);
	segment(4000, FIRST + 10, PKT_FIN, NULL, 0);
	CHECK(again(FIRST + 3), "... which is not next does not count");
	segment(4000, FIRST + 3, PKT_FIN, " / HTTP", 7);
	CHECK(ends(HOLD_SHORT), "... with a part of it");
	wire_down();
	up(true);
	hello_make(&hb, "a.example", 0);
	segment(4000, FIRST, PKT_FIN, hb.b, hb.len);
	CHECK(passed() && w.named == 1, "... with all of it is good");
	wire_down();
}

static void test_order(void)
{
	struct pkt p;

	up(true);
	hello_make(&hb, "a.example", 0);
	segment(4000, FIRST + 50, 0, hb.b + 50, hb.len - 50);
	CHECK(again(FIRST), "what comes out of order is dropped");
	segment(4000, FIRST, 0, hb.b, 50);
	CHECK(kept(FIRST + 50), "... in order it is kept");
	CHECK(again(FIRST + 50), "... once");
	segment(4000, FIRST + 10, 0, "other bytes", 11);
	CHECK(again(FIRST + 50), "... other bytes in its place are dropped");
	segment(4000, FIRST + 49, 0, hb.b + 49, hb.len - 49);
	CHECK(again(FIRST + 50) && !w.named, "... and what overlaps it");
	segment(4000, FIRST + 50, 0, hb.b + 50, hb.len - 50);
	f.b[f.len - 1] ^= 1;
	CHECK(silent(PKT_DROP_CHECKSUM) && !w.named, "... and what the stack would drop");
	f.b[f.len - 1] ^= 1;
	f.b[f.l4 + 13] |= 0x20;
	seal(&f);
	CHECK(silent(PKT_DROP_UNNAMED) && !w.named, "... and urgent data");
	segment(4000, FIRST + 50, PKT_RST, "x", 1);
	CHECK(silent(PKT_DROP_UNNAMED) && w.f.flows.count == 1, "... and data of a RST");
	segment(4000, FIRST + 50, 0, hb.b + 50, hb.len - 50);
	wire_send(&f, true);
	CHECK(stack_has(FIRST, hb.b, hb.len), "then it goes on");
	segment(4000, FIRST, 0, "GET / HTTP/1.1", 14);
	CHECK(silent(PKT_DROP_UNNAMED), "the stack has not acknowledged it: other bytes in its place do not pass");
	stack_acks(FIRST + (uint32_t)hb.len - 1);
	segment(4000, FIRST + (uint32_t)hb.len - 1, 0, "xx", 2);
	CHECK(silent(PKT_DROP_UNNAMED), "... nor in place of its last byte");
	segment(4000, FIRST + (uint32_t)hb.len, 0, "yy", 2);
	CHECK(passed(), "... what follows does");
	stack_acks(FIRST + (uint32_t)hb.len);
	segment(4000, FIRST + (uint32_t)hb.len - 1, 0, "xx", 2);
	CHECK(passed(), "... the stack drops what it has acknowledged");
	stack_acks(FIRST + 0x90000000u);
	segment(4000, FIRST + 0x90000000u, 0, "far", 3);
	CHECK(passed(), "... 2 GiB later it is ordinary still");
	f.b[f.l4 + 13] |= 0x20;
	seal(&f);
	CHECK(silent(PKT_DROP_UNNAMED), "... but for urgent data");
	wire_down();

	wire_up(16);
	w.sni = w.names = true;
	tcp_frame(&f, v6 ? GUEST6 : GUEST, 4000, v6 ? FAR6 : FAR, 443, PKT_SYN);
	memcpy(f.b + f.len, "GET", 3);
	f.len += 3;
	seal(&f);
	CHECK(refused(&p, PKT_DROP_DENIED) && p.flags & PKT_RST, "data of a SYN is refused");
	tcp_frame(&f, v6 ? GUEST6 : GUEST, 4000, v6 ? FAR6 : FAR, 443, PKT_SYN);
	passed();
	memcpy(f.b + f.len, "GET", 3);
	f.len += 3;
	seal(&f);
	CHECK(silent(PKT_DROP_UNNAMED), "... of one that is sent again is dropped");
	segment(4000, FIRST, 0, hb.b, hb.len);
	CHECK(silent(PKT_DROP_UNNAMED) && !w.named, "... and before the other side has answered");
	udp_frame(&f, GUEST, 4000, FAR, 443, "quic", 4);
	CHECK(refused(&p, PKT_DROP_DENIED), "UDP has no name to ask for");
	wire_down();
}

static void test_limits(void)
{
	static uint8_t x[40000];

	memset(x, 'x', sizeof(x));
	up(true);
	segment(4000, FIRST, 0, x, HOLD_BYTES - 1);
	CHECK(kept(FIRST + HOLD_BYTES - 1) && w.f.hold.bytes == HOLD_BYTES, "as much as may be held");
	segment(4000, FIRST + HOLD_BYTES - 1, 0, x, 1);
	CHECK(ends(HOLD_LONG), "... a byte more");
	wire_down();
	up(true);
	segment(4000, FIRST, 0, x, sizeof(x));
	CHECK(ends(HOLD_LONG), "... at once");
	wire_down();
	up(true);
	hello_make(&hb, "a.example", 16100);
	memset(hb.b + hb.len, 23, 40000);
	hb.len += 40000;
	segment(4000, FIRST, 0, hb.b, hb.len);
	CHECK(passed() && w.named == 1, "... what follows the name does not count");
	wire_down();

	up(true);
	filter_clock(&w.f, 5000);
	segment(4000, FIRST, 0, "GET", 3);
	kept(FIRST + 3);
	filter_clock(&w.f, 9000);
	segment(4000, FIRST + 3, 0, " /", 2);
	kept(FIRST + 5);
	w.stack.n = 0;
	filter_clock(&w.f, 14999);
	filter_tick(&w.f);
	CHECK(!w.ended && !w.stack.n, "a name may take 10 s from the first byte");
	w.guest.n = 0;
	filter_clock(&w.f, 15000);
	filter_tick(&w.f);
	CHECK(reset(HOLD_LATE) && w.ended == 1, "... no longer");
	open_port(4000);
	w.guest.n = w.stack.n = 0;
	filter_clock(&w.f, 60000);
	filter_tick(&w.f);
	CHECK(w.ended == 1 && w.f.flows.count == 1, "a connection may wait for its first byte");
	wire_down();
}

static void test_room(void)
{
	static uint8_t x[HOLD_BYTES];
	bool ok = true;
	uint32_t i;

	memset(x, 'x', sizeof(x));
	up(true);
	for (i = 0; i < HOLD_FLOWS; i++) {
		open_port((uint16_t)(5000 + i));
		segment((uint16_t)(5000 + i), FIRST, 0, x, 1);
		wire_send(&f, true);
		ok &= w.guest.n == 1 && !w.stack.n;
	}
	CHECK(ok && w.f.hold.count == HOLD_FLOWS && w.f.hold.bytes == HOLD_FLOWS * 1024 && !w.ended,
	      "as many flows as may be held");
	segment(4000, FIRST, 0, x, 1);
	wire_send(&f, true);
	CHECK(w.why == FLOW_END_NAME && w.f.hold.ended[HOLD_FULL] == 1 && w.guest.n == 1 && w.stack.n == 1 &&
	      w.last.key.guest_port == 4000,
	      "... one more is refused at once");
	segment(5000, FIRST + 1, PKT_RST, NULL, 0);
	CHECK(passed() && w.f.hold.count == HOLD_FLOWS - 1, "a RST makes room");
	filter_reset(&w.f, NULL);
	CHECK(!w.f.hold.count && !w.f.hold.bytes && !w.f.hold.first && !w.f.hold.last, "... and another guest does");
	wire_down();
	up(true);
	for (i = 0; i < HOLD_TOTAL / HOLD_BYTES; i++) {
		open_port((uint16_t)(5000 + i));
		segment((uint16_t)(5000 + i), FIRST, 0, x, HOLD_BYTES - 1);
		wire_send(&f, true);
	}
	CHECK(w.f.hold.bytes == HOLD_TOTAL && !w.ended, "as many bytes as may be held");
	segment(4000, FIRST, 0, x, 1);
	wire_send(&f, true);
	CHECK(w.f.hold.ended[HOLD_FULL] == 1 && w.ended == 1 && w.guest.n == 1 && w.stack.n == 1,
	      "... one more is refused at once");
	hello_make(&hb, "a.example", 0);
	open_port(4001);
	segment(4001, FIRST, 0, hb.b, hb.len);
	CHECK(passed(), "... what needs not be kept goes on");
	wire_down();
}

static void test_reload(void)
{
	up(true);
	hello_make(&hb, "a.example", 0);
	segment(4000, FIRST, 0, hb.b, 20);
	kept(FIRST + 20);
	open_port(4001);
	segment(4001, FIRST, 0, hb.b, hb.len);
	CHECK(passed() && w.named == 1, "one flow is held, another has its name");
	w.judged = 0;
	CHECK(filter_reload(&w.f, true) == 0 && w.judged == 1 && w.named == 2 && !strcmp(w.name, "a.example"),
	      "a reload asks by address, and by name");
	w.sni = false;
	filter_reload(&w.f, true);
	segment(4000, FIRST + 20, 0, hb.b + 20, hb.len - 20);
	wire_send(&f, true);
	CHECK(stack_has(FIRST, hb.b, hb.len) && w.named == 4, "what is held is still asked for its name");
	open_port(4002);
	w.sni = true;
	CHECK(filter_reload(&w.f, true) == 1 && w.why == FLOW_END_POLICY && w.last.key.guest_port == 4002,
	      "what was never asked is ended when names count");
	w.names = false;
	CHECK(filter_reload(&w.f, true) == 2 && w.why == FLOW_END_POLICY && w.last.name && !w.f.flows.count,
	      "... and what has a name that is denied now");
	wire_down();
}

static void test_redirect(void)
{
	struct pkt p, q;

	wire_up(16);
	w.sni = w.names = w.redirect = true;
	tcp_frame(&f, GUEST, 4000, FAR, 443, PKT_SYN);
	wire_send(&f, true);
	pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &p);
	tcp_frame(&f, "10.0.2.100", 8080, GUEST, p.sport, PKT_SYN | PKT_ACK);
	put_be32(f.b + f.l4 + 8, FIRST);
	seal(&f);
	wire_send(&f, false);
	segment(4000, FIRST, 0, "GET / ", 6);
	wire_send(&f, true);
	segment(4000, FIRST + 6, 0, "HTTP/1.1\r\nHost: a.example\r\n\r\n", 29);
	wire_send(&f, true);
	CHECK(w.stack.n == 2 && w.named == 1 && !w.guest.n, "a flow that is carried elsewhere is asked, too");
	CHECK(!pkt_parse(w.stack.kept[0].b, w.stack.kept[0].len, &q) && pkt_checksum_ok(&q) && q.dport == 8080 &&
	      q.sport == p.sport && q.payload_len == 6 && !pkt_parse(w.stack.kept[1].b, w.stack.kept[1].len, &q) &&
	      pkt_checksum_ok(&q) && q.dport == 8080 && q.sport == p.sport && q.payload_len == 29,
	      "... as it is carried");
	wire_down();
}

int main(void)
{
	for (v6 = false; ; v6 = true) {
		printf("# IPv%d\n", v6 ? 6 : 4);
		test_allowed();
		test_denied();
		test_order();
		test_limits();
		test_room();
		test_reload();
		if (v6)
			break;
	}
	v6 = false;
	test_redirect();
	return tap_done();
}

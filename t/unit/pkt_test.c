// SPDX-License-Identifier: ISC
/* pkt_test.c - frames, whole and bent; fragments; frames of our own. */
#include "pkt.h"

#include "build.h"
#include "frag.h"
#include "net_frames.h"
#include "sum.h"

static struct fr f;
static struct pkt p;

static enum pkt_drop parse(void)
{
	/* In memory of just its size, so that a sanitizer sees every byte too many. */
	static uint8_t *exact;

	free(exact);
	exact = malloc(f.len ? f.len : 1);
	memcpy(exact, f.b, f.len);
	return pkt_parse(exact, f.len, &p);
}

static void udp(void)
{
	udp_frame(&f, "10.0.2.15", 4000, "1.2.3.4", 53, "hello", 5);
}

static void udp6(void)
{
	udp_frame(&f, "fd00::f", 4000, "2001:db8::1", 53, "hello", 5);
}

static void test_good(void)
{
	struct addr src = A("10.0.2.15"), dst = A("1.2.3.4");

	udp();
	CHECK(parse() == PKT_OK && p.kind == PKT_IPV4 && p.proto == 17 && p.sport == 4000 && p.dport == 53, "UDP over IPv4");
	CHECK(addr_equal(&p.src, &src) && addr_equal(&p.dst, &dst) && p.payload_len == 5 && !memcmp(p.payload, "hello", 5), "... addresses and payload");
	CHECK(pkt_checksum_ok(&p), "... checksum");
	memset(f.b + f.len, 0xaa, 13);
	f.len += 13;
	CHECK(parse() == PKT_OK && p.payload_len == 5 && p.len == 47, "padding is no part of it");
	udp();
	put_be16(f.b + f.l4 + 6, 0);
	CHECK(parse() == PKT_OK && pkt_checksum_ok(&p), "UDP without a checksum");
	udp6();
	CHECK(parse() == PKT_OK && p.kind == PKT_IPV6 && p.dport == 53 && p.payload_len == 5 && pkt_checksum_ok(&p), "UDP over IPv6");
	put_be16(f.b + f.l4 + 6, 0);
	CHECK(parse() == PKT_OK && !pkt_checksum_ok(&p), "... must have a checksum");
	tcp_frame(&f, "fd00::f", 4000, "2001:db8::1", 443, PKT_SYN);
	CHECK(parse() == PKT_OK && p.flags == PKT_SYN && p.seq == 1000 && p.payload_len == 0 && pkt_checksum_ok(&p), "TCP");
	icmp_frame(&f, "10.0.2.15", "1.2.3.4", 8, 0, 0x12340001, "x", 1);
	CHECK(parse() == PKT_OK && p.id == 0x1234 && pkt_is_echo_request(&p) && !pkt_is_icmp_error(&p) && pkt_checksum_ok(&p), "echo");
	icmp_frame(&f, "fd00::f", "2001:db8::1", 128, 0, 0x12340001, "x", 1);
	CHECK(parse() == PKT_OK && p.id == 0x1234 && pkt_is_echo_request(&p) && pkt_checksum_ok(&p), "echo over IPv6");
	arp_frame(&f, 1, GUEST_MAC, "10.0.2.15", "10.0.2.2");
	CHECK(parse() == PKT_OK && p.kind == PKT_ARP, "ARP");
	ip_frame(&f, "10.0.2.15", "1.2.3.4", 132, 12);
	seal(&f);
	CHECK(parse() == PKT_OK && p.proto == 132, "a protocol that is not ours is somebody else's decision");
}

/* Every byte of the frame as far as its checksums reach: no change goes unnoticed. */
static void test_truncation(void)
{
	bool ok = true;
	size_t n;
	int kind;

	for (kind = 0; kind < 5; kind++) {
		size_t whole;

		if (kind == 0)
			udp();
		else if (kind == 1)
			udp6();
		else if (kind == 2)
			tcp_frame(&f, "10.0.2.15", 4000, "1.2.3.4", 443, PKT_SYN);
		else if (kind == 3)
			icmp_frame(&f, "10.0.2.15", "1.2.3.4", 8, 0, 1, NULL, 0);
		else
			arp_frame(&f, 1, GUEST_MAC, "10.0.2.15", "10.0.2.2");
		whole = kind == 4 ? 42 : f.len;
		for (n = 0; n < whole; n++) {
			f.len = n;
			ok &= parse() == PKT_DROP_TRUNCATED;
		}
		f.len = whole;
		ok &= parse() == PKT_OK;
	}
	CHECK(ok, "a frame cut anywhere is truncated");
	/* The IP header tells less than its transport needs. */
	for (n = 20; n < 28; n++) {
		udp();
		put_be16(f.b + 16, (uint16_t)n);
		put_be16(f.b + 24, 0);
		put_be16(f.b + 24, book_sum(f.b + 14, 20, 0));
		ok &= parse() == PKT_DROP_TRUNCATED;
	}
	for (n = 0; n < 8; n++) {
		udp6();
		put_be16(f.b + 18, (uint16_t)n);
		ok &= parse() == PKT_DROP_TRUNCATED;
	}
	CHECK(ok, "... a transport header, too");
}

static enum pkt_drop with(size_t at, uint8_t value, bool reseal)
{
	udp();
	f.b[at] = value;
	if (reseal)
		seal(&f);
	return parse();
}

static enum pkt_drop with6(size_t at, uint8_t value)
{
	udp6();
	f.b[at] = value;
	return parse();
}

static void test_ethernet(void)
{
	CHECK(with(12, 0x81, false) == PKT_DROP_VLAN && with(12, 0x88, false) == PKT_DROP_ETHERTYPE, "a VLAN tag");
	udp();
	put_be16(f.b + 12, 0x88a8);
	CHECK(parse() == PKT_DROP_VLAN, "two VLAN tags");
	udp();
	put_be16(f.b + 12, 0x002c);
	CHECK(parse() == PKT_DROP_ETHERTYPE, "802.3 lengths");
	CHECK(with(6, 0x53, false) == PKT_DROP_SOURCE_MAC, "a group as source");
	udp6();
	put_be16(f.b + 12, 0x0800);
	CHECK(parse() == PKT_DROP_VERSION, "IPv6 that is called IPv4");
	udp_frame(&f, "10.0.2.15", 4000, "1.2.3.4", 53, "hello, you there", 16);
	put_be16(f.b + 12, 0x86dd);
	CHECK(parse() == PKT_DROP_VERSION, "IPv4 that is called IPv6");
	arp_frame(&f, 1, GUEST_MAC, "10.0.2.15", "10.0.2.2");
	f.b[18] = 8;
	CHECK(parse() == PKT_DROP_ARP, "ARP for other hardware");
}

static void test_v4(void)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < 16; i++)
		ok &= i == 4 || with(14, (uint8_t)(i << 4 | 5), false) == PKT_DROP_VERSION;
	CHECK(ok, "versions");
	for (i = 0; i < 5; i++)
		ok &= with(14, (uint8_t)(0x40 | i), false) == PKT_DROP_HEADER;
	CHECK(ok, "a header length of less than a header");
	CHECK(with(14, 0x4f, false) == PKT_DROP_LENGTH, "... of more than the packet");
	ip_frame(&f, "10.0.2.15", "1.2.3.4", 17, 20);
	f.b[14] = 0x48;                 /* three words of options: LSRR */
	memcpy(f.b + 34, (const uint8_t[]){ 131, 11, 4, 127, 0, 0, 1, 10, 0, 2, 2, 0 }, 12);
	put_be16(f.b + 46, 4000);
	put_be16(f.b + 48, 53);
	f.l4 = 46;
	seal(&f);
	CHECK(parse() == PKT_DROP_OPTIONS, "a source route");
	CHECK(with(17, 60, true) == PKT_OK && with(17, 10, false) == PKT_DROP_LENGTH && with(16, 1, false) == PKT_DROP_TRUNCATED,
	      "total lengths of less than a header, of more than the frame");
	for (i = 14; i < 34; i++) {
		udp();
		f.b[i] ^= 1;
		ok &= parse() != PKT_OK;
	}
	CHECK(ok, "one wrong bit anywhere in the header");
	CHECK(with(24, 0, false) == PKT_DROP_CHECKSUM, "a wrong header checksum");
	CHECK(with(22, 0, true) == PKT_DROP_HEADER, "a TTL of 0");
	CHECK(with(20, 0x80, true) == PKT_DROP_HEADER, "the reserved bit");
	CHECK(with(26, 127, true) == PKT_DROP_SOURCE && with(26, 224, true) == PKT_DROP_SOURCE && with(26, 255, true) == PKT_DROP_SOURCE,
	      "loopback, multicast and broadcast as source");
	udp();
	put_be16(f.b + f.l4 + 4, 12);
	CHECK(parse() == PKT_DROP_LENGTH, "a UDP length that is not the packet's");
	udp();
	f.b[f.len - 1] ^= 1;
	CHECK(parse() == PKT_OK && !pkt_checksum_ok(&p), "a wrong UDP checksum is seen");
	udp();
	put_be16(f.b + f.l4 + 2, 0);
	CHECK(parse() == PKT_DROP_TRANSPORT, "port 0");
}

static enum pkt_drop tcp_flags(uint8_t flags)
{
	tcp_frame(&f, "10.0.2.15", 4000, "1.2.3.4", 443, flags);
	return parse();
}

static enum pkt_drop tcp_header(uint8_t words)
{
	tcp_frame(&f, "10.0.2.15", 4000, "1.2.3.4", 443, PKT_SYN);
	f.b[f.l4 + 12] = (uint8_t)(words << 4);
	return parse();
}

static void test_tcp(void)
{
	CHECK(tcp_flags(0) == PKT_DROP_TRANSPORT && tcp_flags(PKT_FIN) == PKT_DROP_TRANSPORT, "TCP without SYN, ACK and RST");
	CHECK(tcp_flags(PKT_SYN | PKT_FIN) == PKT_DROP_TRANSPORT && tcp_flags(PKT_SYN | PKT_RST) == PKT_DROP_TRANSPORT, "flags that contradict each other");
	CHECK(tcp_flags(PKT_SYN | PKT_ACK) == PKT_OK && tcp_flags(PKT_FIN | PKT_ACK) == PKT_OK, "... and some that do not");
	CHECK(tcp_header(4) == PKT_DROP_TRANSPORT && tcp_header(6) == PKT_DROP_TRANSPORT && tcp_header(5) == PKT_OK, "data offsets");
}

static void test_v6(void)
{
	static const uint8_t extensions[] = { 0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254, 255 };
	bool ok = true;
	unsigned int i;

	for (i = 0; i < sizeof(extensions); i++)
		ok &= with6(20, extensions[i]) == PKT_DROP_EXTENSION;
	CHECK(ok, "extension headers, fragments too");
	CHECK(with6(14, 0x40) == PKT_DROP_VERSION && with6(14, 0x70) == PKT_DROP_VERSION, "versions");
	CHECK(with6(21, 0) == PKT_DROP_HEADER, "a hop limit of 0");
	CHECK(with6(22, 0xff) == PKT_DROP_SOURCE, "multicast as source");
	udp6();
	memset(f.b + 22, 0, 16);
	f.b[37] = 1;
	CHECK(parse() == PKT_DROP_SOURCE, "::1 as source");
	udp6();
	memset(f.b + 38, 0, 16);
	memcpy(f.b + 48, (const uint8_t[]){ 0xff, 0xff, 127, 0, 0, 1 }, 6);
	CHECK(parse() == PKT_DROP_DESTINATION, "::ffff:127.0.0.1 is nobody on a wire");
	udp6();
	memset(f.b + 22, 0, 16);
	memcpy(f.b + 32, (const uint8_t[]){ 0xff, 0xff, 10, 0, 2, 15 }, 6);
	CHECK(parse() == PKT_DROP_SOURCE, "... and sends nothing");
	ip_frame(&f, "fd00::f", "2001:db8::1", 1, 8);
	seal(&f);
	CHECK(parse() == PKT_OK && !pkt_is_echo_request(&p) && p.type == 0, "ICMP of the other family is not ICMP");
}

static enum pkt_drop later(struct frag_table *t, uint64_t now, uint16_t id, size_t offset, bool more, size_t len)
{
	fragment_frame(&f, id, offset, more, len);
	return parse() ? PKT_DROP_TRUNCATED : frag_pass(t, now, &p);
}

static enum pkt_drop first(struct frag_table *t, uint64_t now, uint16_t id, size_t len)
{
	fragment_frame(&f, id, 0, true, len);
	return parse() ? PKT_DROP_TRUNCATED : frag_admit(t, now, &p);
}

static void test_fragments(void)
{
	static struct frag_table t;
	unsigned int i;
	bool ok = true;

	CHECK(later(&t, 1, 7, 1480, false, 100) == PKT_DROP_FRAGMENT, "no later fragment without its first");
	CHECK(first(&t, 1, 7, 1480) == PKT_OK && later(&t, 2, 7, 1480, true, 1480) == PKT_OK, "... after it");
	CHECK(p.sport == 4000 && p.dport == 53, "... they are of its flow");
	CHECK(later(&t, 2, 8, 1480, true, 1480) == PKT_DROP_FRAGMENT, "... not of another datagram");
	CHECK(later(&t, 2, 7, 2960, false, 10) == PKT_OK && later(&t, 2, 7, 2960, false, 10) == PKT_DROP_FRAGMENT, "the last one ends it");
	CHECK(first(&t, 2, 7, 1480) == PKT_OK, "... and its number can be used again at once");

	first(&t, 3, 9, 1480);
	CHECK(later(&t, 3, 9, 1472, true, 1480) == PKT_DROP_FRAGMENT && later(&t, 3, 9, 2960, false, 8) == PKT_DROP_FRAGMENT, "an overlap ends all of it");
	first(&t, 3, 10, 1480);
	CHECK(first(&t, 4, 10, 1480) == PKT_DROP_FRAGMENT && later(&t, 4, 10, 1480, false, 8) == PKT_DROP_FRAGMENT, "a second first is an overlap");
	CHECK(first(&t, 4000, 10, 1480) == PKT_OK, "... but not after a while: numbers come again");
	first(&t, 5, 11, 1480);
	later(&t, 5, 11, 4440, true, 8);
	CHECK(later(&t, 5, 11, 1480, false, 8) == PKT_DROP_FRAGMENT, "a last one that is not the last");
	first(&t, 5, 12, 1480);
	CHECK(later(&t, 5 + FRAG_MSEC, 12, 1480, false, 8) == PKT_DROP_FRAGMENT, "too late");

	fragment_frame(&f, 13, 0, true, 1480);
	f.b[23] = 6;
	seal(&f);
	CHECK(parse() == PKT_DROP_FRAGMENT, "TCP is never cut");
	fragment_frame(&f, 13, 0, true, 0);
	CHECK(parse() == PKT_DROP_FRAGMENT, "an empty fragment");
	fragment_frame(&f, 13, 8, true, 1481);
	CHECK(parse() == PKT_DROP_FRAGMENT, "one that ends within 8 bytes, and is not the last");
	fragment_frame(&f, 13, 65528, false, 100);
	CHECK(parse() == PKT_DROP_FRAGMENT, "one beyond 64 KiB (ping of death)");
	fragment_frame(&f, 13, 0, false, 7);
	put_be16(f.b + 20, 0x2000);
	CHECK(parse() != PKT_OK, "a first one without all of its header");
	for (i = 0; i < 3 * FRAG_MAX; i++)
		ok &= first(&t, 20000 + i, (uint16_t)(100 + i), 1480) == PKT_OK;
	CHECK(ok && later(&t, 20300, 100 + 3 * FRAG_MAX - 1, 1480, false, 8) == PKT_OK &&
	      later(&t, 20300, 100, 1480, false, 8) == PKT_DROP_FRAGMENT, "many at once: the oldest give way");
}

static bool good(const struct built *b)
{
	f.len = build_copy(b, f.b, sizeof(f.b));
	return f.len && parse() == PKT_OK && pkt_checksum_ok(&p) && p.len == f.len;
}

static void test_build(void)
{
	struct build_path v4 = { GATE_MAC, GUEST_MAC, A("10.0.2.2"), A("10.0.2.15") }, v6 = { GATE_MAC, GUEST_MAC, A("fd00::2"), A("fd00::f") };
	struct pkt rst = { .sport = 80, .dport = 4000, .seq = 7, .ack = 9, .flags = PKT_RST | PKT_ACK };
	static uint8_t data[65000];
	bool ok = true;
	struct built b;
	size_t n;

	build_arp(&b, &v4, BUILD_ARP_REPLY);
	CHECK(good(&b) && p.kind == PKT_ARP && p.ip[7] == 2 && !memcmp(p.ip + 8, GATE_MAC, 6) && !memcmp(p.ip + 18, GUEST_MAC, 6), "an ARP reply");
	for (n = 0; n < sizeof(data); n++)
		data[n] = (uint8_t)(n * 17);
	for (n = 0; n < 2000; n += 1 + n / 5)
		ok &= !build_udp(&b, &v4, 53, 4000, data, n) && good(&b) && p.payload_len == n && !memcmp(p.payload, data, n) &&
		      !build_udp(&b, &v6, 53, 4000, data, n) && good(&b) && p.payload_len == n && p.dport == 4000;
	CHECK(ok, "UDP of odd and even lengths");
	CHECK(!build_udp(&b, &v4, 53, 4000, data, sizeof(data)) && good(&b) && book_sum(f.b + 14, 20, 0) == 0, "UDP of 65,000 bytes");
	CHECK(build_udp(&b, &v4, 53, 4000, data, 65536) < 0 && build_icmp(&b, &v6, 129, 0, 0, data, 65536) < 0, "no more than a packet holds");
	build_tcp(&b, &v6, &rst);
	CHECK(good(&b) && p.flags == (PKT_RST | PKT_ACK) && p.seq == 7 && p.ack == 9 && p.sport == 80, "a TCP reset");
	CHECK(!build_icmp(&b, &v4, 0, 0, 0x12340005, "abc", 3) && good(&b) && pkt_is_echo_reply(&p) && p.id == 0x1234, "an echo");
	CHECK(!build_icmp(&b, &v6, 136, 0, 0x60000000, data, 24) && good(&b) && p.ttl == 255 && p.type == 136, "an advertisement");
	CHECK(book_sum(data, 65000, 0) == (uint16_t)(sum_fold(sum_bytes(0, data, 65000)) << 8 | sum_fold(sum_bytes(0, data, 65000)) >> 8), "sums are by the book");
}

static void test_inner(void)
{
	struct pkt inner;
	uint8_t quote[60];

	udp();
	memcpy(quote, f.b + 14, 33);
	icmp_frame(&f, "10.0.2.15", "1.2.3.4", 3, 3, 0, quote, 33);
	CHECK(parse() == PKT_OK && pkt_is_icmp_error(&p) && pkt_inner(&p, &inner) && inner.sport == 4000 && inner.dport == 53, "what an error is about");
	icmp_frame(&f, "10.0.2.15", "1.2.3.4", 3, 3, 0, quote, 27);
	CHECK(parse() == PKT_OK && !pkt_inner(&p, &inner), "... cannot be told of too little");
	quote[0] = 0x4f;
	icmp_frame(&f, "10.0.2.15", "1.2.3.4", 3, 3, 0, quote, 33);
	CHECK(parse() == PKT_OK && !pkt_inner(&p, &inner), "... nor of a bent header");
}

int main(void)
{
	test_good();
	test_truncation();
	test_ethernet();
	test_v4();
	test_tcp();
	test_v6();
	test_fragments();
	test_build();
	test_inner();
	return tap_done();
}

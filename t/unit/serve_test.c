// SPDX-License-Identifier: ISC
/* serve_test.c - what the filter answers by itself: ARP, NDP, and echo of the gateway. */
#include "net_filter.h"

static void test_arp(void)
{
	struct pkt p;

	wire_up(16);
	arp_frame(&f, 1, GUEST_MAC, GUEST, GATE);
	CHECK(answered(&p) && p.kind == PKT_ARP && p.ip[7] == 2 && !memcmp(p.ip + 8, GATE_MAC, 6) && !memcmp(p.ip + 14, A(GATE).b + 12, 4), "ARP for the gateway");
	arp_frame(&f, 1, GUEST_MAC, GUEST, DNS);
	CHECK(answered(&p) && !memcmp(p.ip + 14, A(DNS).b + 12, 4), "ARP for the DNS server");
	arp_frame(&f, 1, GUEST_MAC, "0.0.0.0", GATE);
	CHECK(answered(&p), "a probe for the gateway's address is told that it is taken");
	arp_frame(&f, 1, GUEST_MAC, "0.0.0.0", GUEST);
	CHECK(silent(PKT_DROP_ARP), "a probe for the guest's own address is not");
	arp_frame(&f, 1, GUEST_MAC, GUEST, GUEST);
	CHECK(silent(PKT_DROP_ARP), "gratuitous ARP");
	arp_frame(&f, 1, GUEST_MAC, GUEST, "10.0.2.99");
	CHECK(silent(PKT_DROP_ARP), "ARP for nobody");
	arp_frame(&f, 2, GUEST_MAC, GATE, GUEST);
	CHECK(silent(PKT_DROP_SPOOF), "a guest that says it is the gateway");
	arp_frame(&f, 1, GUEST_MAC, GATE, GATE);
	CHECK(silent(PKT_DROP_SPOOF), "... gratuitously");
	arp_frame(&f, 1, GATE_MAC, GUEST, GATE);
	CHECK(silent(PKT_DROP_ARP), "two MACs in one frame");
	arp_frame(&f, 1, GUEST_MAC, GUEST, GATE);
	memcpy(f.b + 6, GATE_MAC, 6);
	CHECK(silent(PKT_DROP_SOURCE_MAC), "our own MAC as source");
	memset(f.b + 6, 2, 6);
	CHECK(silent(PKT_DROP_SOURCE_MAC), "another guest's MAC as source");
	wire_down();
}

static void test_ndp(void)
{
	struct pkt p;

	wire_up(16);
	solicit(GUEST6, "fd00::2", 8);
	CHECK(answered(&p) && p.type == 136 && p.ttl == 255 && get_be32(p.l4 + 4) == 0xe0000000 && !memcmp(p.payload, A("fd00::2").b, 16) &&
	      p.payload[16] == 2 && !memcmp(p.payload + 18, GATE_MAC, 6), "NDP for the gateway");
	solicit("fe80::5054:ff:fe12:3456", "fd00::3", 8);
	CHECK(answered(&p) && addr_equal(&p.dst, &(struct addr){ .b = { 0xfe, 0x80, [8] = 0x50, 0x54, 0, 0xff, 0xfe, 0x12, 0x34, 0x56 } }), "NDP for the DNS server");
	solicit(GUEST6, "fe80::5055:aff:fe00:202", 8);
	CHECK(answered(&p), "... for the router's link-local address");
	solicit("::", "fd00::f", 0);
	CHECK(silent(PKT_DROP_NDP), "the guest's detection of duplicates hears nothing");
	solicit("::", "fd00::2", 0);
	wire_send(&f, true);
	CHECK(w.guest.n == 1 && w.guest.kept[0].b[0] == 0x33 && w.guest.kept[0].b[38] == 0xff, "... unless it wants the gateway's address");
	solicit(GUEST6, "fd00::99", 8);
	CHECK(silent(PKT_DROP_NDP), "NDP for nobody");
	solicit(GUEST6, "fd00::2", 3);
	CHECK(silent(PKT_DROP_NDP), "options cut short");
	solicit(GUEST6, "fd00::2", 8);
	f.b[21] = 64;
	seal(&f);
	CHECK(silent(PKT_DROP_NDP), "from beyond the link");
	solicit(GUEST6, "fd00::2", 8);
	f.b[54 + 20] ^= 1;
	CHECK(silent(PKT_DROP_NDP), "a wrong checksum");
	icmp_frame(&f, GUEST6, "ff02::1", 136, 0, 0x20000000, A("fd00::2").b, 16);
	CHECK(silent(PKT_DROP_SPOOF), "a guest that advertises the gateway's address");
	icmp_frame(&f, "fe80::1", "ff02::1", 134, 0, 0x40000708, "12345678", 8);
	CHECK(silent(PKT_DROP_SPOOF), "a guest that is a router");
	icmp_frame(&f, "fe80::1", GUEST6, 137, 0, 0, "12345678123456781234567812345678", 32);
	CHECK(silent(PKT_DROP_SPOOF), "... or redirects");
	icmp_frame(&f, "fe80::1", "ff02::2", 133, 0, 0, NULL, 0);
	CHECK(answered(&p) && p.type == 134 && p.ttl == 255 && addr_equal(&p.dst, &(struct addr){ .b = { 0xfe, 0x80, [15] = 1 } }), "a router advertisement, when asked");
	wire_down();
}

static void test_echo(void)
{
	struct pkt p;

	wire_up(16);
	w.allow = false;
	icmp_frame(&f, GUEST, GATE, 8, 0, 0x12340001, "ping", 4);
	CHECK(answered(&p) && pkt_is_echo_reply(&p) && p.id == 0x1234 && p.payload_len == 4 && !memcmp(p.payload, "ping", 4) && !w.judged, "the gateway answers a ping, whatever the policy");
	icmp_frame(&f, GUEST6, "fd00::2", 128, 0, 0x12340001, "ping", 4);
	CHECK(answered(&p) && pkt_is_echo_reply(&p) && p.id == 0x1234 && !w.judged, "... IPv6, too");
	icmp_frame(&f, GUEST, DNS, 8, 0, 0x12340001, w.query, 512);
	CHECK(answered(&p) && p.payload_len == 512, "... the DNS server, too");
	f.b[f.len - 1] ^= 1;
	CHECK(silent(PKT_DROP_CHECKSUM), "... not a broken one");
	icmp_frame(&f, "10.0.2.99", GATE, 8, 0, 0x12340001, "ping", 4);
	CHECK(silent(PKT_DROP_SOURCE), "... not to a stranger");
	wire_down();
}

int main(void)
{
	test_arp();
	test_ndp();
	test_echo();
	return tap_done();
}

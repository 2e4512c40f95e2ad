// SPDX-License-Identifier: ISC
/* lan_test.c - several guests on one wire: addresses, who hears what, and what is not believed. */
#include <errno.h>
#include <stdio.h>

#include "lan.h"
#include "net_frames.h"

static struct lan l;
static struct subnet s;
static struct fr f;
static unsigned int heard[LAN_PORTS], moves;
static bool up;

static void take(void *arg, unsigned int port, const uint8_t *frame, size_t len)
{
	(void)arg;
	(void)frame;
	heard[port] += len > 0;
}

static void moved(void *arg, unsigned int port)
{
	(void)arg;
	(void)port;
	moves++;
}

static const struct lan_ops ops = { take, moved };

static void world(void)
{
	subnet_default(&s);
	lan_init(&l, &s, &ops, NULL);
	moves = 0;
}

/* Send what is in @f from @port's MAC, as a copy of just its size. */
static enum pkt_drop send_as_is(unsigned int port)
{
	uint8_t *exact = malloc(f.len);
	enum pkt_drop why;
	struct pkt p;

	memset(heard, 0, sizeof(heard));
	up = false;
	if (!exact)
		abort();
	memcpy(exact, f.b, f.len);
	why = pkt_parse(exact, f.len, &p);
	if (!why)
		why = lan_frame(&l, port, &p, &up);
	free(exact);
	return why;
}

static enum pkt_drop from(unsigned int port)
{
	memcpy(f.b + 6, l.port[port].mac, 6);
	return send_as_is(port);
}

static enum pkt_drop from_to(unsigned int port, unsigned int to)
{
	memcpy(f.b, l.port[to].mac, 6);
	return from(port);
}

static unsigned int hearers(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < LAN_PORTS; i++)
		n += heard[i];
	return n;
}

static bool nobody(enum pkt_drop got, enum pkt_drop why)
{
	return got == why && !up && !hearers();
}

static bool only(enum pkt_drop got, unsigned int to)
{
	return !got && !up && hearers() == 1 && heard[to] == 1;
}

static bool gateway(enum pkt_drop got)
{
	return !got && up && !hearers();
}

static bool at(int port, const char *v4, const char *v6)
{
	struct addr a = A(v4), b = A(v6);

	return port >= 0 && addr_equal(&l.port[port].addr4, &a) && addr_equal(&l.port[port].addr6, &b);
}

static void speak(unsigned int port)
{
	char text[ADDR_TEXT];

	udp_frame(&f, addr_format(&l.port[port].addr4, text), 1000, "1.2.3.4", 9, "x", 1);
	if (!gateway(from(port)))
		abort();
}

/* Three guests that have spoken. */
static void three(void)
{
	unsigned int i;

	world();
	for (i = 0; i < 3; i++) {
		lan_join(&l, NULL);
		speak(i);
	}
}

static void test_seats(void)
{
	static const uint8_t own[6] = { 2, 1, 2, 3, 4, 5 };
	struct addr bar;
	int a, b, c, i;

	world();
	a = lan_join(&l, "a");
	b = lan_join(&l, "b");
	CHECK(at(a, "10.0.2.15", "fd00::f") && at(b, "10.0.2.16", "fd00::10"), "addresses one after the other");
	CHECK(!memcmp(l.port[b].mac, "\x52\x56\x0a\x00\x02\x10", 6), "... and MACs that follow from them");
	lan_leave(&l, (unsigned int)a);
	c = lan_join(&l, "c");
	CHECK(at(c, "10.0.2.17", "fd00::11"), "another guest gets fresh ones");
	a = lan_join(&l, "A");
	CHECK(at(a, "10.0.2.15", "fd00::f") && !strcmp(lan_name(&l, (unsigned int)a), "A"), "who comes back under its name has what it had");
	for (i = 3; i < SEATS; i++)
		CHECK(lan_join(&l, NULL) >= 0, "another guest");
	CHECK(lan_join(&l, NULL) == -ENOSPC, "there are so many, and no more");
	lan_leave(&l, (unsigned int)b);
	lan_leave(&l, (unsigned int)a);
	a = lan_join(&l, "new");
	CHECK(at(a, "10.0.2.16", "fd00::10"), "what was left the longest ago is given first");

	world();
	a = lan_join(&l, NULL);
	udp_frame(&f, "10.0.2.15", 1, "1.2.3.4", 9, "x", 1);
	memcpy(f.b + 6, own, 6);
	CHECK(gateway(send_as_is((unsigned int)a)) && !moves && l.port[a].pinned, "a guest with a MAC of its own");
	lan_leave(&l, (unsigned int)a);
	b = lan_join(&l, NULL);
	speak((unsigned int)b);
	a = lan_join(&l, NULL);
	arp_frame(&f, 1, own, "0.0.0.0", "10.0.2.2");
	memcpy(f.b + 6, own, 6);
	CHECK(at(b, "10.0.2.16", "fd00::10") && at(a, "10.0.2.17", "fd00::11") && gateway(send_as_is((unsigned int)a)) && moves == 1 &&
	      at(a, "10.0.2.15", "fd00::f"), "... is given its addresses back when it speaks");

	subnet_default(&s);
	s.net4 = (struct addr_range){ A("10.0.2.0"), 96 + 28 };
	s.guest4 = A("10.0.2.10");
	lan_init(&l, &s, &ops, NULL);
	bar = A("10.0.2.14");
	seats_bar(&l.seats, &bar);
	for (i = 0; lan_join(&l, NULL) >= 0; i++)
		continue;
	CHECK(i == 4, "a small network has fewer");
	CHECK(seat_name_ok("web-1") && seat_name_ok("7") && !seat_name_ok("") && !seat_name_ok("a.b") && !seat_name_ok("-a") &&
	      !seat_name_ok("a-") && !seat_name_ok("a b") && !seat_name_ok("\xc3\xa4"), "names are labels");
}

static void test_delivery(void)
{
	three();
	udp_frame(&f, "10.0.2.15", 1, "10.0.2.16", 9, "x", 1);
	CHECK(only(from_to(0, 1), 1), "a frame for one goes to that one");
	udp_frame(&f, "fd00::f", 1, "fd00::11", 9, "x", 1);
	CHECK(only(from_to(0, 2), 2), "... IPv6, too");
	icmp_frame(&f, "10.0.2.16", "10.0.2.15", 8, 0, 1, "x", 1);
	CHECK(only(from_to(1, 0), 0), "echo");
	CHECK(nobody(from_to(0, 0), PKT_DROP_SOURCE), "as another one: not");
	udp_frame(&f, "10.0.2.15", 1, "10.0.2.99", 9, "x", 1);
	memcpy(f.b, (const uint8_t[]){ 0x52, 0x56, 10, 0, 2, 99 }, 6);
	CHECK(nobody(from(0), PKT_DROP_DEST_MAC), "for nobody: dropped, not told to all");
	udp_frame(&f, "10.0.2.15", 1, "10.0.2.255", 9, "x", 1);
	memcpy(f.b, ALL_MAC, 6);
	CHECK(!from(0) && !up && hearers() == 2 && !heard[0], "broadcast goes to all others");
	udp_frame(&f, "fd00::f", 5353, "ff02::fb", 5353, "x", 1);
	memcpy(f.b, (const uint8_t[]){ 0x33, 0x33, 0, 0, 0, 0xfb }, 6);
	CHECK(!from(0) && hearers() == 2, "... multicast as well");
	arp_frame(&f, 1, l.port[0].mac, "10.0.2.15", "10.0.2.16");
	CHECK(!from(0) && hearers() == 2, "ARP for a guest is heard by guests");
	arp_frame(&f, 1, l.port[0].mac, "10.0.2.15", "10.0.2.2");
	CHECK(gateway(from(0)), "... for the gateway by the gateway alone");
	udp_frame(&f, "0.0.0.0", 68, "255.255.255.255", 67, "x", 1);
	memcpy(f.b, ALL_MAC, 6);
	CHECK(gateway(from(0)), "... and so are questions for a lease");
	icmp_frame(&f, "fe80::1", "ff02::2", 133, 0, 0, NULL, 0);
	memcpy(f.b, (const uint8_t[]){ 0x33, 0x33, 0, 0, 0, 2 }, 6);
	CHECK(gateway(from(0)), "... and for routers");
	lan_leave(&l, 1);
	udp_frame(&f, "10.0.2.15", 1, "10.0.2.16", 9, "x", 1);
	CHECK(nobody(from_to(0, 1), PKT_DROP_DEST_MAC), "a guest that is gone hears nothing");
}

static void test_spoof(void)
{
	three();
	udp_frame(&f, "10.0.2.15", 1, "1.2.3.4", 9, "x", 1);
	memcpy(f.b + 6, l.port[1].mac, 6);
	CHECK(nobody(send_as_is(0), PKT_DROP_SOURCE_MAC), "another guest's MAC");
	memcpy(f.b + 6, "\x02\x00\x00\x00\x00\x01", 6);
	CHECK(nobody(send_as_is(0), PKT_DROP_SOURCE_MAC), "... a second one");
	udp_frame(&f, "10.0.2.16", 1, "1.2.3.4", 9, "x", 1);
	CHECK(nobody(from(0), PKT_DROP_SOURCE), "another guest's address");
	udp_frame(&f, "10.0.2.16", 68, "10.0.2.17", 67, "x", 1);
	CHECK(nobody(from_to(0, 2), PKT_DROP_SOURCE), "... as if for a lease");
	udp_frame(&f, "fd00::10", 1, "2001:db8::1", 9, "x", 1);
	CHECK(nobody(from(0), PKT_DROP_SOURCE), "... of IPv6");
	udp_frame(&f, "fd00::12", 1, "2001:db8::1", 9, "x", 1);
	CHECK(nobody(from(0), PKT_DROP_SOURCE), "... of a guest to come");
	udp_frame(&f, "fe80::5056:aff:fe00:210", 1, "fe80::1", 9, "x", 1);
	CHECK(nobody(from_to(0, 2), PKT_DROP_SOURCE), "... that its MAC makes");
	arp_frame(&f, 2, l.port[0].mac, "10.0.2.16", "10.0.2.17");
	CHECK(nobody(from_to(0, 2), PKT_DROP_SPOOF), "ARP that says to be another guest");
	arp_frame(&f, 1, l.port[0].mac, "10.0.2.16", "10.0.2.16");
	CHECK(nobody(from(0), PKT_DROP_SPOOF), "... gratuitously");
	arp_frame(&f, 2, l.port[0].mac, "10.0.2.2", "10.0.2.17");
	CHECK(nobody(from_to(0, 2), PKT_DROP_SPOOF), "... the gateway");
	arp_frame(&f, 2, l.port[1].mac, "10.0.2.15", "10.0.2.17");
	CHECK(nobody(from_to(0, 2), PKT_DROP_ARP), "... or to have another's MAC");
	arp_frame(&f, 1, l.port[0].mac, "0.0.0.0", "10.0.2.16");
	CHECK(!from(0) && hearers() == 2, "a probe may ask for anything");
	udp_frame(&f, "10.0.2.15", 67, "10.0.2.16", 68, "x", 1);
	CHECK(nobody(from_to(0, 1), PKT_DROP_SPOOF), "a DHCP server");
	udp_frame(&f, "fd00::f", 547, "fd00::10", 546, "x", 1);
	CHECK(nobody(from_to(0, 1), PKT_DROP_SPOOF), "... DHCPv6");
	icmp_frame(&f, "fe80::1", "ff02::1", 134, 0, 0x40000708, "12345678", 8);
	CHECK(nobody(from_to(0, 1), PKT_DROP_SPOOF), "a router");
	icmp_frame(&f, "fe80::1", "fd00::10", 137, 0, 0, "12345678123456781234567812345678", 32);
	CHECK(nobody(from_to(0, 1), PKT_DROP_SPOOF), "... that redirects");
	lan_join(&l, NULL);
	udp_frame(&f, "10.0.2.18", 1, "1.2.3.4", 9, "x", 1);
	memcpy(f.b + 6, l.port[1].mac, 6);
	CHECK(nobody(send_as_is(3), PKT_DROP_SOURCE_MAC) && !l.port[3].pinned, "a new guest cannot begin as another");
	memcpy(f.b + 6, GATE_MAC, 6);
	CHECK(nobody(send_as_is(3), PKT_DROP_SOURCE_MAC), "... nor as the gateway");
}

/* A solicitation or advertisement of @target, with @mac in an option of @kind. */
static void ndp(uint8_t type, const char *src, const char *target, uint8_t kind, const uint8_t *mac)
{
	uint8_t body[24] = { [16] = kind, [17] = 1 };
	struct addr t = A(target);

	memcpy(body, t.b, 16);
	if (mac)
		memcpy(body + 18, mac, 6);
	icmp_frame(&f, src, "ff02::1", type, 0, 0, body, mac ? 24 : 16);
	memcpy(f.b, (const uint8_t[]){ 0x33, 0x33, 0, 0, 0, 1 }, 6);
}

static void test_ndp(void)
{
	char text[ADDR_TEXT];
	struct addr a;
	int i;

	three();
	ndp(135, "fd00::f", "fd00::10", 1, l.port[0].mac);
	CHECK(!from(0) && !up && hearers() == 2, "a question about a guest");
	ndp(135, "fd00::f", "fd00::2", 1, l.port[0].mac);
	CHECK(gateway(from(0)), "... about the gateway");
	ndp(135, "fd00::f", "fd00::10", 1, l.port[1].mac);
	CHECK(nobody(from(0), PKT_DROP_SPOOF), "... with another's MAC");
	ndp(135, "::", "fd00::10", 1, NULL);
	CHECK(!from(0) && hearers() == 2, "detection of duplicates reaches who has it");
	ndp(135, "::", "fd00::10", 1, l.port[0].mac);
	CHECK(nobody(from(0), PKT_DROP_NDP), "... without a MAC");
	ndp(136, "fd00::f", "fd00::f", 2, l.port[0].mac);
	CHECK(!from(0) && hearers() == 2, "a guest says where it is");
	ndp(136, "fd00::f", "fd00::10", 2, l.port[0].mac);
	CHECK(nobody(from(0), PKT_DROP_SPOOF), "... where another is: not");
	ndp(136, "fd00::f", "fd00::2", 2, l.port[0].mac);
	CHECK(nobody(from(0), PKT_DROP_SPOOF), "... where the gateway is: not");
	ndp(136, "fd00::f", "fd00::f", 2, l.port[1].mac);
	CHECK(nobody(from(0), PKT_DROP_SPOOF), "... that it is where another is: not");
	ndp(136, "fd00::f", "fd00::f", 2, l.port[0].mac);
	f.b[54 + 8 + 17] = 0;
	seal(&f);
	CHECK(nobody(from(0), PKT_DROP_NDP), "an option of no length");

	a = A("fd00::1234");
	udp_frame(&f, "fd00::1234", 1, "2001:db8::1", 9, "x", 1);
	CHECK(gateway(from(0)) && lan_owner(&l, &a) == 0, "an address that a guest made is its own");
	CHECK(nobody(from(1), PKT_DROP_SOURCE), "... and no other's");
	ndp(136, "fd00::10", "fd00::1234", 2, l.port[1].mac);
	CHECK(nobody(from(1), PKT_DROP_SPOOF), "... nor to be claimed");
	for (i = 0; i < LAN_ADDRS; i++) {
		snprintf(text, sizeof(text), "fd00::2:%x", i);
		udp_frame(&f, text, 1, "2001:db8::1", 9, "x", 1);
		CHECK(gateway(from(0)), "another address");
	}
	CHECK(lan_owner(&l, &a) == -1 && l.port[0].learned_n == LAN_ADDRS, "the oldest of too many is forgotten");
	udp_frame(&f, "fd00::2:0", 1, "2001:db8::1", 9, "x", 1);
	a = A("fd00::2:0");
	CHECK(gateway(from(0)) && addr_equal(&l.port[0].learned[0], &a) && l.port[0].learned_n == LAN_ADDRS, "one that is used is not the oldest");
	udp_frame(&f, "fe80::5056:aff:fe00:212", 1, "2001:db8::1", 9, "x", 1);
	a = A("fe80::5056:aff:fe00:212");
	CHECK(gateway(from(0)) && lan_owner(&l, &a) == 0, "an address that the MAC of nobody makes");
	CHECK(lan_join(&l, NULL) == 3 && lan_owner(&l, &a) == 3, "... is that one's when it comes");
	lan_leave(&l, 0);
	a = A("fd00::2:0");
	CHECK(lan_owner(&l, &a) == -1, "what a guest made is nobody's when it is gone");
}

static void test_target(void)
{
	bool asks;

	three();
	udp_frame(&f, "1.2.3.4", 1, "10.0.2.16", 9, "x", 1);
	CHECK(lan_target(&l, f.b, f.len, &asks) == 1 && !asks, "what the stack sends has an owner");
	udp_frame(&f, "2001:db8::1", 1, "fd00::11", 9, "x", 1);
	CHECK(lan_target(&l, f.b, f.len, &asks) == 2 && !asks, "... by IPv6");
	arp_frame(&f, 1, GATE_MAC, "10.0.2.2", "10.0.2.17");
	CHECK(lan_target(&l, f.b, f.len, &asks) == 2 && asks, "... what it asks, too");
	ndp(135, "fd00::2", "fd00::10", 1, GATE_MAC);
	CHECK(lan_target(&l, f.b, f.len, &asks) == 1 && asks, "... by NDP");
	udp_frame(&f, "1.2.3.4", 1, "10.0.2.30", 9, "x", 1);
	CHECK(lan_target(&l, f.b, f.len, &asks) == -1 && lan_target(&l, f.b, 20, &asks) == -1, "nobody's, and nonsense");
}

int main(void)
{
	test_seats();
	test_delivery();
	test_spoof();
	test_ndp();
	test_target();
	return tap_done();
}

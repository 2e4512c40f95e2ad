// SPDX-License-Identifier: ISC
/* dhcp_test.c - leases of both families, and router advertisements. */
#include "dhcp.h"

#include "dhcp6.h"
#include "net_frames.h"
#include "ra.h"

static struct subnet s;
static struct dhcp d;
static struct dhcp_reply r;
static uint8_t msg[600];
static size_t len;

/* -- DHCPv4 -- */

static void begin(uint8_t type, const uint8_t mac[6])
{
	memset(msg, 0, sizeof(msg));
	msg[0] = msg[1] = 1;
	msg[2] = 6;
	put_be32(msg + 4, 0xdeadbeef);
	memcpy(msg + 28, mac, 6);
	memcpy(msg + 236, (const uint8_t[]){ 99, 130, 83, 99, 53, 1, type }, 7);
	len = 243;
}

static void opt(uint8_t kind, const void *data, uint8_t n)
{
	msg[len] = kind;
	msg[len + 1] = n;
	if (n)
		memcpy(msg + len + 2, data, n);
	len += 2u + n;
}

static void opt_addr(uint8_t kind, const char *a)
{
	opt(kind, A(a).b + 12, 4);
}

static bool answer_at(uint64_t now, const uint8_t mac[6])
{
	uint8_t *exact;
	bool got;

	msg[len] = 255;
	exact = malloc(len + 1);
	memcpy(exact, msg, len + 1);
	got = dhcp_answer(&d, now, mac, exact, len + 1, &r);
	free(exact);
	return got;
}

static bool answer(void)
{
	return answer_at(1, GUEST_MAC);
}

/* An option of the reply. */
static const uint8_t *find(uint8_t kind, size_t n)
{
	size_t at = 240;

	while (at + 2 <= r.len && r.data[at] != 255) {
		if (r.data[at] == kind)
			return r.data[at + 1] == n ? r.data + at + 2 : NULL;
		at += r.data[at] ? 2u + r.data[at + 1] : 1;
	}
	return NULL;
}

static bool has_addr(uint8_t kind, const char *a)
{
	const uint8_t *o = find(kind, 4);

	return o && !memcmp(o, A(a).b + 12, 4);
}

static bool is(uint8_t type, const char *yiaddr)
{
	const uint8_t *o = find(53, 1);

	return o && *o == type && r.data[0] == 2 && get_be32(r.data + 4) == 0xdeadbeef && !memcmp(r.data + 16, A(yiaddr).b + 12, 4) &&
	       !memcmp(r.data + 28, GUEST_MAC, 6) && has_addr(54, "10.0.2.2");
}

static void test_offer(void)
{
	const uint8_t *o;

	subnet_default(&s);
	strcpy(s.domain, "vm.example");
	dhcp_init(&d, &s, 1);
	begin(1, GUEST_MAC);
	opt(61, "\1abcdef", 7);
	CHECK(answer() && is(2, "10.0.2.15"), "DISCOVER is offered the guest's address");
	CHECK(has_addr(1, "255.255.255.0") && has_addr(3, "10.0.2.2") && has_addr(6, "10.0.2.3"), "... mask, router, DNS");
	o = find(26, 2);
	CHECK(o && get_be16(o) == 65520, "... the MTU");
	o = find(15, 10);
	CHECK(o && !memcmp(o, "vm.example", 10), "... the domain");
	o = find(51, 4);
	CHECK(o && get_be32(o) == 86400 && find(58, 4) && find(59, 4), "... for so long");
	o = find(61, 7);
	CHECK(o && !memcmp(o, "\1abcdef", 7), "... and its own name for itself");
	CHECK(!r.broadcast && !memcmp(&r.dst, &s.guest4, 16) && r.len >= 300, "to its address, as it can take that");
	begin(1, GUEST_MAC);
	msg[10] = 0x80;
	CHECK(answer() && r.broadcast && r.dst.b[12] == 255 && r.data[10] == 0x80, "... to everybody, when it cannot");
	begin(1, GUEST_MAC);
	opt(80, NULL, 0);
	CHECK(answer() && is(5, "10.0.2.15") && find(80, 0), "rapid commit");
	memset(s.domain, 'a', 253);
	begin(1, GUEST_MAC);
	opt(61, msg, 200);
	CHECK(answer() && is(2, "10.0.2.15") && has_addr(6, "10.0.2.3") && r.len <= DHCP_REPLY, "what does not fit is left out at the end");
}

static void test_request(void)
{
	subnet_default(&s);
	dhcp_init(&d, &s, 1);
	begin(3, GUEST_MAC);
	opt_addr(54, "10.0.2.2");
	opt_addr(50, "10.0.2.15");
	CHECK(answer() && is(5, "10.0.2.15"), "REQUEST of what was offered");
	begin(3, GUEST_MAC);
	opt_addr(54, "10.0.2.99");
	opt_addr(50, "10.0.2.15");
	CHECK(!answer(), "... of another server is not ours");
	begin(3, GUEST_MAC);
	opt_addr(50, "10.0.2.16");
	CHECK(answer() && is(6, "0.0.0.0") && r.broadcast && !find(51, 4) && !find(3, 4), "... of another address is refused");
	begin(3, GUEST_MAC);
	opt_addr(50, "192.168.1.7");
	CHECK(answer() && is(6, "0.0.0.0"), "... of another network");
	begin(3, GUEST_MAC);
	opt_addr(50, "10.0.2.15");
	CHECK(answer() && is(5, "10.0.2.15"), "after a reboot");
	begin(3, GUEST_MAC);
	memcpy(msg + 12, A("10.0.2.15").b + 12, 4);
	CHECK(answer() && is(5, "10.0.2.15") && !r.broadcast && !memcmp(&r.dst, &s.guest4, 16), "to renew");
	begin(3, GUEST_MAC);
	memcpy(msg + 12, A("10.0.2.77").b + 12, 4);
	CHECK(answer() && is(6, "0.0.0.0") && r.broadcast, "... not another's");
	begin(3, GUEST_MAC);
	CHECK(answer() && is(6, "0.0.0.0"), "... nothing");
	begin(8, GUEST_MAC);
	memcpy(msg + 12, A("10.0.2.15").b + 12, 4);
	CHECK(answer() && is(5, "0.0.0.0") && has_addr(6, "10.0.2.3") && !find(51, 4), "INFORM tells everything but a lease");
	begin(7, GUEST_MAC);
	CHECK(!answer(), "RELEASE has no answer");
	begin(4, GUEST_MAC);
	opt_addr(50, "10.0.2.15");
	CHECK(!answer(), "DECLINE has none");
	begin(1, GUEST_MAC);
	CHECK(answer() && is(2, "10.0.2.15"), "... and a guest that is alone gets its address again");
}

static void test_pool(void)
{
	uint8_t mac[6] = { 2, 0, 0, 0, 0, 0 };
	unsigned int i;
	bool ok = true;

	subnet_default(&s);
	dhcp_init(&d, &s, 4);
	for (i = 0; i < 5; i++) {
		mac[5] = (uint8_t)i;
		begin(1, mac);
		opt(80, NULL, 0);
		ok &= answer_at(1, mac) == (i < 4) && (i >= 4 || r.data[19] == 15 + i);
	}
	CHECK(ok, "each MAC has an address of its own, and the pool an end");
	mac[5] = 2;
	begin(1, mac);
	CHECK(answer_at(2, mac) && r.data[19] == 17, "... the same again");
	CHECK(dhcp_owner(&d, &(struct addr){ .b = { [10] = 0xff, 0xff, 10, 0, 2, 17 } }, mac) && mac[5] == 2, "... and is known by it");
	mac[5] = 1;
	begin(7, mac);
	answer_at(3, mac);
	mac[5] = 9;
	begin(1, mac);
	opt(80, NULL, 0);
	CHECK(answer_at(4, mac) && r.data[19] == 16, "what is released is given again");
	mac[5] = 10;
	begin(1, mac);
	CHECK(!answer_at(5, mac) && answer_at(1 + 86400ull * 1000, mac), "what has expired, too");
	mac[5] = 2;
	begin(4, mac);
	answer_at(6, mac);
	begin(1, mac);
	CHECK(!answer_at(7, mac), "what is declined is not, for a while");
	s.gateway4 = A("10.0.2.16");
	dhcp_init(&d, &s, 2);
	mac[5] = 1;
	begin(1, mac);
	opt(80, NULL, 0);
	CHECK(answer_at(1, mac), "a pool that runs into the gateway");
	mac[5] = 2;
	begin(1, mac);
	CHECK(!answer_at(1, mac), "... leaves it out");
}

static void test_bad(void)
{
	static const uint8_t other[6] = { 2, 2, 2, 2, 2, 2 };
	bool ok = true;
	size_t n;

	subnet_default(&s);
	dhcp_init(&d, &s, 1);
	begin(1, GUEST_MAC);
	for (n = 0; n < 243; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, msg, n);
		ok &= !dhcp_answer(&d, 1, GUEST_MAC, exact, n, &r);
		free(exact);
	}
	CHECK(ok, "cut anywhere");
	CHECK(!answer_at(1, other), "a chaddr that is not the sender's");
	begin(1, GUEST_MAC);
	msg[27] = 1;
	CHECK(!answer(), "a relay");
	begin(1, GUEST_MAC);
	msg[0] = 2;
	CHECK(!answer(), "a reply");
	begin(1, GUEST_MAC);
	msg[236] ^= 1;
	CHECK(!answer(), "another cookie");
	begin(2, GUEST_MAC);
	CHECK(!answer(), "an OFFER of a guest's");
}

/* -- DHCPv6 -- */

static struct dhcp6_reply r6;
static const uint8_t client_id[10] = { 0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static const uint8_t server_id[10] = { 0, 3, 0, 1, 0x52, 0x55, 10, 0, 2, 2 };

static void opt6(uint16_t kind, const void *data, uint16_t n)
{
	put_be16(msg + len, kind);
	put_be16(msg + len + 2, n);
	if (n)
		memcpy(msg + len + 4, data, n);
	len += 4u + n;
}

static void begin6(uint8_t type, bool client, bool server)
{
	memset(msg, 0, sizeof(msg));
	put_be32(msg, (uint32_t)type << 24 | 0xabcdef);
	len = 4;
	if (client)
		opt6(1, client_id, sizeof(client_id));
	if (server)
		opt6(2, server_id, sizeof(server_id));
}

/* An association, with an address unless NULL. */
static void ia(uint16_t kind, uint32_t id, const char *a)
{
	uint8_t b[12 + 28] = { 0 };

	put_be32(b, id);
	if (a) {
		put_be16(b + 12, 5);
		put_be16(b + 14, 24);
		memcpy(b + 16, A(a).b, 16);
	}
	opt6(kind, b, a ? 40 : 12);
}

static bool answer6(void)
{
	uint8_t *exact = malloc(len);
	bool got;

	memcpy(exact, msg, len);
	got = dhcp6_answer(&s, &s.guest6, exact, len, &r6);
	free(exact);
	return got;
}

/* The @nth option of a kind from @from up to @end. Return: where its data begin; NULL. */
static const uint8_t *find6(const uint8_t *from, const uint8_t *end, uint16_t kind, unsigned int nth)
{
	for (; end - from >= 4; from += 4 + get_be16(from + 2))
		if (get_be16(from) == kind && !nth--)
			return from + 4;
	return NULL;
}

static const uint8_t *top6(uint16_t kind, unsigned int nth)
{
	return find6(r6.data + 4, r6.data + r6.len, kind, nth);
}

static const uint8_t *in_ia(const uint8_t *o, uint16_t kind, unsigned int nth)
{
	return o ? find6(o + 12, o + get_be16(o - 2), kind, nth) : NULL;
}

static bool is6(uint8_t type)
{
	const uint8_t *c = top6(1, 0), *v = top6(2, 0);

	return r6.data[0] == type && (get_be32(r6.data) & 0xffffff) == 0xabcdef && c && !memcmp(c, client_id, 10) && v && !memcmp(v, server_id, 10);
}

static bool gives(unsigned int nth, const char *a, bool alive)
{
	const uint8_t *o = in_ia(top6(3, 0), 5, nth);

	return o && !memcmp(o, A(a).b, 16) && !!get_be32(o + 16) == alive && !!get_be32(o + 20) == alive;
}

static void test_dhcp6(void)
{
	const uint8_t *o;

	subnet_default(&s);
	strcpy(s.domain, "vm.example");
	begin6(1, true, false);
	ia(3, 7, NULL);
	CHECK(answer6() && is6(2) && gives(0, "fd00::f", true) && get_be32(top6(3, 0)) == 7, "SOLICIT is advertised the guest's address");
	o = top6(23, 0);
	CHECK(o && get_be16(o - 2) == 16 && !memcmp(o, s.dns6.b, 16), "... DNS");
	o = top6(24, 0);
	CHECK(o && !memcmp(o, "\2vm\7example", 12), "... the domain");
	opt6(14, NULL, 0);
	CHECK(answer6() && is6(7) && top6(14, 0) && gives(0, "fd00::f", true), "rapid commit");
	begin6(3, true, true);
	ia(3, 7, "fd00::f");
	CHECK(answer6() && is6(7) && gives(0, "fd00::f", true), "REQUEST");
	begin6(5, true, true);
	ia(3, 7, "fd00::99");
	CHECK(answer6() && is6(7) && gives(0, "fd00::f", true) && gives(1, "fd00::99", false), "RENEW of another address ends it");
	begin6(6, true, false);
	ia(3, 7, "fd00::f");
	CHECK(answer6() && is6(7) && gives(0, "fd00::f", true) && !in_ia(top6(3, 0), 5, 1), "REBIND");
	begin6(4, true, false);
	ia(3, 7, "fd00::f");
	CHECK(answer6() && is6(7) && get_be16(top6(13, 0)) == 0, "CONFIRM");
	begin6(4, true, false);
	ia(3, 7, "fd11::f");
	CHECK(answer6() && get_be16(top6(13, 0)) == 4, "... of another network");
	begin6(4, true, false);
	ia(3, 7, NULL);
	CHECK(!answer6(), "... of nothing");
	begin6(11, false, false);
	CHECK(answer6() && r6.data[0] == 7 && top6(23, 0) && !top6(3, 0), "INFORMATION-REQUEST, of no name even");
	begin6(8, true, true);
	ia(3, 7, "fd00::f");
	CHECK(answer6() && is6(7) && get_be16(top6(13, 0)) == 0 && !top6(3, 0), "RELEASE");
	begin6(1, true, false);
	ia(3, 7, NULL);
	ia(3, 8, NULL);
	ia(25, 9, NULL);
	CHECK(answer6() && gives(0, "fd00::f", true) && (o = in_ia(top6(3, 1), 13, 0)) && get_be16(o) == 2 && (o = in_ia(top6(25, 0), 13, 0)) && get_be16(o) == 6,
	      "one address, and no prefix");
}

static void test_bad6(void)
{
	bool ok = true;
	size_t whole, n;

	subnet_default(&s);
	begin6(1, false, false);
	CHECK(!answer6(), "SOLICIT of no name");
	begin6(1, true, true);
	CHECK(!answer6(), "... to one server");
	begin6(3, true, false);
	CHECK(!answer6(), "REQUEST to none");
	begin6(3, true, true);
	msg[len - 1] ^= 1;
	CHECK(!answer6(), "... to another");
	begin6(11, true, false);
	ia(3, 7, NULL);
	CHECK(!answer6(), "INFORMATION-REQUEST with an association");
	begin6(2, true, false);
	CHECK(!answer6(), "a server's message");
	begin6(1, true, false);
	ia(3, 7, "fd00::f");
	whole = len;
	for (n = 1; n < whole; n++) {
		len = n;
		ok &= answer6() == (n == 18);   /* it ends after the client's name */
	}
	CHECK(ok, "cut anywhere");
	begin6(1, true, false);
	for (n = 0; n < 12; n++)
		ia(3, (uint32_t)n, "fd00::77");
	CHECK(answer6() && r6.len <= DHCP6_REPLY, "many associations");
	begin6(1, false, false);
	opt6(1, msg + 300, 200);
	CHECK(!answer6(), "a name longer than names are");
}

/* -- router advertisements -- */

static void test_ra(void)
{
	static struct fr f;
	struct ra_clock clock = { 0 };
	struct pkt p;
	struct ra ra;
	const uint8_t *o, *end;
	bool mtu = false, prefix = false, dns = false, link = false, domain = false;
	unsigned int n = 0;
	uint64_t now;

	subnet_default(&s);
	strcpy(s.domain, "vm.example");
	CHECK(ra_due(&clock, 1, &s, &ra), "one at the start");
	f.len = build_copy(&ra.frame, f.b, sizeof(f.b));
	CHECK(pkt_parse(f.b, f.len, &p) == PKT_OK && pkt_checksum_ok(&p) && p.type == 134 && p.ttl == 255 && f.b[0] == 0x33, "... to everybody");
	CHECK(addr_equal(&p.src, &(struct addr){ .b = { 0xfe, 0x80, [8] = 0x50, 0x55, 10, 0xff, 0xfe, 0, 2, 2 } }) && get_be32(p.l4 + 4) == 0x40c00708, "... from the router, with M and O");
	end = p.payload + p.payload_len;
	for (o = p.payload + 8; o < end && o[1]; o += o[1] * 8) {
		link |= o[0] == 1 && !memcmp(o + 2, GATE_MAC, 6);
		mtu |= o[0] == 5 && get_be32(o + 4) == 65520;
		prefix |= o[0] == 3 && o[2] == 64 && o[3] == 0xc0 && get_be32(o + 4) == 86400 && !memcmp(o + 16, A("fd00::").b, 16);
		dns |= o[0] == 25 && o[1] == 3 && !memcmp(o + 8, s.dns6.b, 16);
		domain |= o[0] == 31 && !memcmp(o + 8, "\2vm\7example", 12);
	}
	CHECK(o == end && link && mtu && prefix && dns && domain, "... link address, MTU, prefix, DNS, domain");
	for (now = 1; now < 1000 * 1000; now += 1000)
		n += ra_due(&clock, now, &s, &ra);
	CHECK(n == 2 + 4, "two more soon, then one in 200 s");
	icmp_frame(&f, "::", "ff02::2", 133, 0, 0, NULL, 0);
	CHECK(!pkt_parse(f.b, f.len, &p) && ra_solicited(&s, &p, &ra) && ra.frame.head[38] == 0xff, "whoever has no address yet is answered to everybody");
	icmp_frame(&f, "::", "ff02::2", 133, 0, 0, (const uint8_t[]){ 1, 1, 2, 2, 2, 2, 2, 2 }, 8);
	CHECK(!pkt_parse(f.b, f.len, &p) && !ra_solicited(&s, &p, &ra), "... with a link address it has none to tell (RFC 4861 6.1.1)");
	icmp_frame(&f, "fe80::1", "ff02::2", 133, 0, 0, (const uint8_t[]){ 1, 0, 2, 2, 2, 2, 2, 2 }, 8);
	CHECK(!pkt_parse(f.b, f.len, &p) && !ra_solicited(&s, &p, &ra), "an option of no length");
	s.v6 = false;
	CHECK(!ra_due(&clock, 10000000, &s, &ra), "none without IPv6");
}

int main(void)
{
	test_offer();
	test_request();
	test_pool();
	test_bad();
	test_dhcp6();
	test_bad6();
	test_ra();
	return tap_done();
}

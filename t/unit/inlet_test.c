// SPDX-License-Identifier: ISC
/* inlet_test.c - flows of a guest of frames that are led into this process, and who else tries to come there. */
#include "inlet.h"

#include "build.h"
#include "mirror.h"
#include "nat.h"
#include "net_stack.h"

enum { SPORT = 4000, SERVER_PORT = 53, PLACE = 77, MARK = 7 };

static struct inlet *in;
static int taken = -1;
static unsigned int takes;
static struct nat_slot whose;
static bool six;
static bool past;               /* flows go to the test's own port of ::1, not to the inlet */
static bool through;            /* they go where they say */

static void take(void *arg, int *fd, const struct nat *nat, const struct nat_slot *slot)
{
	(void)arg;
	(void)nat;
	whose = *slot;
	cleanup_fd(&taken);
	taken = steal_fd(fd);
	takes++;
}

static void pass(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	if (!stack_input(n.stack, frame, len))
		return;
	if (past)
		stack_mark(n.stack, &(struct mirror_mark){ &n.f.nat, MARK });
	else
		inlet_opened(in, &n.f.nat, frame, len);
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	if (through)
		return true;
	if (inlet_owns(in, &key->remote, key->remote_port))
		return false;
	v->redirect = true;
	v->place = PLACE;
	if (!past)
		return inlet_lead(in, addr_is_v4(&key->remote), v);
	v->to = n.s.gateway6;
	v->to_port = SERVER_PORT;
	return true;
}

static const struct filter_ops ops = { guest_hears, pass, on_query, judge, NULL, NULL, NULL };

static void segment(uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	tcp(six ? "fd00::f" : "10.0.2.15", SPORT, six ? "fd00::3" : "10.0.2.3", SERVER_PORT, flags, seq, ack, data, strlen(data));
}

static bool next(void)
{
	while (hear(WAIT_MSEC))
		if (p.proto == 6 && p.dport == SPORT)
			return true;
	return false;
}

static void test_flow(void)
{
	unsigned int before = takes;

	segment(PKT_SYN, 100, 0, "");
	CHECK(next() && p.flags == (PKT_SYN | PKT_ACK) && p.sport == SERVER_PORT && p.src.b[15] == 3 &&
	      p.kind == (six ? PKT_IPV6 : PKT_IPV4) && pkt_checksum_ok(&p), "the guest is connected, and to whom it asked for");
	segment(PKT_ACK, 101, p.seq + 1, "");
	while (takes == before && !n.late)
		hear(WAIT_MSEC);
	CHECK(takes == before + 1 && taken >= 0 && whose.place == PLACE && whose.guest_port == SPORT &&
	      whose.remote_port == SERVER_PORT && whose.remote.b[15] == 3, "and who serves it has the connection, and knows whose");
	segment(PKT_ACK | PKT_PSH, 101, p.seq + 1, "question");
	CHECK(gets(taken, "question", WAIT_MSEC), "there");
	n.head = n.tail;
	CHECK(says(taken, "answer"), "an answer");
	while (next() && !p.payload_len)
		continue;
	CHECK(p.payload_len == 6 && !memcmp(p.payload, "answer", 6) && pkt_checksum_ok(&p), "and back");
	segment(PKT_RST | PKT_ACK, 109, p.seq + 6, "");
	CHECK(ends(taken) && !n.f.nat.count, "its end");
}

static uint16_t port(void)
{
	struct flow_verdict v = { 0 };

	CHECK(inlet_lead(in, false, &v), "a port of ::1");
	return v.to_port;
}

static void test_others(void)
{
	unsigned int before = takes;
	int fd = host_socket(SOCK_STREAM, NULL, "::1", port());

	CHECK(fd >= 0 && ends(fd) && takes == before, "a program of the host is not served");
	close(fd);
	tcp("fd00::f", SPORT, "fd00::2", port(), PKT_SYN, 100, 0, NULL, 0);
	CHECK(next() && p.flags & PKT_RST && takes == before, "nor a guest that goes there itself");
}

/*
 * Which is heard first, that libslirp is connected or that somebody is to be accepted, depends on how busy the host is. From
 * the one to the guest's ACK libslirp waits for nothing of its socket.
 */
static void test_connected_first(void)
{
	int listener = host_socket(SOCK_STREAM, "::1", NULL, SERVER_PORT), fd;
	struct mirror_mark m = { 0 };

	past = true;
	segment(PKT_SYN, 100, 0, "");
	CHECK(next() && p.flags == (PKT_SYN | PKT_ACK), "the guest hears that it is connected");
	fd = accept(listener, NULL, NULL);
	CHECK(fd >= 0 && stack_made(n.stack, fd, &m) && m.of == &n.f.nat && m.number == MARK,
	      "before it is asked whose connection this is, and whose is known");
	CHECK(!stack_made(n.stack, fd, &m), "... once");
	segment(PKT_ACK, 101, p.seq + 1, "");
	segment(PKT_RST | PKT_ACK, 101, p.seq + 1, "");
	CHECK(ends(fd), "its end");
	close(fd);
	segment(PKT_SYN, 200, 0, "");
	CHECK(next() && p.flags == (PKT_SYN | PKT_ACK), "another");
	segment(PKT_RST, 201, 0, "");
	fd = accept(listener, NULL, NULL);
	CHECK(fd >= 0 && !stack_made(n.stack, fd, &m), "that is nobody's any more when it is asked whose it is");
	close(fd);
	close(listener);
	past = false;
}

/* The guest has changed its mind before anybody looks: its flow is no more, and nobody gets its connection. */
static void test_gone(void)
{
	unsigned int before = takes;

	segment(PKT_SYN, 100, 0, "");
	CHECK(n.f.nat.count == 1, "one that begins");
	segment(PKT_RST, 101, 0, "");
	run(50);
	CHECK(!n.f.nat.count && takes == before, "... and ends at once");
}

/* libslirp, which knows STACK_NEIGHBOURS, has heard of as many others since. */
static void forgets_the_guest(void)
{
	uint8_t frame[BUILD_HEAD + 64], i;
	struct build_path from = { GUEST_MAC, n.s.mac, n.s.guest4, n.s.gateway4 };
	struct built b;

	for (i = 0; i < STACK_NEIGHBOURS; i++) {
		from.src.b[15] = (uint8_t)(100 + i);
		build_arp(&b, &from, BUILD_ARP_REPLY);
		stack_input(n.stack, frame, build_copy(&b, frame, sizeof(frame)));
	}
}

/*
 * The frame for which libslirp connects has it send something at once, and before that ask where the guest is: the answer
 * is a frame within a frame. The next connection is not taken for this one.
 */
static void test_within(void)
{
	unsigned int before = takes;
	uint32_t seq[2];
	int i;

	six = false;
	for (i = 0; i < 2; i++) {
		n.head = n.tail;
		tcp("10.0.2.15", (uint16_t)(SPORT + i), "10.0.2.3", SERVER_PORT, PKT_SYN, 100, 0, NULL, 0);
		CHECK(hear(WAIT_MSEC) && p.flags == (PKT_SYN | PKT_ACK) && p.dport == SPORT + i, "one that begins");
		seq[i] = p.seq + 1;
	}
	forgets_the_guest();
	tcp("10.0.2.15", SPORT, "10.0.2.3", SERVER_PORT, PKT_ACK | PKT_PSH | PKT_FIN, 101, seq[0], "first", 5);
	CHECK(takes == before + 1 && whose.guest_port == SPORT && gets(taken, "first", WAIT_MSEC), "the first has its own");
	tcp("10.0.2.15", SPORT + 1, "10.0.2.3", SERVER_PORT, PKT_ACK | PKT_PSH, 101, seq[1], "second", 6);
	CHECK(takes == before + 2 && whose.guest_port == SPORT + 1 && gets(taken, "second", WAIT_MSEC), "and the second");
	for (i = 0; i < 2; i++)
		tcp("10.0.2.15", (uint16_t)(SPORT + i), "10.0.2.3", SERVER_PORT, PKT_RST | PKT_ACK, 107, seq[i], NULL, 0);
	run(20);
}

/* A flow that is led nowhere, from a port that would be the number of one that is, to where that goes. */
static void test_borrowed(void)
{
	const struct flow_key key = { .guest = A("fd00::f"), .remote = A("2001:db8::4"), .guest_port = 1, .remote_port = 1, .proto = 6 };
	struct flow_verdict v = { .redirect = true, .place = PLACE };
	unsigned int before = takes;
	uint16_t number;

	six = true;
	CHECK(inlet_lead(in, false, &v) && inlet_owns(in, &(struct addr){ .b = { 0xfd, [15] = 0x77 } }, v.to_port),
	      "all addresses that libslirp takes to ::1 are denied at the inlet's port");
	number = nat_open(&n.f.nat, &key, &v);
	through = true;
	tcp("fd00::f", number, "fd00::77", v.to_port, PKT_SYN, 100, 0, NULL, 0);
	CHECK(hear(WAIT_MSEC) && p.dport == number && p.flags & PKT_SYN, "were they not");
	run(50);
	CHECK(takes == before, "its number alone makes it nobody's");
	tcp("fd00::f", number, "fd00::77", v.to_port, PKT_RST, 101, 0, NULL, 0);
	nat_close(&n.f.nat, number);
	through = false;
}

static void test_ways(void)
{
	struct inlet *other;
	struct subnet s = n.s;
	struct flow_verdict v = { 0 };
	struct addr a;

	s.v4 = false;
	other = inlet_new(n.loop, n.stack, &s, take, NULL);
	CHECK(other && inlet_lead(other, false, &v) && !inlet_lead(other, true, &v) && !inlet_address(other, &a),
	      "without IPv4 there is a way over IPv6");
	inlet_free(other);
	s = n.s;
	s.v6 = false;
	s.net4.bits = 128;
	other = inlet_new(n.loop, n.stack, &s, take, NULL);
	CHECK(other && !inlet_lead(other, false, &v) && !inlet_lead(other, true, &v),
	      "there is none over IPv4 where no address is to spare");
	inlet_free(other);
}

int main(void)
{
	int i;

	if (!make_world(&ops)) {
		CHECK(true, "an inlet in a network of its own # skip no user and network namespaces, or no ip(8)");
		return tap_done();
	}
	n.deaf = true;
	in = inlet_new(n.loop, n.stack, &n.s, take, NULL);
	CHECK(in, "an inlet");
	for (i = 0; i < 2; i++) {
		six = i;
		test_flow();
		test_gone();
	}
	test_within();
	test_borrowed();
	test_others();
	test_connected_first();
	test_ways();
	cleanup_fd(&taken);
	inlet_free(in);
	end_world();
	return tap_done();
}

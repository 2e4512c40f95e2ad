// SPDX-License-Identifier: ISC
/* inlet_test.c - flows of IPv6 that are carried into this process by a port of the loopback, and who else comes there. */
#include "inlet.h"

#include "net_stack.h"

enum { SPORT = 4000, SERVER_PORT = 53 };

static struct inlet *in;
static int taken = -1;
static unsigned int takes;
static uint16_t port;           /* of ::1, to which flows are led */

static void take(void *arg, int *fd)
{
	(void)arg;
	cleanup_fd(&taken);
	taken = steal_fd(fd);
	takes++;
}

static void pass(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	stack_input(n.stack, frame, len);
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	v->redirect = key->remote_port == SERVER_PORT;
	v->to = n.s.gateway6;
	v->to_port = port;
	return true;
}

static const struct filter_ops ops = { guest_hears, pass, on_query, judge, NULL, NULL, NULL };

static bool next(void)
{
	while (hear(WAIT_MSEC))
		if (p.proto == 6 && p.dport == SPORT)
			return true;
	return false;
}

static void test_flow(void)
{
	tcp("fd00::f", SPORT, "fd00::3", SERVER_PORT, PKT_SYN, 100, 0, NULL, 0);
	CHECK(next() && p.flags == (PKT_SYN | PKT_ACK) && p.sport == SERVER_PORT && p.kind == PKT_IPV6 && p.src.b[15] == 3 &&
	      pkt_checksum_ok(&p), "the guest is connected, and to whom it asked for");
	tcp("fd00::f", SPORT, "fd00::3", SERVER_PORT, PKT_ACK, 101, p.seq + 1, NULL, 0);
	while (!takes && !n.late)
		hear(WAIT_MSEC);
	CHECK(takes == 1 && taken >= 0, "and who serves it has the connection");
	tcp("fd00::f", SPORT, "fd00::3", SERVER_PORT, PKT_ACK | PKT_PSH, 101, p.seq + 1, "question", 8);
	CHECK(gets(taken, "question", WAIT_MSEC), "there");
	n.head = n.tail;
	CHECK(says(taken, "answer"), "an answer");
	while (next() && !p.payload_len)
		continue;
	CHECK(p.payload_len == 6 && !memcmp(p.payload, "answer", 6) && pkt_checksum_ok(&p), "and back");
	tcp("fd00::f", SPORT, "fd00::3", SERVER_PORT, PKT_RST | PKT_ACK, 109, p.seq + 6, NULL, 0);
	CHECK(ends(taken) && !n.f.nat.count, "its end");
}

static void test_others(void)
{
	int fd = host_socket(SOCK_STREAM, NULL, "::1", inlet_port(in));

	CHECK(fd >= 0 && ends(fd) && takes == 1, "a program of the host is not served");
	close(fd);
}

/*
 * Which is heard first, that libslirp is connected or that somebody is to be accepted, depends on how busy the host is. From
 * the one to the guest's ACK libslirp waits for nothing of its socket.
 */
static void test_connected_first(void)
{
	int listener = host_socket(SOCK_STREAM, "::1", NULL, SERVER_PORT), fd;

	port = SERVER_PORT;
	tcp("fd00::f", SPORT, "fd00::3", SERVER_PORT, PKT_SYN, 100, 0, NULL, 0);
	CHECK(next() && p.flags == (PKT_SYN | PKT_ACK), "the guest hears that it is connected");
	fd = accept(listener, NULL, NULL);
	CHECK(fd >= 0 && stack_made(n.stack, fd), "before it is asked whose connection this is, and whose is known");
	tcp("fd00::f", SPORT, "fd00::3", SERVER_PORT, PKT_ACK, 101, p.seq + 1, NULL, 0);
	tcp("fd00::f", SPORT, "fd00::3", SERVER_PORT, PKT_RST | PKT_ACK, 101, p.seq + 1, NULL, 0);
	CHECK(ends(fd) && !stack_made(n.stack, fd), "until it is nobody's");
	close(fd);
	close(listener);
	port = inlet_port(in);
}

static void test_families(void)
{
	tcp("10.0.2.15", SPORT, "10.0.2.3", SERVER_PORT, PKT_SYN, 100, 0, NULL, 0);
	CHECK(next() && p.flags & PKT_RST && p.kind == PKT_IPV4 && takes == 1, "IPv4 is not carried to IPv6");
}

int main(void)
{
	if (!make_world(&ops)) {
		CHECK(true, "an inlet in a network of its own # skip no user and network namespaces, or no ip(8)");
		return tap_done();
	}
	n.deaf = true;
	in = inlet_new(n.loop, n.stack, take, NULL);
	CHECK(in, "an inlet");
	port = inlet_port(in);
	test_flow();
	test_others();
	test_connected_first();
	test_families();
	cleanup_fd(&taken);
	inlet_free(in);
	end_world();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* ends_test.c - servers that say all they have to say, and end, before libslirp has looked at them once. */
#include "net_stack.h"

enum { PORT = 8001 };

static void pass(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	stack_input(n.stack, frame, len);
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	(void)key;
	(void)v;
	return true;
}

static const struct filter_ops ops = { guest_hears, pass, on_query, judge, NULL, NULL, NULL };

static const char *me, *them;
static uint16_t sport;
static uint32_t seq, ack;

static void segment(uint8_t flags, const void *data, size_t len)
{
	tcp(me, sport, them, PORT, flags, seq, ack, data, len);
	seq += (uint32_t)len + !!(flags & (PKT_SYN | PKT_FIN));
}

/* What comes for the connection next; it is in p. */
static bool next(unsigned int msec)
{
	uint64_t stop = now_ms() + msec;

	while (now_ms() <= stop)
		if (hear(10) && p.proto == 6 && p.dport == sport)
			return true;
	return false;
}

/* The SYN goes out, and the server's end is taken before anything else happens. Return: it. */
static int begin(int listener)
{
	struct pollfd pf = { .fd = listener, .events = POLLIN };

	sport++;
	seq = 100;
	ack = 0;
	segment(PKT_SYN, NULL, 0);
	return poll(&pf, 1, WAIT_MSEC) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
}

/* A greeting and an end, both there when libslirp hears that it is connected; then the guest speaks. */
static void test_greeting(int listener)
{
	static const char text[] = "go away";
	int fd = begin(listener);
	size_t have = 0;
	bool fin = false;

	CHECK(says(fd, text) && !shutdown(fd, SHUT_WR), "a server that says all it has, and ends, at once");
	if (!next(WAIT_MSEC) || p.flags != (PKT_SYN | PKT_ACK)) {
		CHECK(false, "the guest is connected all the same");
		close(fd);
		return;
	}
	ack = p.seq + 1;
	segment(PKT_ACK, NULL, 0);
	while (!fin && next(WAIT_MSEC) && !(p.flags & PKT_RST) && p.seq == ack) {
		have += p.payload_len;
		fin = p.flags & PKT_FIN;
		ack += (uint32_t)p.payload_len + fin;
		segment(PKT_ACK, NULL, 0);
	}
	CHECK(fin && have == strlen(text), "the guest has it, and the end");
	segment(PKT_ACK | PKT_PSH, "answer", 6);
	CHECK(gets(fd, "answer", WAIT_MSEC), "what the guest says after that arrives");
	segment(PKT_ACK | PKT_FIN, NULL, 0);
	CHECK(ends(fd), "and its end");
	close(fd);
}

int main(void)
{
	int v4, v6;

	if (!make_world(&ops)) {
		CHECK(true, "ends in a network of its own # skip no user and network namespaces, or no ip(8)");
		return tap_done();
	}
	n.deaf = true;
	v4 = host_socket(SOCK_STREAM, "192.0.2.1", NULL, PORT);
	v6 = host_socket(SOCK_STREAM, "::1", NULL, PORT);
	printf("# IPv4\n");
	me = "10.0.2.15";
	them = "192.0.2.1";
	test_greeting(v4);
	printf("# IPv6\n");
	me = "fd00::f";
	them = "fd00::2";             /* the host's ::1 */
	test_greeting(v6);
	close(v4);
	close(v6);
	end_world();
	return tap_done();
}

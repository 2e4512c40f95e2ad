// SPDX-License-Identifier: ISC
/* flow_test.c - the flow table: lives, ends, bounds. */
#include "flow.h"

#include "net_frames.h"

static struct flow_table t;
static unsigned int ended;
static enum flow_end why;
static struct flow last;

static void on_done(void *arg, const struct flow *f, enum flow_end end)
{
	(void)arg;
	ended++;
	why = end;
	last = *f;
}

static void up(uint32_t max)
{
	ended = 0;
	if (flow_init(&t, max, on_done, NULL))
		abort();
}

static struct flow_key key(uint8_t proto, uint16_t port)
{
	return (struct flow_key){ .guest = A("10.0.2.15"), .remote = A("1.2.3.4"), .guest_port = port, .remote_port = 80, .proto = proto };
}

static struct flow *begin(uint64_t now, uint8_t proto, uint16_t port)
{
	static const struct flow_verdict v = { .rule = 3 };
	struct flow_key k = key(proto, port);

	return flow_open(&t, now, &k, &v, false);
}

static bool has(uint8_t proto, uint16_t port)
{
	struct flow_key k = key(proto, port);

	return flow_find(&t, &k);
}

static bool tcp(struct flow *f, uint64_t now, uint8_t flags, bool from_guest)
{
	struct pkt p = { .proto = 6, .flags = flags, .ip_len = 40, .seq = 10, .ack = 20 };

	return flow_packet(&t, f, now, &p, from_guest);
}

static unsigned int expire(uint64_t now)
{
	struct flow *f;
	unsigned int n = 0;

	for (; (f = flow_expired(&t, now)); n++)
		flow_end(&t, f, FLOW_END_IDLE);
	return n;
}

static void test_table(void)
{
	struct flow *f;
	unsigned int i, n = 0;
	bool ok = true;

	up(1000);
	for (i = 0; i < 1000; i++)
		ok &= begin(1, 17, (uint16_t)i) != NULL;
	CHECK(ok && t.count == 1000, "as many flows as there may be");
	CHECK(!begin(1, 17, 1000) && t.refused == 1 && !has(17, 1000), "... and none more");
	for (i = 0; i < 1000; i++)
		ok &= has(17, (uint16_t)i) && !has(6, (uint16_t)i);
	CHECK(ok, "... each is found");
	for (f = NULL; (f = flow_next(&t, f)); )
		if (f->key.guest_port % 2) {
			flow_end(&t, f, FLOW_END_GONE);
			n++;
		}
	CHECK(n == 500 && ended == 500 && t.count == 500, "half of them end during a walk");
	for (i = 0; i < 1000; i++)
		ok &= has(17, (uint16_t)i) == !(i % 2);
	CHECK(ok, "... the others stay");
	for (i = 0; i < 500; i++)
		ok &= begin(2, 6, (uint16_t)i) != NULL;
	CHECK(ok && !begin(2, 6, 500), "room is used again");
	flow_free(&t);
	up(1);
	CHECK(begin(1, 17, 1) && !begin(1, 17, 2), "a table of one");
	flow_free(&t);
}

static void test_tcp(void)
{
	struct flow *f;

	up(10);
	f = begin(1, 6, 1);
	tcp(f, 1, PKT_SYN, true);
	CHECK(f->class == FLOW_OPENING, "a SYN opens");
	tcp(f, 2, PKT_SYN | PKT_ACK, false);
	CHECK(f->class == FLOW_OPEN && f->sent.packets == 1 && f->received.packets == 1 && f->received.bytes == 40, "... its answer makes it open, both ways count");
	tcp(f, 3, PKT_FIN | PKT_ACK, true);
	CHECK(f->class == FLOW_OPEN, "half closed is open");
	CHECK(expire(3 + 3600 * 1000) == 0, "... for hours");
	tcp(f, 4000000, PKT_FIN | PKT_ACK, false);
	CHECK(f->class == FLOW_CLOSING && tcp(f, 4000001, PKT_ACK, true), "both FINs close, the last ACK passes");
	CHECK(expire(4000001 + 29000) == 0 && expire(4000001 + 30000) == 1 && ended == 1, "... and then it goes");
	f = begin(1, 6, 1);
	CHECK(!tcp(f, 1, PKT_RST, false) && ended == 2 && why == FLOW_END_RESET && !has(6, 1) && last.verdict.rule == 3, "a RST ends it at once");
	begin(1, 6, 2);
	CHECK(expire(119000) == 0 && expire(120001) == 1, "a SYN without an answer goes");
	flow_free(&t);
}

static void test_idle(void)
{
	struct pkt p = { .proto = 17, .ip_len = 100 };
	struct flow *a, *b;

	up(10);
	a = begin(1, 17, 1);
	b = begin(1, 17, 2);
	begin(1, 1, 3);
	flow_packet(&t, a, 200000, &p, false);
	CHECK(expire(60001) == 1 && !has(1, 3) && has(17, 1) && has(17, 2), "echo goes first");
	CHECK(expire(300001) == 1 && has(17, 1) && !has(17, 2), "UDP that is silent goes, the other does not");
	(void)b;
	CHECK(expire(499999) == 0 && expire(500000) == 1 && last.received.bytes == 100 && last.start == 1 && last.last == 200000, "... until its own time, with its figures");
	flow_free(&t);
}

static void test_hash(void)
{
	uint64_t a;
	struct flow_key k = key(17, 1);

	up(16);
	a = t.key[0];
	begin(1, 17, 1);
	k.zero[0] = 0;
	CHECK(flow_find(&t, &k), "the same key is the same flow");
	k.remote_port = 81;
	CHECK(!flow_find(&t, &k), "another port is not");
	flow_free(&t);
	up(16);
	CHECK(t.key[0] != a, "every table has a key of its own");
	flow_free(&t);
}

/* The one that was heard last is found another way. */
static void test_last(void)
{
	struct flow *a, *b;

	up(16);
	a = begin(1, 17, 1);
	b = begin(1, 17, 2);
	CHECK(has(17, 2) && has(17, 1) && !has(17, 3) && !has(1, 2), "the last flow, and others, and none");
	flow_end(&t, b, FLOW_END_GONE);
	CHECK(!has(17, 2) && has(17, 1), "the last one that ended is none any more");
	flow_end(&t, a, FLOW_END_GONE);
	CHECK(!has(17, 1) && !has(17, 2), "nor is the last of all");
	flow_free(&t);
}

int main(void)
{
	test_table();
	test_tcp();
	test_idle();
	test_hash();
	test_last();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* hub_test.c - the console's hub and the ports before it, without a guest: see the heads of hub.c and cut.c. */
#include "hub.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "port.h"
#include "tap.h"
#include "util.h"
#include "worker.h"

/* One take of a port's input, on the hub's worker. */
struct take {
	struct port_sink sink;
	size_t most, got;
	char buf[4096];
};

static void take_now(void *arg)
{
	struct take *t = arg;

	t->got = t->sink.input(t->sink.arg, t->buf, t->most);
}

/* What the port gives, @most bytes at a time: waits for the first ones, as a driver does. */
static size_t take(struct worker *w, struct take *t, size_t most)
{
	time_t end = time(NULL) + 10;

	t->most = most;
	do {
		worker_call(w, take_now, t);
	} while (!t->got && time(NULL) < end);
	return t->got;
}

static void up(void *arg)
{
	hub_port_up(arg);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void test_sysrq(struct worker *w, struct hub *hub, int client)
{
	struct take serial = { .sink = port_to_hub(hub) }, hvc = { .sink = port_to_hub_hvc(hub) };

	CHECK(write(client, "a\x0f" "b", 3) == 3 && take(w, &serial, 16) == 3 &&
	      !memcmp(serial.buf, "a\x0f" "b", 3), "a serial port gives what was typed");
	CHECK(write(client, "a\x0f" "b", 3) == 3 && take(w, &hvc, 16) == 4 &&
	      !memcmp(hvc.buf, "a\x0f\x0f" "b", 4), "hvc0 gives ^O twice: Linux takes one");
	CHECK(write(client, "\x0f\x0f\x0f", 3) == 3 && take(w, &hvc, 5) == 4 &&
	      !memcmp(hvc.buf, "\x0f\x0f\x0f\x0f", 4), "a pair is not cut at a buffer's end");
	CHECK(take(w, &hvc, 5) == 2 && !memcmp(hvc.buf, "\x0f\x0f", 2), "and the rest comes next");
}

/* -- output: what readers do to a guest, and to one another -- */

enum { PIECE = 64 << 10, RING = 1 << 20, MORE = 3 * RING };

struct out {
	struct worker *w;
	struct hub *hub;
	int told;               /* an eventfd: hub_port.room() was called */
	uint64_t written;
	const char *text;       /* what to print now, or NULL for more of the pattern */
	size_t len;
	bool room;
};

/* Byte @i of what is printed: no newline for a reader to begin after, and another after each turn of the ring. */
static char pattern(uint64_t i)
{
	return (char)('A' + (i + (i >> 8) + (i >> 16)) % 26);
}

static void print_now(void *arg)
{
	struct out *o = arg;
	char buf[PIECE];
	size_t i;

	o->room = hub_room(o->hub) >= o->len;
	if (!o->room)
		return;
	for (i = 0; i < o->len; i++)
		buf[i] = o->text ? o->text[i] : pattern(o->written + i);
	hub_write(o->hub, buf, o->len);
	hub_flush(o->hub);
	o->written += o->len;
}

/* Print, as the guest does: if there is room. Return: whether there was. */
static bool print(struct out *o, const char *text, size_t len)
{
	o->text = text;
	o->len = len;
	worker_call(o->w, print_now, o);
	return o->room;
}

/* Print @most of the pattern, or less if there is no room any more. Return: bytes. */
static uint64_t print_most(struct out *o, uint64_t most)
{
	uint64_t from = o->written;

	while (o->written - from < most && print(o, NULL, PIECE))
		continue;
	return o->written - from;
}

static void room_told(void *arg)
{
	struct out *o = arg;

	if (eventfd_write(o->told, 1))
		abort();
}

static bool is_told(struct out *o)
{
	struct pollfd p = { .fd = o->told, .events = POLLIN };
	eventfd_t n;

	return poll(&p, 1, 10000) == 1 && !eventfd_read(o->told, &n);
}

static void out_begin(struct out *o)
{
	struct hub_port port = { nothing, room_told, o };

	*o = (struct out){ .w = worker_new("test"), .told = eventfd(0, EFD_CLOEXEC) };
	o->hub = hub_new(o->w);
	hub_set_port(o->hub, &port);
	worker_start(o->w);
}

static void out_end(struct out *o)
{
	worker_stop(o->w);
	hub_free(o->hub);
	worker_free(o->w);
	close(o->told);
}

static int reader(struct out *o, unsigned int flags, uint64_t owner)
{
	int client = -1;

	hub_attach(o->hub, flags, owner, &client);
	return client;
}

/* Read at most @len of what comes, as soon as there is some. Return: bytes, 0 at the end or after 10 s. */
static size_t get(int client, char *buf, size_t len)
{
	struct pollfd p = { .fd = client, .events = POLLIN };
	ssize_t n = poll(&p, 1, 10000) == 1 ? read(client, buf, len) : 0;

	return n > 0 ? (size_t)n : 0;
}

/* Read @n bytes that are the pattern's from @from on. Return: whether they came. */
static bool gets_pattern(int client, uint64_t from, uint64_t n)
{
	char buf[PIECE];
	size_t got, i;

	for (; n; n -= got) {
		got = get(client, buf, MIN(n, sizeof(buf)));
		for (i = 0; i < got; i++)
			if (buf[i] != pattern(from++))
				return false;
		if (!got)
			return false;
	}
	return true;
}

/*
 * Read until the end, or until all that @o printed was read or lost (@owner has this reader alone). Return: bytes;
 * all of them the pattern's from @from on, but for one gap.
 */
static uint64_t catch_up(struct out *o, int client, uint64_t from, uint64_t owner)
{
	static char all[2 * MORE];
	uint64_t n = 0, same, got, i;

	do {
		got = get(client, all + n, sizeof(all) - n);
		n += got;
	} while (got && (!owner || from + n + hub_lost(o->hub, owner) < o->written));
	for (same = 0; same < n && all[same] == pattern(from + same); same++)
		continue;
	for (i = same; i < n; i++)
		if (all[i] != pattern(o->written - n + i))
			return 0;
	return n;
}

static void test_nobody(void)
{
	struct out o;

	out_begin(&o);
	CHECK(print_most(&o, MORE) == MORE, "nobody there: there is always room");
	out_end(&o);
}

static void test_stuck(void)
{
	struct out o;
	bool same = true;
	uint64_t n;
	int stuck, ro, reads;

	out_begin(&o);
	stuck = reader(&o, 0, 7);
	ro = reader(&o, HUB_READ_ONLY, 7);
	reads = reader(&o, HUB_HOLD, 8);
	while (o.written < MORE && same && print(&o, NULL, PIECE))
		same = gets_pattern(reads, o.written - PIECE, PIECE);
	CHECK(o.written == MORE, "two readers that stopped reading: there is always room");
	CHECK(same && !hub_lost(o.hub, 8), "... one beside them gets every byte, and lost none");
	n = hub_lost(o.hub, 7);
	CHECK(n > MORE - RING && n <= 2 * (MORE - RING), "... what they lost is known while they do not read");
	hub_drain(o.hub, nothing, NULL);
	n = catch_up(&o, stuck, 0, 0);
	CHECK(n >= RING - 4096 && n < MORE, "... who reads on gets the ring, after what its socket held");
	n += catch_up(&o, ro, 0, 0);
	CHECK(n + hub_lost(o.hub, 7) == 2 * MORE, "... and each byte was read or counted as lost");
	close(stuck);
	close(ro);
	close(reads);
	out_end(&o);
}

static uint64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void test_hold(void)
{
	struct out o;
	uint64_t from, start, lost, read;
	int client, next;

	out_begin(&o);
	client = reader(&o, HUB_HOLD, 1);
	start = now_msec();
	CHECK(print_most(&o, MORE) < MORE && o.written >= RING / 2, "one that holds and does not read: no room");
	CHECK(is_told(&o) && now_msec() - start >= 990, "... for a second");
	CHECK(now_msec() - start < 9000, "... and no longer");
	CHECK(print_most(&o, MORE) == MORE, "then it loses bytes like any other");
	read = catch_up(&o, client, 0, 1);
	lost = hub_lost(o.hub, 1);
	CHECK(read && lost && read + lost == o.written, "... and they are counted");

	from = o.written;
	CHECK(print_most(&o, MORE) < MORE, "it has caught up: it holds again");
	CHECK(gets_pattern(client, from, o.written - from) && is_told(&o), "... until it reads");
	CHECK(print(&o, NULL, PIECE) && hub_lost(o.hub, 1) == lost, "... and nothing more is lost");
	CHECK(print_most(&o, MORE) < MORE, "it does not read");
	close(client);
	CHECK(is_told(&o) && print_most(&o, MORE) == MORE, "... and hangs up: nobody holds");
	next = reader(&o, HUB_HOLD, 2);
	CHECK(print_most(&o, MORE) < MORE && !hub_lost(o.hub, 2), "the next one holds, and lost nothing");
	close(next);
	out_end(&o);
}

/* Print @before and @after and as much that a replay begins between them. Return: whether it then begins with @want. */
static bool replays(const char *before, const char *after, const char *want)
{
	struct out o;
	char fill[PIECE], got[64];
	size_t n = 0, more = 1;
	int client;

	memset(fill, 'x', sizeof(fill));
	out_begin(&o);
	print(&o, before, strlen(before));
	print(&o, after, strlen(after));
	print(&o, fill, PIECE - strlen(after));
	client = reader(&o, HUB_REPLAY, 1);
	for (; more && n < strlen(want); n += more)
		more = get(client, got + n, strlen(want) - n);
	close(client);
	out_end(&o);
	return n == strlen(want) && !memcmp(got, want, n);
}

static void test_replay(void)
{
	CHECK(replays("li", "ne\n\033[mnext", "\033[mnextx"), "a replay begins after a newline");
	CHECK(replays("a", "no line", "o linex"), "... or, where none is near, soon");
	CHECK(replays("\033[1;3", "1mred", "redx"), "... not with the rest of an escape sequence");
	CHECK(replays("\033[", "?25lred", "redx"), "... nor when its parameters remain");
	CHECK(replays("\033", "[38;5;9mred", "redx"), "... nor when all but ESC does");
	CHECK(replays("\033", "(Bred", "redx"), "... nor with the name of a character set");
	CHECK(replays("\033[31mr", "ed\033[mwhite", "\033[mwhitex"), "... but with one that is whole");
	CHECK(replays("\033]0;a ti", "tle\007red", "redx"), "... nor with the rest of a title, to BEL");
	CHECK(replays("\033]0;a ti", "tle\033\\red", "redx"), "... or to ESC \\");
	CHECK(replays("10", " %\r20 %", "20 %x"), "... but after a carriage return");
	CHECK(replays("\342", "\202\254 a euro", " a eurox"), "... not with the rest of a character");
}

int main(void)
{
	struct hub_port port = { nothing, nothing, NULL };
	struct worker *w = worker_new("test");
	struct hub *hub = hub_new(w);
	int client, second;

	hub_set_port(hub, &port);
	/* No thread yet, so nobody has noticed that the first one left. */
	if (hub_attach(hub, HUB_HOLD, 1, &client))
		return 1;
	CHECK(hub_attach(hub, HUB_HOLD, 2, &second) == -EBUSY, "one reader holds");
	close(client);
	CHECK(hub_attach(hub, HUB_HOLD, 3, &client) == 0, "... and the next one when it has left");
	close(client);
	worker_start(w);
	worker_call(w, up, hub);
	if (hub_attach(hub, 0, 1, &client))
		return 1;
	test_sysrq(w, hub, client);
	close(client);
	worker_stop(w);
	hub_free(hub);
	worker_free(w);
	test_nobody();
	test_stuck();
	test_hold();
	test_replay();
	return tap_done();
}

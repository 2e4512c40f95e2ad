// SPDX-License-Identifier: ISC
/* cable_test.c - a guest's frames socket: what comes, what goes, what is lost, and how it ends. */
#include "cable.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "tap.h"
#include "util.h"

enum { LONG = 60000 };

static struct {
	struct loop *loop;
	struct cable c;
	int peer, timer;
	unsigned int frames, batches, gone;
	size_t bytes;
	uint8_t last;
	bool late;
} t = { .peer = -1 };

static void on_frame(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	t.frames++;
	t.bytes += len;
	t.last = frame[len - 1];
}

static void on_batch(void *arg)
{
	(void)arg;
	t.batches++;
	cable_flush(&t.c);
	loop_stop(t.loop);
}

static void on_gone(void *arg)
{
	(void)arg;
	t.gone++;
	loop_stop(t.loop);
}

static const struct cable_ops ops = { .frame = on_frame, .batch = on_batch, .gone = on_gone };

static void on_late(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	t.late = true;
	loop_stop(t.loop);
}

/* Until *@what is @n, or for five seconds. Return: whether it is. */
static bool until(const unsigned int *what, unsigned int n)
{
	t.late = false;
	loop_timer_set(t.loop, t.timer, 5000);
	while (*what < n && !t.late)
		loop_run(t.loop);
	loop_timer_set(t.loop, t.timer, 0);
	return *what == n;
}

static bool plug(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return false;
	t.peer = pair[1];
	t.frames = t.batches = t.gone = 0;
	t.bytes = 0;
	return !cable_plug(&t.c, &pair[0]) && pair[0] == -1 && cable_plugged(&t.c);
}

/* The peer says a frame of @len bytes, the last of which is @last, as far as there is room. Return: whether it fit. */
static bool says(size_t len, uint8_t last)
{
	static uint8_t b[FRAMES_HEADER + FRAMES_MAX];

	b[1] = (uint8_t)(len >> 16);
	b[2] = (uint8_t)(len >> 8);
	b[3] = (uint8_t)len;
	b[FRAMES_HEADER + len - 1] = last;
	return send(t.peer, b, FRAMES_HEADER + len, MSG_DONTWAIT) == (ssize_t)(FRAMES_HEADER + len);
}

/* What the peer has, which it takes. Return: bytes. */
static size_t drain(void)
{
	static uint8_t b[1 << 20];
	size_t have = 0;
	ssize_t n;

	while ((n = recv(t.peer, b, sizeof(b), MSG_DONTWAIT)) > 0)
		have += (size_t)n;
	return have;
}

static void put(size_t len)
{
	static uint8_t b[LONG];
	struct iovec iov[2] = { { b, len / 2 }, { b, len - len / 2 } };

	cable_send(&t.c, iov, 2);
}

static void test_in(void)
{
	CHECK(plug(), "plugged in");
	CHECK(says(60, 7) && says(1514, 8) && until(&t.frames, 2) && t.bytes == 1574 && t.last == 8, "frames come, in order");
	CHECK(t.batches == 1, "... as one batch");
	CHECK(send(t.peer, "\0\0\0\2a", 5, 0) == 5 && until(&t.batches, 2) && t.frames == 2, "half a frame is none");
	CHECK(send(t.peer, "b", 1, 0) == 1 && until(&t.frames, 3) && t.last == 'b', "... until there is the rest");
	close(t.peer);
	CHECK(until(&t.gone, 1) && !cable_plugged(&t.c), "the peer's end unplugs it");
	CHECK(plug() && send(t.peer, "\xff\xff\xff\xff", 4, 0) == 4 && until(&t.gone, 1) && !cable_plugged(&t.c), "nonsense does");
	close(t.peer);
	CHECK(plug() && says(60, 9) && until(&t.frames, 1) && t.last == 9, "the next one begins anew");
	cable_unplug(&t.c);
	CHECK(!cable_plugged(&t.c) && !t.gone && recv(t.peer, &t.last, 1, 0) == 0, "unplugged by us: nobody is told but the peer");
	close(t.peer);
}

static void test_out(void)
{
	uint64_t dropped;
	unsigned int i;
	size_t have;

	put(100);
	CHECK(!t.c.out.len, "what is sent while nobody is there is lost");
	CHECK(plug(), "plugged in");
	put(100);
	put(200);
	CHECK(!drain(), "frames are gathered");
	cable_flush(&t.c);
	CHECK(drain() == 308, "... and leave together");
	dropped = t.c.out.dropped;
	for (i = 0; i < 1000 && t.c.out.dropped == dropped; i++) {
		put(LONG);
		cable_flush(&t.c);
	}
	CHECK(i > 60 && i < 300 && t.c.out.len <= 4 << 20, "a peer that reads nothing costs 4 MiB and its socket, and frames");
	for (have = drain(); t.c.out.len; have += drain()) {
		t.late = false;
		loop_timer_set(t.loop, t.timer, 20);
		while (!t.late)
			loop_run(t.loop);
	}
	CHECK(have + drain() == (size_t)(i - 1) * (FRAMES_HEADER + LONG), "all others are there when it reads, whole");
	put(LONG);
	cable_unplug(&t.c);
	CHECK(!t.c.out.len, "what waits for one peer is not for the next");
	close(t.peer);
}

static uint64_t msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether so many bytes come to the peer, within five seconds. */
static bool comes(size_t bytes)
{
	uint64_t start = msec();
	size_t have = 0;

	while ((have += drain()) < bytes && msec() - start < 5000) {
		t.late = false;
		loop_timer_set(t.loop, t.timer, 5);
		while (!t.late)
			loop_run(t.loop);
	}
	return have == bytes;
}

static void test_limit(void)
{
	uint64_t start = msec();
	int i;

	CHECK(!cable_limit(&t.c, 1000000) && plug(), "no more than 1 MB a second");
	CHECK(says(LONG, 1) && says(LONG, 1) && says(LONG, 1) && until(&t.frames, 3), "what comes at once may owe something");
	CHECK(says(LONG, 1) && until(&t.frames, 4) && msec() - start >= 70, "... and what comes then waits until it is paid");
	start = msec();
	for (i = 0; i < 5; i++)
		put(LONG);
	cable_flush(&t.c);
	CHECK(comes(5 * (FRAMES_HEADER + LONG)), "the same with what goes out");
	put(LONG);
	cable_flush(&t.c);
	CHECK(!drain() && comes(FRAMES_HEADER + LONG) && msec() - start >= 150, "... and waits");
	close(t.peer);
}

int main(void)
{
	t.loop = loop_new();
	t.timer = loop_timer(t.loop, on_late, NULL);
	if (!t.loop || t.timer < 0 || cable_init(&t.c, t.loop, &ops, NULL))
		return 1;
	test_in();
	test_out();
	test_limit();
	cable_free(&t.c);
	loop_timer_del(t.loop, &t.timer);
	loop_free(t.loop);
	return tap_done();
}

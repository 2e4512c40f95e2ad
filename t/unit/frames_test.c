// SPDX-License-Identifier: ISC
/* frames_test.c - frames over a stream socket: cut anywhere, in bulk, to a peer that does not read. */
#include "frames.h"

#include <errno.h>
#include <sys/socket.h>

#include "tap.h"
#include "util.h"

static uint8_t big[FRAMES_MAX + 1];
static int pair[2];

static void set_up(void)
{
	size_t i;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	for (i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 31 + (i >> 8));
}

static void tear_down(void)
{
	close(pair[0]);
	close(pair[1]);
}

static struct iovec part(size_t at, size_t len)
{
	return (struct iovec){ big + at, len };
}

/* The next frame is the @len bytes of big[] at @at. */
static bool next_is(struct frames_in *in, size_t at, size_t len)
{
	const uint8_t *f;
	size_t n;

	return frames_in_next(in, &f, &n) == 1 && n == len && !memcmp(f, big + at, len);
}

static void test_cut_anywhere(void)
{
	static const uint8_t wire[] = { 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd' };
	struct frames_in in;
	const uint8_t *f;
	bool ok = true;
	size_t cut, len;

	set_up();
	if (frames_in_init(&in))
		abort();
	for (cut = 1; cut < sizeof(wire); cut++) {
		unsigned int n = 0;

		ok &= write(pair[0], wire, cut) == (ssize_t)cut && frames_in_fill(&in, pair[1]) == (ssize_t)cut;
		while (frames_in_next(&in, &f, &len) == 1)
			n++;
		ok &= n == (cut >= 7) && frames_in_fill(&in, pair[1]) == -EAGAIN;
		ok &= write(pair[0], wire + cut, sizeof(wire) - cut) > 0 && frames_in_fill(&in, pair[1]) > 0;
		while (frames_in_next(&in, &f, &len) == 1)
			n++;
		ok &= n == 2 && len == 1 && *f == 'd';
	}
	CHECK(ok, "two frames, cut anywhere");
	CHECK(in.frames == 22 && in.bytes == 44, "... are counted");
	shutdown(pair[0], SHUT_WR);
	CHECK(frames_in_fill(&in, pair[1]) == 0, "the end is an end");
	frames_in_free(&in);
	tear_down();
}

static int says(const uint8_t wire[4])
{
	struct frames_in in;
	const uint8_t *f;
	size_t len;
	int got;

	set_up();
	if (frames_in_init(&in) || write(pair[0], wire, 4) != 4 || frames_in_fill(&in, pair[1]) != 4)
		abort();
	got = frames_in_next(&in, &f, &len);
	frames_in_free(&in);
	tear_down();
	return got;
}

static void test_bad_length(void)
{
	CHECK(says((const uint8_t[]){ 0, 0, 0, 0 }) == -EBADMSG, "no frame is empty");
	CHECK(says((const uint8_t[]){ 0, 1, 0, 19 }) == -EBADMSG, "... or longer than it may be");
	CHECK(says((const uint8_t[]){ 0, 1, 0, 18 }) == 0, "... as long is no error");
	CHECK(says((const uint8_t[]){ 0xff, 0xff, 0xff, 0xff }) == -EBADMSG, "... or 4 GiB");
}

static void test_large(void)
{
	struct frames_out out;
	struct frames_in in;
	struct iovec iov[2] = { part(0, 14), part(14, FRAMES_MAX - 14) };
	unsigned int i, got = 0;
	bool ok = true;

	set_up();
	if (frames_in_init(&in) || frames_out_init(&out, 4 * (FRAMES_HEADER + FRAMES_MAX)))
		abort();
	for (i = 0; i < 200; i++) {
		ok &= !(i % 2 ? frames_out_put(&out, iov, 2) : frames_out_send(&out, pair[0], iov, 2));
		while (frames_out_flush(&out, pair[0]) == 1 || got < i) {
			if (frames_in_fill(&in, pair[1]) <= 0)
				ok = false;
			while (ok && in.tail - in.head >= FRAMES_HEADER && next_is(&in, 0, FRAMES_MAX))
				got++;
			if (!ok)
				break;
		}
	}
	while (ok && got < 200 && frames_in_fill(&in, pair[1]) > 0)
		while (next_is(&in, 0, FRAMES_MAX))
			got++;
	CHECK(ok && got == 200, "the largest frames, copied and not, whole and in order");
	frames_in_free(&in);
	frames_out_free(&out);
	tear_down();
}

/* A peer that does not read costs a bounded queue and frames, and gets every accepted frame in the end. */
static void test_stuck_peer(void)
{
	static size_t len_of[4096], at_of[4096];
	unsigned int i, accepted = 0, got = 0, refused = 0;
	struct frames_out out;
	struct frames_in in;
	bool ok = true;

	set_up();
	if (frames_in_init(&in) || frames_out_init(&out, 1 << 17))
		abort();
	for (i = 0; i < 4096; i++) {
		size_t len = 1 + i * 37 % 9000, at = i % 1000;
		struct iovec iov[3] = { part(at, len / 3), part(at + len / 3, 0), part(at + len / 3, len - len / 3) };
		int r = i % 3 ? frames_out_put(&out, iov, 3) : frames_out_send(&out, pair[0], iov, 3);

		if (r == 0) {
			len_of[accepted] = len;
			at_of[accepted++] = at;
		} else {
			ok &= r == -ENOBUFS;
			refused++;
		}
		if (i % 7 == 0)
			ok &= frames_out_flush(&out, pair[0]) >= 0;
	}
	CHECK(ok && refused && out.dropped == refused && out.frames == accepted, "a full queue drops and counts");
	CHECK(frames_out_pending(&out) && frames_out_flush(&out, pair[0]) == 1, "... what it holds waits");
	while (ok && got < accepted) {
		ssize_t n = frames_in_fill(&in, pair[1]);

		ok = n > 0 || (n == -EAGAIN && frames_out_pending(&out));
		while (ok && got < accepted && next_is(&in, at_of[got], len_of[got]))
			got++;
		frames_out_flush(&out, pair[0]);
	}
	CHECK(ok && got == accepted && !frames_out_pending(&out), "... and arrives, all that was accepted");
	frames_in_free(&in);
	frames_out_free(&out);
	tear_down();
}

static void test_many_at_once(void)
{
	struct iovec iov = part(5, 60), many[100];
	struct frames_out out;
	struct frames_in in;
	unsigned int i, got = 0;
	bool ok = true;

	set_up();
	if (frames_in_init(&in) || frames_out_init(&out, 1 << 17))
		abort();
	for (i = 0; i < 500; i++)
		frames_out_put(&out, &iov, 1);
	CHECK(frames_out_flush(&out, pair[0]) == 0 && frames_in_fill(&in, pair[1]) == 500 * 64, "500 frames in one write and one read");
	while (next_is(&in, 5, 60))
		got++;
	CHECK(got == 500, "... are 500 frames");
	for (i = 0; i < 100; i++)
		many[i] = part(i, 1);
	ok = frames_out_send(&out, pair[0], many, 100) == 0 && frames_in_fill(&in, pair[1]) == 104;
	CHECK(ok && next_is(&in, 0, 100), "a frame in 100 parts");
	frames_in_free(&in);
	frames_out_free(&out);
	tear_down();
}

static void test_refusals(void)
{
	struct iovec none = part(0, 0), over = part(0, FRAMES_MAX + 1), some = part(0, 60);
	struct frames_out out;
	struct frames_in in;

	set_up();
	if (frames_in_init(&in) || frames_out_init(&out, 1 << 17))
		abort();
	CHECK(frames_out_put(&out, &none, 1) == -EMSGSIZE && frames_out_send(&out, pair[0], &over, 1) == -EMSGSIZE,
	      "empty and oversized frames are refused");
	CHECK(out.dropped == 2 && !frames_out_pending(&out) && !out.frames, "... and counted");
	while (frames_out_send(&out, pair[0], &some, 1) == 0)
		continue;
	CHECK(!frames_out_room(&out), "no room is known before it is needed");
	while (frames_in_fill(&in, pair[1]) > 0) {
		frames_out_flush(&out, pair[0]);
		while (frames_out_send(&out, pair[0], &some, 1) == 0)
			continue;
	}
	CHECK(frames_in_fill(&in, pair[1]) == -ENOBUFS, "a reader that takes no frames reads no more than it has room for");
	close(pair[1]);
	pair[1] = -1;
	CHECK(frames_out_flush(&out, pair[0]) == -EPIPE && frames_out_send(&out, pair[0], &some, 1) < 0, "a peer that is gone is an error");
	frames_out_reset(&out);
	frames_in_reset(&in);
	CHECK(!frames_out_pending(&out) && frames_out_room(&out) && in.head == in.tail, "another peer begins anew");
	frames_in_free(&in);
	frames_out_free(&out);
	close(pair[0]);
}

int main(void)
{
	test_cut_anywhere();
	test_bad_length();
	test_large();
	test_stuck_peer();
	test_many_at_once();
	test_refusals();
	return tap_done();
}

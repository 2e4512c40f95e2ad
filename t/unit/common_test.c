// SPDX-License-Identifier: ISC
/* common_test.c - rings, numbers, names, and the event loop's promises. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "loop.h"
#include "opts.h"
#include "ring.h"
#include "rundir.h"
#include "tap.h"
#include "util.h"

static void test_ring(void)
{
	struct iovec iov[2];
	struct ring r;
	char big[40];

	ring_init(&r, 16);
	ring_write(&r, "0123456789", 10);
	CHECK(ring_start(&r) == 0 && ring_peek(&r, 0, iov) == 10, "what was written is there");
	ring_write(&r, "abcdefghij", 10);
	CHECK(ring_start(&r) == 4 && ring_peek(&r, 4, iov) == 16, "the oldest is overwritten");
	CHECK(iov[0].iov_len == 12 && !memcmp(iov[0].iov_base, "456789abcdef", 12) &&
	      iov[1].iov_len == 4 && !memcmp(iov[1].iov_base, "ghij", 4), "in two pieces");
	CHECK(ring_peek(&r, r.head, iov) == 0, "a reader that has it all");
	memset(big, 'z', sizeof(big));
	ring_write(&r, big, sizeof(big));
	CHECK(r.head == 60 && ring_start(&r) == 44, "more than the ring at once");
	ring_free(&r);
}

static void test_numbers(void)
{
	uint64_t v;
	int fd;

	CHECK(parse_u64("42", 0, 100, &v) == 0 && v == 42, "a number");
	CHECK(parse_u64("", 0, 9, &v) == -EINVAL && parse_u64("4x", 0, 9, &v) == -EINVAL &&
	      parse_u64(" 4", 0, 9, &v) == -EINVAL && parse_u64("-4", 0, 9, &v) == -EINVAL &&
	      parse_u64("+4", 0, 9, &v) == -EINVAL && parse_u64("0x4", 0, 9, &v) == -EINVAL,
	      "what is none");
	CHECK(parse_u64("101", 0, 100, &v) == -ERANGE &&
	      parse_u64("99999999999999999999", 0, UINT64_MAX, &v) == -ERANGE, "out of range");
	CHECK(parse_size("512", 0, UINT64_MAX, &v) == 0 && v == 512 * MIB, "a bare size is MiB");
	CHECK(parse_size("64K", 0, UINT64_MAX, &v) == 0 && v == 64 * KIB, "K");
	CHECK(parse_size("2g", 0, UINT64_MAX, &v) == 0 && v == 2 * GIB, "g");
	CHECK(parse_size("2GB", 0, UINT64_MAX, &v) == -EINVAL && parse_size("G", 0, 9, &v) == -EINVAL,
	      "no size");
	CHECK(parse_size("99999999999G", 0, UINT64_MAX, &v) == -ERANGE, "a size that overflows");
	CHECK(parse_msec("1.5", &v) == 0 && v == 1500, "a time with decimals");
	CHECK(parse_msec("0.05", &v) == 0 && v == 50, "leading zeros of decimals count");
	CHECK(parse_msec("1.", &v) == -EINVAL && parse_msec(".5", &v) == -EINVAL &&
	      parse_msec("1.2345", &v) == -EINVAL && parse_msec("1s", &v) == -EINVAL, "no time");
	CHECK(parse_fd("fd:7", &fd) == 0 && fd == 7 && parse_fd("8", &fd) == 0 && fd == 8,
	      "descriptor numbers");
	CHECK(parse_fd("fd:", &fd) == -EINVAL && parse_fd("fd:-1", &fd) == -EINVAL, "and none");
}

static void test_names(void)
{
	char longest[66];

	memset(longest, 'a', 65);
	longest[65] = 0;
	CHECK(!rundir_name_ok(longest) && rundir_name_ok(longest + 1), "64 letters and no more");
	CHECK(rundir_name_ok("a.b_c-9"), "a name");
	CHECK(!rundir_name_ok("") && !rundir_name_ok(".x") && !rundir_name_ok("-x") &&
	      !rundir_name_ok("a/b") && !rundir_name_ok("a b") && !rundir_name_ok("a\n"), "no name");
}

struct two {
	struct loop *l;
	int fd[2], id[2], calls;
};

/* Whichever comes first removes the other one, whose event was fetched already. */
static void on_first(void *arg, uint32_t events)
{
	struct two *t = arg;

	(void)events;
	t->calls++;
	loop_del(t->l, &t->id[0]);
	loop_del(t->l, &t->id[1]);
	loop_stop(t->l);
}

static void on_timer(void *arg, uint32_t events)
{
	(void)events;
	loop_stop(arg);
}

static void test_loop(void)
{
	struct two t = { .l = loop_new() };
	uint64_t one = 1;
	int timer, i, id;

	for (i = 0; i < 2; i++) {
		t.fd[i] = eventfd(0, EFD_CLOEXEC);
		t.id[i] = loop_add(t.l, t.fd[i], EPOLLIN, on_first, &t);
		if (write(t.fd[i], &one, sizeof(one)) < 0)
			CHECK(false, "eventfd");
	}
	loop_run(t.l);
	CHECK(t.calls == 1, "an event of a removed watch is not delivered");
	CHECK(t.id[0] == -1 && t.id[1] == -1, "removed watches are no watches");
	timer = loop_timer(t.l, on_timer, t.l);
	loop_timer_set(t.l, timer, 5);
	CHECK(loop_run(t.l) == 0, "a timer runs out");
	id = loop_add(t.l, 9999, EPOLLIN, on_first, &t);
	CHECK(id == -EBADF, "a bad descriptor is refused");
	loop_timer_del(t.l, &timer);
	loop_free(t.l);
	close(t.fd[0]);
	close(t.fd[1]);
}

int main(void)
{
	test_ring();
	test_numbers();
	test_names();
	test_loop();
	return tap_done();
}

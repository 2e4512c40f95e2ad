// SPDX-License-Identifier: ISC
/* mirror_test.c - descriptors named anew each turn. */
#include "mirror.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tap.h"
#include "util.h"

static struct mirror m;
static int happened[8];

static void turn(int a, int b)
{
	mirror_begin(&m);
	if (a >= 0)
		mirror_want(&m, a, EPOLLIN);
	if (b >= 0)
		mirror_want(&m, b, EPOLLIN);
	mirror_end(&m);
}

/* What happened to @fd, when just @n things happened. */
static uint32_t at(int fd, int n)
{
	int got = mirror_collect(&m, happened, 8);
	uint32_t e = mirror_happened(&m, fd);

	mirror_settled(&m, happened, got);
	return got == n ? e : 0xffffffff;
}

int main(void)
{
	int a[2], b[2], high, old;
	unsigned int before;

	if (mirror_init(&m) || socketpair(AF_UNIX, SOCK_STREAM, 0, a) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, b) < 0)
		abort();
	turn(a[0], b[0]);
	CHECK(at(a[0], 0) == 0, "nothing has happened");
	if (write(a[1], "x", 1) != 1 || write(b[1], "x", 1) != 1)
		abort();
	CHECK(at(a[0], 2) == EPOLLIN && mirror_happened(&m, a[0]) == 0, "two things, told once");
	before = m.changes;
	turn(a[0], b[0]);
	turn(a[0], b[0]);
	CHECK(m.changes == before && at(b[0], 2) == EPOLLIN, "the same again is no change");
	turn(a[0], -1);
	CHECK(m.changes == before + 1 && at(b[0], 1) == 0, "what is not wanted is not watched");
	turn(a[0], b[0]);
	CHECK(at(b[0], 2) == EPOLLIN, "... until it is again");
	mirror_begin(&m);
	mirror_want(&m, a[0], EPOLLIN);
	mirror_want(&m, a[0], EPOLLOUT);
	mirror_end(&m);
	CHECK(at(a[0], 1) == (EPOLLIN | EPOLLOUT), "wanted twice in a turn is wanted for both");
	turn(a[0], -1);

	/* Another socket gets the number. */
	old = a[0];
	mirror_collect(&m, happened, 8);
	mirror_closing(&m, old);
	CHECK(mirror_happened(&m, old) == 0, "what happened to one that is closed is nobody's");
	close(old);
	if (dup2(b[0], old) != old)
		abort();
	turn(old, -1);
	CHECK(at(old, 1) == EPOLLIN, "a number that is used again is watched again");
	/* What is open is listed, wanted or not. */
	before = (unsigned int)m.listed_n;
	mirror_opened(&m, b[1]);
	turn(old, -1);
	CHECK(m.listed_n == before + 1 && m.listed[before] == b[1] && at(b[1], 1) == 0, "one that is open is listed");
	turn(old, b[1]);
	turn(old, -1);
	CHECK(m.listed_n == before + 1, "... once, and before and after it is wanted");
	mirror_closing(&m, b[1]);
	turn(old, -1);
	CHECK(m.listed_n == before, "... until it is closed");

	/* Another gets the number, and nobody told of it. */
	close(old);
	if (dup2(b[0], old) != old)
		abort();
	turn(-1, -1);
	turn(old, -1);
	CHECK(at(old, 1) == EPOLLIN, "a number that is used again is, when it was not wanted in between, too");
	high = fcntl(b[0], F_DUPFD_CLOEXEC, 500);
	turn(high, old);
	CHECK(high >= 500 && at(high, 2) == EPOLLIN, "numbers of any height");
	CHECK(mirror_want(&m, -1, EPOLLIN) < 0 && !mirror_happened(&m, -1) && !mirror_happened(&m, 100000), "... but those");
	mirror_free(&m);
	return tap_done();
}

// SPDX-License-Identifier: ISC
/*
 * ahead.c - a clock that a test moves: loaded before a program (LD_PRELOAD), it adds as many seconds to the time since boot
 * as the file $AHEAD says at that moment, in decimal digits.
 *
 * The file is mapped before main(), for the program may confine itself: write over its digits, and never truncate it.
 * Timers and the time of day are what they were.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile char *ahead;

__attribute__((constructor)) static void map_ahead(void)
{
	const char *path = getenv("AHEAD");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		abort();
	close(fd);
	ahead = p;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int err = (int)syscall(SYS_clock_gettime, id, t);
	const volatile char *c = ahead;
	time_t sec = 0;

	for (; c && *c >= '0' && *c <= '9'; c++)
		sec = sec * 10 + (*c - '0');
	if (!err && (id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME))
		t->tv_sec += sec;
	return err;
}

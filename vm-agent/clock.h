/* SPDX-License-Identifier: ISC */
/* clock.h - time since boot, for deadlines and for what start-up took. */
#ifndef CLOCK_H
#define CLOCK_H

#include <time.h>

static inline long long clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static inline long long clock_ms(void)
{
	return clock_us() / 1000;
}

#endif

/* SPDX-License-Identifier: ISC */
/* wait.h - a test's wait for a descriptor: the full time, whatever signals come (libFuzzer has an alarm of its own). */
#ifndef WAIT_H
#define WAIT_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

/* Return: whether @fd can be read within @msec since the last signal. */
static inline bool wait_readable(int fd, int msec)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, msec);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

#endif

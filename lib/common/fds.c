// SPDX-License-Identifier: ISC
/* fds.c - how many descriptors a server may have, and what it does when they run out. */
#include "fds.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "util.h"

enum { DESCRIPTORS = 8192 };

/** fds_raise_limit() - may this process have as many descriptors as it could ever need, or its hard limit allows. */
void fds_raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= DESCRIPTORS)
		return;
	r.rlim_cur = MIN(r.rlim_max, (rlim_t)DESCRIPTORS);
	setrlimit(RLIMIT_NOFILE, &r);
}

/**
 * fds_accept() - take a connection, after epoll(7) said that there is one
 * @listener: borrowed
 * @spare: a descriptor of any kind, or -1, the caller's
 *
 * Where there is no descriptor left, the connection is hung up by means of @spare: it would be reported without end.
 * Return: a connection, close-on-exec, the caller's; -errno.
 */
int fds_accept(int listener, int *spare)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), err = fd < 0 ? -errno : 0;

	if (err != -EMFILE && err != -ENFILE)
		return err ? err : fd;
	cleanup_fd(spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cleanup_fd(&fd);
	*spare = eventfd(0, EFD_CLOEXEC);
	return err;
}

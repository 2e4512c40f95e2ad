// SPDX-License-Identifier: ISC
/* hostsock.c - sockets of the host: their addresses, and taking connections. */
#include "hostsock.h"

#include <errno.h>

#include "util.h"

/** hostsock_addr() - an address and port. @to: filled in. @a, @port. */
void hostsock_addr(struct hostsock_addr *to, const struct addr *a, uint16_t port)
{
	memset(to, 0, sizeof(*to));
	if (addr_is_v4(a)) {
		to->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&to->v4.sin_addr, a->b + 12, 4);
		to->len = sizeof(to->v4);
	} else {
		to->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		memcpy(&to->v6.sin6_addr, a->b, 16);
		to->len = sizeof(to->v6);
	}
}

/** hostsock_path() - a UNIX socket. @to: filled in. @path. Return: 0, -ENAMETOOLONG. */
int hostsock_path(struct hostsock_addr *to, const char *path)
{
	memset(to, 0, sizeof(*to));
	if (strlen(path) >= sizeof(to->path.sun_path))
		return -ENAMETOOLONG;
	to->path.sun_family = AF_UNIX;
	strcpy(to->path.sun_path, path);
	to->len = sizeof(to->path);
	return 0;
}

/**
 * hostsock_anywhere() - a socket at a port that nobody has
 * @a: the host's
 * @type: SOCK_STREAM, SOCK_DGRAM
 * @port: set to it
 * Return: a non-blocking descriptor, the caller's; -errno.
 */
int hostsock_anywhere(const struct addr *a, int type, uint16_t *port)
{
	struct hostsock_addr at;
	autoclose int fd = -1;

	hostsock_addr(&at, a, 0);
	fd = socket(at.sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &at.sa, at.len) < 0 || getsockname(fd, &at.sa, &at.len) < 0)
		return -errno;
	*port = ntohs(at.sa.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
	return steal_fd(&fd);
}

/** hostsock_spare() - a descriptor for hostsock_accept() to give up. Return: it, -1. */
int hostsock_spare(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/**
 * hostsock_accept() - take a connection; without a free descriptor, take it and drop it, so that it is not there for
 * ever
 * @listener: non-blocking
 * @spare: of hostsock_spare(), given up for a moment
 * Return: a non-blocking descriptor, the caller's; -EAGAIN: there is none; another -errno.
 */
int hostsock_accept(int listener, int *spare)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), err = errno;

	if (fd >= 0)
		return fd;
	if ((err == EMFILE || err == ENFILE) && *spare >= 0) {
		cleanup_fd(spare);
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		cleanup_fd(&fd);
	}
	if (*spare < 0)
		*spare = hostsock_spare();
	return -err;
}

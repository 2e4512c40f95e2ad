// SPDX-License-Identifier: ISC
/*
 * notify.c - tell a service manager how far we are: datagrams to the socket in NOTIFY_SOCKET (sd_notify(3)).
 *
 * READY=1 when the guest's agent takes commands, STOPPING=1 when the guest was told to end. The socket is connected before
 * the sandbox shuts; nobody else in the chain inherits the variable's meaning.
 */
#include "notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "log.h"
#include "util.h"

/**
 * notify_open() - connect to the service manager
 *
 * Return: a socket, the caller's; -1 when there is none to connect to, said where one was named.
 */
int notify_open(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	autoclose int fd = -1;
	size_t len;

	if (!path || !*path)
		return -1;
	len = strlen(path);
	if ((*path != '/' && *path != '@') || len >= sizeof(sun.sun_path)) {
		warn("NOTIFY_SOCKET: %s: is no socket's path", path);
		return -1;
	}
	memcpy(sun.sun_path, path, len);
	if (*path == '@')
		sun.sun_path[0] = 0;    /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return steal_fd(&fd);
	warn("NOTIFY_SOCKET: %s: %s", path, errstr(errno));
	return -1;
}

/** notify_say() - send one line. @fd: from notify_open(). @what: as sd_notify(3) takes it. */
void notify_say(int fd, const char *what)
{
	if (fd >= 0 && send(fd, what, strlen(what), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		debug("NOTIFY_SOCKET: %s", errstr(errno));
}

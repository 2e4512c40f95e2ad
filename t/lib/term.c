// SPDX-License-Identifier: ISC
/*
 * term.c - a signal at the worst time: loaded before a program (LD_PRELOAD), it sends it SIGTERM when it has just given a
 * socket a name, or begun to listen.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int bind(int fd, const struct sockaddr *a, socklen_t len)
{
	int r = (int)syscall(SYS_bind, fd, a, len);

	raise(SIGTERM);
	return r;
}

int listen(int fd, int backlog)
{
	int r = (int)syscall(SYS_listen, fd, backlog);

	raise(SIGTERM);
	return r;
}

// SPDX-License-Identifier: ISC
/*
 * child.c - a confined process that does for vm-net what vm-net itself may not do any more: open files.
 *
 *	vm-net ◀── SOCK_SEQPACKET ──▶ child
 *
 * It is forked before vm-net confines itself, holds the socket and nothing else, and may make the system calls that it
 * was given and no others. It ignores the terminal's signals: it lives by its socket.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "util.h"

static void confine(int sock, const char *name, const struct sandbox_call *calls, size_t n)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), i;
	size_t k;

	for (k = 0; k < ARRAY_SIZE(signals); k++)
		signal(signals[k], SIG_IGN);
	/* Whoever waits for the end of our stdout or stderr must not wait for this process. */
	for (i = 0; i <= 2; i++)
		if (dup2(null, i) < 0)
			close(i);
	prctl(PR_SET_NAME, name);
	if (sandbox_close_others(&sock, 1) || sandbox_drop_capabilities() || sandbox_calls(calls, n))
		_exit(1);
}

/**
 * child_fork() - make one; before the process confines itself, and before it has threads
 * @sock: set to this side's end, in either process
 * @name: as ps(1) shows it
 * @calls, @n: what it may do
 * Return: 0 in the child, which is confined and never returns from its caller; its pid; -1 with errno.
 */
pid_t child_fork(int *sock, const char *name, const struct sandbox_call *calls, size_t n)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		*sock = pair[1];
		confine(*sock, name, calls, n);
		return 0;
	}
	close(pair[1]);
	if (pid < 0)
		close(pair[0]);
	else
		*sock = pair[0];
	return pid;
}

/** child_end() - it ends, and is gone afterwards. @sock: closed. @pid: 0 or less: there is none. */
void child_end(int *sock, pid_t pid)
{
	cleanup_fd(sock);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
}

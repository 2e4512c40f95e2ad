// SPDX-License-Identifier: ISC
/*
 * companion.c - a process that serves the program it started, over a socket that the program inherits.
 *
 *	TOOL -- PROG		this process becomes PROG, with one end of a socket pair as VAR=fd:N; a grandchild, in a
 *				session of its own, has the other end and is what the tool is
 *
 * PROG has the tool's process id, its stdin and stdout and the terminal's signals, and inherits no child of the tool's.
 * It begins when the companion has reported that it is ready, and not at all if that ends before. Nothing polls and no
 * death signal is needed, which namespaces would clear: each sees the other's end by the end of the socket.
 */
#include "companion.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "log.h"
#include "util.h"

enum { FAILED = 125 };

static void to_null(int fd)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, fd);
}

/**
 * companion_read_report() - wait for what companion_report() says
 * @fd: blocking
 * @buf, @size: one line, with its newline
 * Return: its length; 0 when the other process ended without one.
 */
size_t companion_read_report(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (buf[len - 1] == '\n')
			break;
	}
	buf[len] = 0;
	return len && buf[len - 1] == '\n' ? len : 0;
}

/**
 * companion_report() - tell who waits that all is ready
 * @c: nobody waits afterwards; nothing happens when nobody did
 * @text: one line without its newline
 * Return: 0 or -errno when the other process is gone.
 */
int companion_report(struct companion *c, const char *text)
{
	char line[4200];
	int n, err = 0;

	if (c->report < 0)
		return 0;
	n = snprintf(line, sizeof(line), "%s\n", text);
	if (write(c->report, line, (size_t)n) != n)
		err = -errno;
	cleanup_fd(&c->report);
	return err;
}

static void become(const char *what, const char *var, char *const argv[], int report, int sock) __attribute__((noreturn));
static void become(const char *what, const char *var, char *const argv[], int report, int sock)
{
	char text[4200], fd[32];
	int err;

	if (!companion_read_report(report, text, sizeof(text)))
		_exit(FAILED);  /* it said why */
	close(report);
	snprintf(fd, sizeof(fd), "fd:%d", sock);
	if (setenv(var, fd, 1) < 0 || fcntl(sock, F_SETFD, 0) < 0)
		die(FAILED, "%s: %s", what, errstr(errno));
	execvp(argv[0], argv);
	err = errno;
	warn("%s: %s: %s", what, argv[0], errstr(err));
	_exit(err == ENOENT ? 127 : 126);
}

/**
 * companion_split() - part from the process that was started, which becomes a program
 * @c: filled in
 * @what: of the command line, for errors
 * @var: environment variable that gets the program's end
 * @argv: program, ended by NULL
 *
 * Returns in the companion, with /dev/null as stdin and stdout. Exits with 125 on failure.
 */
void companion_split(struct companion *c, const char *what, const char *var, char *const argv[])
{
	int sock[2], pipefd[2], status;
	pid_t child;

	c->prog = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (c->prog < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0 ||
	    pipe2(pipefd, O_CLOEXEC) < 0)
		die(FAILED, "%s: %s", what, errstr(errno));
	child = fork();
	if (child < 0)
		die(FAILED, "%s: %s", what, errstr(errno));
	if (child) {
		close(sock[0]);
		close(pipefd[1]);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			continue;
		become(what, var, argv, pipefd[0], sock[1]);
	}
	/* A session of its own: the terminal's signals are the program's. */
	setsid();
	child = fork();
	if (child < 0)
		die(FAILED, "%s: %s", what, errstr(errno));
	if (child)
		_exit(0);
	close(sock[1]);
	close(pipefd[0]);
	to_null(STDIN_FILENO);
	to_null(STDOUT_FILENO);
	c->sock = sock[0];
	c->report = pipefd[1];
}

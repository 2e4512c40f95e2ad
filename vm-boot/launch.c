// SPDX-License-Identifier: ISC
/*
 * launch.c - which process the machine is: this one, a daemon, or a program's companion.
 *
 *	vm-boot			the machine is this process, in the foreground
 *	vm-boot -d		a child is; the parent waits until it is ready, prints the handle, returns
 *	vm-boot --with PROG	a grandchild is, in a session of its own; this process becomes PROG, with
 *				one end of the machine's control socket as VM=fd:N; its end is the
 *				machine's, whatever it leaves running with a copy of that socket
 *
 * Parent and machine are tied by a pipe: the machine reports through it once, and each sees
 * the other's death by its end. Nothing polls and no death signal is needed, which namespaces
 * would clear.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "config.h"
#include "log.h"
#include "util.h"

static void to_null(int fd)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, fd);
}

/* Read the machine's report. Return its length, 0 when it ended without one. */
static size_t read_report(int fd, char *buf, size_t size)
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

static void parent_of_daemon(pid_t child, int report) __attribute__((noreturn));
static void parent_of_daemon(pid_t child, int report)
{
	char handle[4200];
	size_t len = read_report(report, handle, sizeof(handle)), done = 0;
	int status;

	if (!len) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			continue;
		_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 125);
	}
	while (done < len) {
		ssize_t n = write(STDOUT_FILENO, handle + done, len - done);

		if (n < 0 && errno != EINTR)
			die(125, "stdout: %s", errstr(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	_exit(0);
}

static void become(struct vm_config *c, int report, int ctl) __attribute__((noreturn));
static void become(struct vm_config *c, int report, int ctl)
{
	char text[64], vm[32];
	int err;

	if (!read_report(report, text, sizeof(text)))
		_exit(125);     /* it said why */
	close(report);
	snprintf(vm, sizeof(vm), "fd:%d", ctl);
	if (setenv("VM", vm, 1) < 0 || fcntl(ctl, F_SETFD, 0) < 0)
		die(125, "--with: %s", errstr(errno));
	execvp(c->with[0], c->with);
	err = errno;
	warn("--with: %s: %s", c->with[0], errstr(err));
	_exit(err == ENOENT ? 127 : 126);
}

static void split_with(struct launch *l, struct vm_config *c)
{
	int ctl[2], pipefd[2], status;
	pid_t child;

	l->prog = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (l->prog < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) < 0 ||
	    pipe2(pipefd, O_CLOEXEC) < 0)
		die(125, "--with: %s", errstr(errno));
	child = fork();
	if (child < 0)
		die(125, "--with: %s", errstr(errno));
	if (child) {
		close(ctl[0]);
		close(pipefd[1]);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			continue;
		become(c, pipefd[0], ctl[1]);
	}
	/* A session of its own: the terminal's signals are the program's. */
	setsid();
	child = fork();
	if (child < 0)
		die(125, "--with: %s", errstr(errno));
	if (child)
		_exit(0);
	close(ctl[1]);
	close(pipefd[0]);
	to_null(STDIN_FILENO);
	to_null(STDOUT_FILENO);
	c->ctl_fd = ctl[0];
	l->report = pipefd[1];
}

static void split_daemon(struct launch *l)
{
	int pipefd[2];
	pid_t child;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		die(125, "-d: %s", errstr(errno));
	child = fork();
	if (child < 0)
		die(125, "-d: %s", errstr(errno));
	if (child) {
		close(pipefd[1]);
		parent_of_daemon(child, pipefd[0]);
	}
	close(pipefd[0]);
	l->report = pipefd[1];
}

/**
 * launch_split() - part from the process that was started, if asked to
 * @l: filled in
 * @c: configuration; --with sets its ctl_fd
 *
 * Returns in the process that is to be the machine; the other one waits for launch_report() and
 * never returns. Exits with 125 on failure.
 */
void launch_split(struct launch *l, struct vm_config *c)
{
	l->report = l->prog = -1;
	if (c->with)
		split_with(l, c);
	else if (c->detach)
		split_daemon(l);
}

/**
 * launch_report() - tell the waiting parent that the machine is there
 * @l: as launch_split() made it; nobody waits afterwards
 * @text: one line without its newline: the handle
 * Return: 0 or -errno when the parent is gone.
 */
int launch_report(struct launch *l, const char *text)
{
	char line[4200];
	int n, err = 0;

	if (l->report < 0)
		return 0;
	n = snprintf(line, sizeof(line), "%s\n", text);
	if (write(l->report, line, (size_t)n) != n)
		err = -errno;
	cleanup_fd(&l->report);
	return err;
}

/**
 * launch_detach() - leave the caller's session and descriptors, for -d
 * @null: /dev/null, opened before the sandbox shut
 * @log: where stderr goes from now on
 */
void launch_detach(int null, int log)
{
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(log >= 0 ? log : null, STDERR_FILENO);
}

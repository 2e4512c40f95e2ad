// SPDX-License-Identifier: ISC
/*
 * launch.c - which process the machine is: this one, a daemon, or a program's companion.
 *
 *	vm-boot			the machine is this process, in the foreground
 *	vm-boot -d		a child is; the parent waits until it is ready, prints the handle, returns
 *	vm-boot --with PROG	a grandchild is, PROG's companion, and VM=fd:N its control socket; PROG's end is
 *				the machine's, whatever it leaves running with a copy of that socket
 *
 * Parent and machine are tied by a pipe: the machine reports through it once, and each sees
 * the other's death by its end.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "config.h"
#include "log.h"
#include "util.h"

static void parent_of_daemon(pid_t child, int report) __attribute__((noreturn));
static void parent_of_daemon(pid_t child, int report)
{
	char handle[4200];
	size_t len = companion_read_report(report, handle, sizeof(handle)), done = 0;
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

static void split_daemon(struct companion *l)
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
 * Returns in the process that is to be the machine; the other one waits for companion_report() and
 * never returns. Exits with 125 on failure.
 */
void launch_split(struct companion *l, struct vm_config *c)
{
	*l = (struct companion)COMPANION_INIT;
	if (c->with) {
		companion_split(l, "--with", "VM", c->with);
		c->ctl_fd = steal_fd(&l->sock);
	} else if (c->detach) {
		split_daemon(l);
	}
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

// SPDX-License-Identifier: ISC
/*
 * spawn.c - start a program that holds exactly the descriptors it is given and dies with us.
 *
 * The child's descriptors come from a map and from nowhere else, whether or not somebody forgot a
 * close-on-exec flag. Its signals are as at login, and it has no capabilities. It is killed when the
 * thread that started it ends (PR_SET_PDEATHSIG), so start it from one that lives as long as the
 * program. That exec failed is told through a pipe which a successful exec closes.
 *
 *	spawn() -> runs -> spawn_reap(): ended, or gone on request by spawn_kill()
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sandbox.h"
#include "util.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static void default_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(unsigned int first)
{
	struct rlimit files;
	unsigned int fd;

	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	/* Before Linux 5.9. */
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	for (fd = first; fd < files.rlim_cur; fd++)
		close((int)fd);
}

/*
 * In the child: arrange the descriptors, with @fail moved to the first number above the map's,
 * close-on-exec. Return: @fail's number, or -errno when it is where it was.
 */
static int arrange(const struct spawn_fd *map, size_t n, int fail)
{
	int from[SPAWN_FDS], top = 0, fd;
	bool used[SPAWN_FDS] = { false };
	size_t i;

	for (i = 0; i < n; i++)
		top = MAX(top, map[i].as + 1);
	/* Out of the way first: a source may have the number of another one's target. */
	for (i = 0; i < n; i++) {
		from[i] = fcntl(map[i].fd, F_DUPFD_CLOEXEC, top + 1);
		if (from[i] < 0)
			return -errno;
	}
	if (fail != top) {
		fd = fail < top ? fcntl(fail, F_DUPFD_CLOEXEC, top + 1) : fail;
		if (fd < 0 || dup3(fd, top, O_CLOEXEC) < 0)
			return -errno;
	}
	for (i = 0; i < n; i++) {
		used[map[i].as] = true;
		dup2(from[i], map[i].as);
	}
	for (fd = 0; fd < top; fd++)
		if (!used[fd])
			close(fd);
	close_from((unsigned int)top + 1);
	return top;
}

static void run(char *const argv[], const struct spawn_fd *map, size_t n, int fail, pid_t parent)
	__attribute__((noreturn));
static void run(char *const argv[], const struct spawn_fd *map, size_t n, int fail, pid_t parent)
{
	int at = arrange(map, n, fail), err;

	/* A session of its own: the terminal's keys are for who sits there, not for a helper. */
	setsid();
	default_signals();
	err = at < 0 ? -at : prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? errno : -sandbox_drop_capabilities();
	if (getppid() != parent)
		_exit(127);     /* it died before it could take us along */
	if (!err) {
		execvp(argv[0], argv);
		err = errno;
	}
	if (write(at < 0 ? fail : at, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* What the child says of its exec. Return: 0 when it runs, else -errno. */
static int read_failure(int fd)
{
	int err;
	ssize_t n;

	do
		n = read(fd, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	return n == sizeof(err) && err > 0 ? -err : 0;
}

/**
 * spawn() - start a program
 * @child: filled in; spawn_reap() it
 * @argv: found as by execvp(3); the environment is ours
 * @map, @n: its descriptors, at most SPAWN_FDS, numbered below SPAWN_FDS; ours stay open
 *
 * Blocks until the program runs. Return: 0; -ENOENT or another errno of execve(2); -errno. On
 * failure there is no child.
 */
int spawn(struct spawned *child, char *const argv[], const struct spawn_fd *map, size_t n)
{
	pid_t parent = getpid(), pid;
	int pipefd[2], err;
	size_t i;

	*child = (struct spawned)SPAWNED_INIT;
	if (n > SPAWN_FDS)
		return -E2BIG;
	for (i = 0; i < n; i++)
		if (map[i].as < 0 || map[i].as >= SPAWN_FDS)
			return -EINVAL;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run(argv, map, n, pipefd[1], parent);
	err = pid < 0 ? -errno : 0;
	close(pipefd[1]);
	if (!err) {
		err = read_failure(pipefd[0]);
		/* Not reaped yet, so the number is still its own. */
		child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (!err && child->pidfd < 0)
			err = -errno;
		if (err) {
			kill(pid, SIGKILL);
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				continue;
			cleanup_fd(&child->pidfd);
		} else {
			child->pid = pid;
		}
	}
	close(pipefd[0]);
	return err;
}

/** spawn_kill() - send a signal. @child: may have ended. @sig: number. Return: 0 or -errno. */
int spawn_kill(struct spawned *child, int sig)
{
	if (child->pidfd < 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, child->pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

/**
 * spawn_reap() - wait for the end and take the status
 * @child: started; on success nothing is left of it
 * @msec: how long to wait at most, 0: not at all
 * @status: set to its exit status, or 128 + the number of the signal that ended it
 * Return: 0; -ETIMEDOUT when it still runs; -ECHILD when there is none; -errno.
 */
int spawn_reap(struct spawned *child, int msec, int *status)
{
	struct pollfd p = { .fd = child->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	int n;

	if (child->pidfd < 0)
		return -ECHILD;
	do
		n = poll(&p, 1, msec);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	do
		n = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	cleanup_fd(&child->pidfd);
	child->pid = -1;
	return 0;
}

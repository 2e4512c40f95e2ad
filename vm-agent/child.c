// SPDX-License-Identifier: ISC
/*
 * child.c - the process that becomes a command.
 *
 * Everything that needs memory or files is done before the fork; after it there are system calls
 * only. In this order: descriptors 0 to 2 and the status pipe, all others closed at once (a copy
 * of another session's pipe must not live for as long as a directory takes to answer); a session
 * and process group of its own, and the terminal; signals, umask, limits; groups, group, user;
 * and then, as that user, the directory and the file: what the user may not enter or execute
 * fails.
 *
 * The status pipe is close-on-exec: end of file says that the command runs, a struct
 * child_failure why it does not.
 *
 * A detached command is forked twice, so that it is a child of init and outlives the server.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <grp.h>

#include "proto.h"
#include "request.h"
#include "user.h"
#include "util.h"

enum { STATUS_FD = 3 };

/* What commands get, whatever the server uses itself. */
static struct rlimit normal_files;

/**
 * child_prepare() - note the limits that commands shall have, and take more for the server; see
 * that no inherited descriptor goes on to commands. Call once, first.
 */
void child_prepare(void)
{
	struct rlimit all;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &normal_files) == 0) {
		all = normal_files;
		all.rlim_cur = all.rlim_max;
		setrlimit(RLIMIT_NOFILE, &all);
	}
	/* children close what is above STATUS_FD; this is for that one and for old kernels */
	for (fd = STATUS_FD; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* -- after the fork: nothing but system calls -- */

static void __attribute__((noreturn)) fail(enum child_stage stage, int err)
{
	struct child_failure f = { stage, err };

	if (write(STATUS_FD, &f, sizeof(f)) < 0)
		_exit(125);	/* nobody is left to tell */
	_exit(127);
}

/* Move @fd out of the way of 0 to STATUS_FD. Return: its new number; -1 stays. */
static int raise_fd(int fd)
{
	if (fd < 0)
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, STATUS_FD + 1);
	if (fd < 0)
		fail(CHILD_SETUP, errno);
	return fd;
}

/** child_close_above() - close every descriptor from @first on. Makes system calls only. */
void child_close_above(int first)
{
	struct rlimit limit;
	rlim_t fd;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
#endif
	/* before Linux 5.9 */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	for (fd = (rlim_t)first; fd < MIN(limit.rlim_cur, (rlim_t)65536); fd++)
		close((int)fd);
}

/* Give the child its descriptors: 0 to 2, STATUS_FD, and no others. */
static void take_fds(const struct child_stdio *io, int status)
{
	int fd[3], i, null;

	/* First the way to say what fails. */
	status = fcntl(status, F_DUPFD_CLOEXEC, STATUS_FD + 1);
	for (i = 0; i < 3; i++)
		fd[i] = io->fd[i] < 0 ? -1 : fcntl(io->fd[i], F_DUPFD_CLOEXEC, STATUS_FD + 1);
	if (status < 0 || dup3(status, STATUS_FD, O_CLOEXEC) < 0)
		_exit(125);
	null = raise_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
	for (i = 0; i < 3; i++)
		if (dup2(fd[i] < 0 ? null : fd[i], i) < 0)
			fail(CHILD_SETUP, errno);
	child_close_above(STATUS_FD + 1);
}

/* Lead a session and a process group, on the terminal if there is one; or be the foreground job of this one. */
static void take_session(const struct child_stdio *io)
{
	if (io->foreground) {
		setpgid(0, 0);
		/* TTOU is blocked still, so a background process may do this. */
		if (tcsetpgrp(STDIN_FILENO, getpid()) < 0)
			fail(CHILD_SETUP, errno);
		return;
	}
	if (setsid() < 0)
		fail(CHILD_SETUP, errno);
	if (!io->tty)
		return;
	if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		fail(CHILD_SETUP, errno);
}

/* The user may open them by their names, /dev/stdout or the terminal's, as after a login; a server without rights owns
 * them. Never /dev/null, which is not this command's alone. */
static void give_stdio(const struct child_stdio *io, uid_t uid)
{
	int i;

	for (i = 0; i < 3; i++)
		if (io->fd[i] >= 0 && fchown(i, uid, (gid_t)-1) < 0 && geteuid() == 0)
			fail(CHILD_SETUP, errno);
}

/* The kernel is asked itself: libc keeps its hands on 32 and 33, which its posix_spawn(3) leaves ignored, so that
 * whatever make(1) started has them so. */
static void reset_signals(void)
{
	static const unsigned long act[8];      /* struct sigaction of the kernel: SIG_DFL, no flags */
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, act, NULL, NSIG / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What the server found; not more than it has been left with since. */
static void limit_files(void)
{
	struct rlimit now;

	if (!normal_files.rlim_max)
		return;         /* pid 1: those of the process are those that its command shall have */
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		fail(CHILD_LIMITS, errno);
	now.rlim_cur = MIN(normal_files.rlim_cur, now.rlim_max);
	now.rlim_max = MIN(normal_files.rlim_max, now.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &now) < 0)
		fail(CHILD_LIMITS, errno);
}

/* Become the user. A server without rights can be its own user only. */
static void take_identity(const struct identity *id)
{
	if (geteuid() != 0 && id->uid == geteuid() && id->gid == getegid())
		return;
	if (setgroups(id->group_count, id->groups) < 0 || setgid(id->gid) < 0 ||
	    setuid(id->uid) < 0)
		fail(CHILD_USER, errno);
}

static void take_directory(const struct request *r, const struct identity *id)
{
	if (r->cwd) {
		if (chdir(r->cwd) < 0)
			fail(CHILD_CWD, errno);
	} else if (chdir(id->home) < 0 && chdir("/") < 0) {
		fail(CHILD_CWD, errno);
	}
}

/* Try one file. Return: the error that came of it, an interpreter's as -ENOENT. */
static int try(const char *path, const struct request *r)
{
	int err;

	execve(path, r->argv, r->env);
	err = errno;
	return err == ENOENT && access(path, F_OK) == 0 ? -ENOENT : err;
}

/* Search the command in PATH, as execvp(3) does, but never hand it to a shell. Does not return. */
static void __attribute__((noreturn)) execute(const struct request *r, const char *path)
{
	const char *name = r->argv[0];
	char file[PATH_MAX];
	size_t len = strlen(name), dir;
	int err, worst = ENOENT;

	if (strchr(name, '/') || !*name) {
		err = try(name, r);
		fail(err < 0 ? CHILD_INTERPRETER : CHILD_EXEC, abs(err));
	}
	for (;; path++) {
		dir = strcspn(path, ":");
		if (dir + 1 + len < sizeof(file)) {
			memcpy(file, path, dir);
			file[dir] = '/';
			/* An empty entry is the current directory. */
			memcpy(file + dir + (dir > 0), name, len + 1);
			err = try(file, r);
			if (err < 0)
				fail(CHILD_INTERPRETER, -err);
			if (err == EACCES)
				worst = EACCES;		/* go on: a later one may do */
			else if (err != ENOENT && err != ENOTDIR)
				fail(CHILD_EXEC, err);
		}
		path += dir;
		if (!*path)
			fail(CHILD_EXEC, worst);
	}
}

/* What PATH the command's environment has. None: the current directory is not searched either. */
static const char *search_path(char *const *env)
{
	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return "/usr/bin:/bin";
}

static void __attribute__((noreturn)) become(const struct request *r, const struct identity *id,
					     const struct child_stdio *io, int status)
{
	const char *path = search_path(r->env);

	take_fds(io, status);
	take_session(io);
	give_stdio(io, id->uid);
	reset_signals();
	umask(022);
	limit_files();
	take_identity(id);
	take_directory(r, id);
	execute(r, path);
}

/* -- before it -- */

/* Fork again, tell the pid through @to, and leave. */
static void detach(int to)
{
	pid_t pid = fork();

	if (pid == 0)
		return;
	if (pid < 0)
		pid = -errno;
	_exit(write(to, &pid, sizeof(pid)) == (ssize_t)sizeof(pid) ? 0 : 1);
}

/* Fork a child that is init's. Waits for one fork(2). Return: as fork(2), or -errno. */
static pid_t fork_detached(void)
{
	autoclose int from = -1, to = -1;
	int fd[2];
	pid_t pid, between;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	from = fd[0];
	to = fd[1];
	between = fork();
	if (between < 0)
		return -errno;
	if (between == 0) {
		detach(to);
		return 0;
	}
	cleanup_fd(&to);
	if (read(from, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		pid = -ECHILD;
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	return pid;
}

/**
 * child_start() - start a process that becomes a command
 * @r: parsed, with the environment complete
 * @id: who runs it
 * @io: borrowed; close these ends afterwards
 * @status: set to the reading end of its status pipe, O_NONBLOCK, which the caller owns
 *
 * Return: its pid; -errno when there is none: then @status is -1.
 */
pid_t child_start(const struct request *r, const struct identity *id, const struct child_stdio *io,
		  int *status)
{
	autoclose int to = -1;
	int fd[2];
	pid_t pid;

	*status = -1;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	*status = fd[0];
	to = fd[1];
	fcntl(*status, F_SETFL, O_NONBLOCK);
	if (r->flags & PROTO_DETACH) {
		pid = fork_detached();
	} else {
		pid = fork();
		if (pid < 0)
			pid = -errno;
	}
	if (pid == 0)
		become(r, id, io, to);
	if (pid < 0)
		cleanup_fd(status);
	return pid;
}

/**
 * child_vitals() - how the machine is, when it lacks something; asks no file, for it may be
 * descriptors that are lacking
 * @err: errno, positive
 * @text, @size: where to
 *
 * Return: bytes of text: 0 when @err is not about a lack.
 */
size_t child_vitals(int err, char *text, size_t size)
{
	struct rlimit files = { 0 }, procs = { 0 };
	struct sysinfo s = { 0 };
	int fd, n;

	if (err != EAGAIN && err != ENOMEM && err != EMFILE && err != ENFILE)
		return 0;
	sysinfo(&s);
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NPROC, &procs);
	/* The lowest free descriptor is about as many as are in use. */
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	n = snprintf(text, size, " (memory: %llu of %llu MiB free; processes: %u, limit %lld; "
		     "descriptors: %d, limit %lld)",
		     (unsigned long long)s.freeram * s.mem_unit / MIB,
		     (unsigned long long)s.totalram * s.mem_unit / MIB, s.procs,
		     (long long)procs.rlim_cur, fd < 0 ? (int)files.rlim_cur : fd,
		     (long long)files.rlim_cur);
	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : MIN((size_t)n, size - 1);
}

/**
 * child_explain() - say why a command did not start
 * @f: what the child told
 * @r, @id: what was to be run, and who was to run it
 * @text, @size: set to the reason, `what: why`
 *
 * Return: the status: 127 not found, 126 found and not to be executed, 125 anything else.
 */
int child_explain(const struct child_failure *f, const struct request *r, const struct identity *id,
		  char *text, size_t size)
{
	static const char *const stages[CHILD_STAGE_COUNT] = {
		[CHILD_FORK] = "fork", [CHILD_SETUP] = "setup", [CHILD_LIMITS] = "limits",
		[CHILD_USER] = "user", [CHILD_CWD] = "directory",
	};
	const char *what = f->stage >= CHILD_EXEC ? r->argv[0] : stages[f->stage];
	const char *object = f->stage == CHILD_CWD ? (r->cwd ? r->cwd : id->home) :
			     f->stage == CHILD_USER ? id->user_variable + strlen("USER=") : NULL;
	int n = snprintf(text, size, "%.300s%s%.300s: %s%s", what, object ? " " : "",
			 object ? object : "", strerror(f->error),
			 f->stage == CHILD_INTERPRETER ? ": its interpreter is missing" : "");
	size_t len = MIN((size_t)MAX(n, 0), size - 1);

	if (child_vitals(f->error, text + len, size - len))
		return 125;
	switch (f->stage) {
	case CHILD_CWD:
		return 127;
	case CHILD_USER:
		return 126;
	case CHILD_EXEC:
	case CHILD_INTERPRETER:
		return f->error == ENOENT || f->error == ENOTDIR ? 127 : 126;
	default:
		return 125;
	}
}

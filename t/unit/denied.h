/* SPDX-License-Identifier: ISC */
/*
 * denied.h - what no confined process of ours can do, and how it is tried.
 *
 * Each question is put to a child of its own, because no stage can be taken back: the child confines itself as its program
 * does, tries one thing, and exits with the errno that came of it.
 */
#ifndef DENIED_H
#define DENIED_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

enum { CRASHED = 255 };

struct attempt {
	const char *name;
	int (*try)(void);
};

static char dir[] = "/tmp/pipevm-test.XXXXXX";
static int dirfd_, outside;     /* a directory, and a file opened for writing beforehand */

#define RESULT(call) ((call) < 0 ? errno : 0)

/* The test's own: confine this process. @stages: which of them, 0: none. Return: 0, or that it failed. */
static int shut(unsigned int stages);

/* Return: what @try exits with after @stages, CRASHED for death by a signal. */
static int tried(unsigned int stages, int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (shut(stages))
			_exit(254);
		_exit(try());
	}
	if (waitpid(pid, &status, 0) != pid)
		return 253;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHED;
}

static int try_open(void) { return RESULT(syscall(SYS_open, "/etc/passwd", O_RDONLY)); }
static int try_openat(void) { return RESULT(openat(AT_FDCWD, "/etc/passwd", O_RDONLY)); }
static int try_openat_dir(void) { return RESULT(openat(dirfd_, "file", O_RDONLY)); }
static int try_creat(void) { return RESULT(openat(dirfd_, "new", O_WRONLY | O_CREAT, 0600)); }
static int try_proc(void) { return RESULT(open("/proc/self/mem", O_RDWR)); }

static int try_openat2(void)
{
	uint64_t how[3] = { O_RDONLY };

	return RESULT(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}

static int try_socket_netlink(void) { return RESULT(socket(AF_NETLINK, SOCK_RAW, 0)); }

static int try_socketpair_inet(void)
{
	int pair[2];

	return RESULT(socketpair(AF_INET, SOCK_STREAM, 0, pair));
}

static int try_execve(void)
{
	char *argv[] = { (char *)"true", NULL };

	return RESULT(execve("/bin/true", argv, NULL));
}

static int try_execveat(void)
{
	char *argv[] = { (char *)"true", NULL };

	return RESULT(syscall(SYS_execveat, outside, "", argv, NULL, AT_EMPTY_PATH));
}

static int try_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}

#ifdef SYS_fork
static int try_old_fork(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}

static int try_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}
#endif

static int try_ptrace(void) { return RESULT(ptrace(PTRACE_ATTACH, getppid(), 0, 0)); }
static int try_vm_write(void) { return RESULT(syscall(SYS_process_vm_writev, getppid(), 0, 0, 0, 0, 0)); }
static int try_mount(void) { return RESULT(mount("x", "/", "tmpfs", 0, "")); }
static int try_unshare(void) { return RESULT(syscall(SYS_unshare, 0x10000000)); }
static int try_setns(void) { return RESULT(syscall(SYS_setns, outside, 0)); }
static int try_chroot(void) { return RESULT(chroot("/")); }
static int try_setuid(void) { return RESULT(syscall(SYS_setuid, 0)); }
static int try_io_uring(void) { return RESULT(syscall(SYS_io_uring_setup, 4, outside)); }
static int try_bpf(void) { return RESULT(syscall(SYS_bpf, 0, 0, 0)); }
static int try_perf(void) { return RESULT(syscall(SYS_perf_event_open, 0, 0, 0, 0, 0)); }
static int try_userfaultfd(void) { return RESULT(syscall(SYS_userfaultfd, 0)); }
static int try_keyctl(void) { return RESULT(syscall(SYS_keyctl, 0, 0)); }
static int try_memfd(void) { return RESULT(syscall(SYS_memfd_create, "x", 0)); }
static int try_chmod(void) { return RESULT(fchmod(outside, 0777)); }
static int try_rename(void) { return RESULT(renameat(dirfd_, "file", dirfd_, "other")); }
static int try_link(void) { return RESULT(linkat(dirfd_, "file", dirfd_, "other", 0)); }
static int try_tiocsti(void) { return RESULT(ioctl(0, TIOCSTI, "x")); }

static const struct attempt denied[] = {
	{ "open", try_open },
	{ "openat", try_openat },
	{ "openat below a directory that is open", try_openat_dir },
	{ "openat that creates", try_creat },
	{ "openat2", try_openat2 },
	{ "open of its own memory", try_proc },
	{ "socket, netlink", try_socket_netlink },
	{ "socketpair, internet", try_socketpair_inet },
	{ "execve", try_execve },
	{ "execveat of a descriptor", try_execveat },
	{ "clone of a process", try_fork },
#ifdef SYS_fork
	{ "fork", try_old_fork },
	{ "vfork", try_vfork },
#endif
	{ "ptrace", try_ptrace },
	{ "process_vm_writev", try_vm_write },
	{ "mount", try_mount },
	{ "unshare", try_unshare },
	{ "setns", try_setns },
	{ "chroot", try_chroot },
	{ "setuid", try_setuid },
	{ "io_uring_setup", try_io_uring },
	{ "bpf", try_bpf },
	{ "perf_event_open", try_perf },
	{ "userfaultfd", try_userfaultfd },
	{ "keyctl", try_keyctl },
	{ "memfd_create", try_memfd },
	{ "fchmod", try_chmod },
	{ "renameat", try_rename },
	{ "linkat", try_link },
	{ "an ioctl of terminals", try_tiocsti },
};

static void check_refused(int got, int want, const char *what)
{
	char name[100];

	snprintf(name, sizeof(name), "calls: %s is refused", what);
	CHECK(got == want, name);
	if (got != want)
		printf("# %s\n", got == CRASHED ? "died" : strerror(got));
}

#endif

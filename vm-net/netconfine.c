// SPDX-License-Identifier: ISC
/*
 * netconfine.c - what vm-net keeps of the host once it is set up.
 *
 * It works with sockets, which is what it is for: it may make them, connect and bind them. Of files it keeps the right to
 * remove the sockets that it made; it can open none, start no program and make no process or thread, and signal none. A host
 * without Landlock is left with the list of calls, which has no way to open a file either.
 *
 * It runs in no namespace of its own, unlike vm-boot: the host's network is what it gives its guest.
 */
#include "netconfine.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox.h"
#include "util.h"

#define ALLOW(name) { .nr = SYS_##name }
#define ALLOW_IF(name, n, m, v) { .nr = SYS_##name, .arg = (n), .mask = (m), .value = (v) }

static const struct sandbox_call calls[] = {
	ALLOW(epoll_wait), ALLOW(epoll_pwait), ALLOW(recvfrom), ALLOW(sendto), ALLOW(recvmsg), ALLOW(sendmsg),
	ALLOW(clock_gettime), ALLOW(epoll_ctl), ALLOW(timerfd_create), ALLOW(timerfd_settime), ALLOW(eventfd2), ALLOW(read), ALLOW(write), ALLOW(readv),
	ALLOW(writev), ALLOW(close), ALLOW(poll), ALLOW(ppoll),
	ALLOW_IF(socket, 0, 0xffffffff, AF_INET), ALLOW_IF(socket, 0, 0xffffffff, AF_INET6),
	ALLOW_IF(socket, 0, 0xffffffff, AF_UNIX),
	ALLOW_IF(socketpair, 0, 0xffffffff, AF_UNIX),
	ALLOW(connect), ALLOW(bind), ALLOW(listen), ALLOW(accept), ALLOW(accept4), ALLOW(shutdown),
	ALLOW(getsockopt), ALLOW(setsockopt), ALLOW(getsockname), ALLOW(getpeername),
	/* of fcntl and ioctl what libslirp asks: others signal processes, or type at a terminal */
	ALLOW_IF(fcntl, 1, 0xffffffff, F_GETFL), ALLOW_IF(fcntl, 1, 0xffffffff, F_SETFL),
	ALLOW_IF(fcntl, 1, 0xffffffff, F_GETFD), ALLOW_IF(fcntl, 1, 0xffffffff, F_SETFD),
	ALLOW_IF(ioctl, 1, 0xffffffff, FIONREAD),
	ALLOW(fstat), ALLOW(newfstatat), ALLOW(dup2), ALLOW(unlink), ALLOW(unlinkat), ALLOW(lstat),
	ALLOW(getrandom), ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(brk), ALLOW(madvise), ALLOW(mprotect),
	ALLOW(futex), ALLOW(getpid), ALLOW(gettid), ALLOW(wait4), ALLOW(rt_sigprocmask), ALLOW(rt_sigaction),
	ALLOW(rt_sigreturn), ALLOW(restart_syscall), ALLOW(exit), ALLOW(exit_group),
};

/** netconfine_early() - first: no new privileges, and close what nobody asked for. @keep, @n. Return: 0, -errno. */
int netconfine_early(const int *keep, size_t n)
{
	return sandbox_close_others(keep, n);
}

/**
 * netconfine() - the rest, when all is open
 * @dir, @n: directories of the sockets to be removed in the end, at most NETCONFINE_DIRS
 * Return: 0; -errno when a stage that this host has did not hold.
 */
int netconfine(const int *dir, size_t n)
{
	struct sandbox_dir dirs[NETCONFINE_DIRS];
	int err = sandbox_drop_capabilities();
	size_t i;

	for (i = 0; i < n; i++)
		dirs[i] = (struct sandbox_dir){ dir[i], SANDBOX_REMOVE };
	if (!err)
		err = sandbox_files(dirs, n, SANDBOX_TCP);
	return err ? err : sandbox_calls(calls, ARRAY_SIZE(calls));
}

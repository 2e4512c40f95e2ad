// SPDX-License-Identifier: ISC
/*
 * confine.c - what vm-exec gives away once all is open.
 *
 * What talks to a guest afterwards opens no file, makes no socket and starts no process: it moves bytes
 * between descriptors that it has. No namespaces: they would cost more than all the rest of the start.
 */
#include "confine.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sandbox.h"
#include "util.h"

static const struct sandbox_call calls[] = {
	{ .nr = SYS_read }, { .nr = SYS_write },
	{ .nr = SYS_recvfrom }, { .nr = SYS_sendto }, { .nr = SYS_recvmsg }, { .nr = SYS_sendmsg },
	{ .nr = SYS_epoll_pwait },
#ifdef SYS_epoll_wait
	{ .nr = SYS_epoll_wait },
#endif
	{ .nr = SYS_epoll_ctl }, { .nr = SYS_timerfd_settime }, { .nr = SYS_signalfd4 },
	{ .nr = SYS_close }, { .nr = SYS_shutdown }, { .nr = SYS_clock_gettime },
	/* The terminal: its modes and size. */
	{ .nr = SYS_ioctl, .arg = 1, .mask = UINT32_MAX, .value = TCGETS },
	{ .nr = SYS_ioctl, .arg = 1, .mask = UINT32_MAX, .value = TCSETS },
	{ .nr = SYS_ioctl, .arg = 1, .mask = UINT32_MAX, .value = TIOCGWINSZ },
	{ .nr = SYS_ioctl, .arg = 1, .mask = UINT32_MAX, .value = TIOCGPGRP },
	{ .nr = SYS_getpgid },
#ifdef SYS_getpgrp
	{ .nr = SYS_getpgrp },
#endif
	/* Signals, to ourselves: tty_die() and the stop. */
	{ .nr = SYS_rt_sigaction }, { .nr = SYS_rt_sigprocmask }, { .nr = SYS_rt_sigreturn },
	{ .nr = SYS_rt_sigpending }, { .nr = SYS_getpid }, { .nr = SYS_gettid }, { .nr = SYS_tgkill },
	{ .nr = SYS_restart_syscall },
	/* Memory. */
	{ .nr = SYS_brk }, { .nr = SYS_mmap }, { .nr = SYS_mremap }, { .nr = SYS_munmap },
	{ .nr = SYS_madvise }, { .nr = SYS_futex },
	{ .nr = SYS_exit_group },
};

/**
 * confine() - give up everything else, for good
 *
 * No new privileges; stage "files" of sandbox.c with no rule, then "calls". Return: 0 or -errno.
 */
int confine(void)
{
	int e = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : sandbox_files(NULL, 0, 0);

	return e ? e : sandbox_calls(calls, ARRAY_SIZE(calls));
}

// SPDX-License-Identifier: ISC
/*
 * confine.c - what the machine keeps of the host once it is set up.
 *
 * Everything it works with it holds as descriptors: KVM, guest memory, sockets, logs. Of files it
 * keeps the right to remove its own runtime directory and nothing else; of system calls those below.
 * `socket`, `open` and `execve` are not among them. Threads may be made, processes not.
 */
#include "confine.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "engine.h"
#include "launch.h"
#include "log.h"
#include "net.h"
#include "sandbox.h"
#include "util.h"
#include "vm.h"
#include "vpath.h"

#define ALLOW(name) { .nr = SYS_##name }
#define ALLOW_IF(name, n, m, v) { .nr = SYS_##name, .arg = (n), .mask = (m), .value = (v) }

static const struct sandbox_call calls[] = {
	/* the guest's way: KVM's ioctls and no others, kicks, interrupts */
	ALLOW_IF(ioctl, 1, 0xff00, 0xae00),
	ALLOW(read), ALLOW(write), ALLOW(epoll_wait), ALLOW(epoll_pwait), ALLOW(futex),
	/* consoles and control connections */
	ALLOW(sendmsg), ALLOW(recvmsg), ALLOW(recvfrom), ALLOW(sendto), ALLOW(readv), ALLOW(writev),
	ALLOW(accept4), ALLOW(getsockopt), ALLOW(shutdown), ALLOW(close), ALLOW(fcntl),
	ALLOW_IF(socketpair, 0, 0xffffffff, AF_UNIX),
	ALLOW(epoll_ctl), ALLOW(eventfd2), ALLOW(timerfd_settime), ALLOW(ppoll), ALLOW(poll),
	ALLOW(fstat),                           /* newer libc's; what QEMU shares is looked at */
	/* time, memory, entropy */
	ALLOW(clock_gettime), ALLOW(clock_nanosleep), ALLOW(getrandom), ALLOW(mmap), ALLOW(munmap),
	ALLOW(mprotect), ALLOW(madvise), ALLOW(brk), ALLOW(mremap),
	/* threads: clone3's arguments cannot be looked at, so libc is told that there is none */
	{ .nr = SYS_clone3, .denied = ENOSYS },
	ALLOW_IF(clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM),
	ALLOW(set_robust_list), ALLOW(rseq), ALLOW(gettid), ALLOW(getpid),
	ALLOW_IF(tgkill, 0, 0xffffffff, 0),     /* the number becomes our own */
	ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), ALLOW(restart_syscall),
	ALLOW(sched_yield), ALLOW(prctl), ALLOW(exit), ALLOW(exit_group),
	/* the end: QEMU's, and of what we made; becoming a daemon (-d) */
	ALLOW(waitid), ALLOW(pidfd_send_signal), ALLOW(unlinkat), ALLOW(newfstatat),
	ALLOW(dup2), ALLOW(dup3), ALLOW(setsid),
};

/* With --vsock-path or a network's path: dials to sockets in the working directory, of which a thread may have its own. */
static const struct sandbox_call dialling[] = {
	ALLOW_IF(socket, 0, 0xffffffff, AF_UNIX), ALLOW(connect),
	ALLOW_IF(unshare, 0, 0xffffffff, CLONE_FS), ALLOW(fchdir),
};

/**
 * confine_early() - first thing: no new privileges, and close what nobody asked for
 * @c: its descriptors are kept
 * @l: so are these
 * Return: 0 or -errno.
 */
int confine_early(const struct vm_config *c, const struct companion *l)
{
	int keep[8 + 5 * NETCONF_MAX] = {
		c->kernel, c->initrd, c->log_console, c->ready_fd, c->status_fd, c->ctl_fd, l->report, l->prog,
	};
	size_t n = 8;
	unsigned int i;

	for (i = 0; i < c->nets; i++) {
		keep[n++] = c->net[i].fd;
		keep[n++] = c->net[i].listener;
		keep[n++] = c->net[i].control;
		keep[n++] = c->net[i].shared;
		keep[n++] = c->net[i].dir;
	}
	return sandbox_close_others(keep, n);
}

/** confine_calls() - the last stage by itself, for tests of it. @dials: it connects to sockets. Return: 0 or -errno. */
int confine_calls(bool dials)
{
	struct sandbox_call ours[ARRAY_SIZE(calls) + ARRAY_SIZE(dialling)];
	size_t i;

	memcpy(ours, calls, sizeof(calls));
	memcpy(ours + ARRAY_SIZE(calls), dialling, sizeof(dialling));
	for (i = 0; i < ARRAY_SIZE(ours); i++)
		if (ours[i].nr == SYS_tgkill)
			ours[i].value = (uint32_t)getpid();
	return sandbox_calls(ours, ARRAY_SIZE(calls) + (dials ? ARRAY_SIZE(dialling) : 0));
}

/**
 * confine() - stages ids, files and calls; before any thread
 * @vm: set up
 * Return: 0; -errno when a stage this host has did not hold.
 */
int confine(struct vm *vm)
{
	struct sandbox_dir dirs[] = {
		{ vm->rundir.base, SANDBOX_REMOVE },
		{ vpath_dir(vm->vpath), SANDBOX_REMOVE },
	};
	int err;

	if (vm->cfg.no_sandbox) {
		warn("--no-sandbox: the machine is not confined");
		return vm->vpath && fchdir(vpath_dir(vm->vpath)) < 0 ? -errno : 0;
	}
	err = sandbox_ids(&vm->in_user_namespace);
	if (!err)
		err = sandbox_files(dirs, ARRAY_SIZE(dirs), vm->engine->uses_kvm ? 0 : SANDBOX_SIGNALS);
	if (!err && vm->vpath && fchdir(vpath_dir(vm->vpath)) < 0)
		err = -errno;
	if (!err)
		err = confine_calls(vm->vpath || net_dials(vm->net));
	return err;
}

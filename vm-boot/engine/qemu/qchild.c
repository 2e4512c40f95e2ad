// SPDX-License-Identifier: ISC
/* qchild.c - start QEMU, with its ends of what we talk to it by. */
#include "qchild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "args.h"
#include "config.h"
#include "log.h"
#include "spawn.h"
#include "util.h"

/*
 * QEMU's virtconsole drops what its other end does not take at once, and a guest writes 16 bytes at
 * a time: of those a socket holds 4 KiB, a pipe its whole length.
 */
enum { LOG_PIPE = 1 << 20 };

/**
 * qends_make() - sockets and pipes between QEMU and us
 * @e: initialized; filled in, qends_close() it on failure, too
 * @log: whether there is to be one for the other terminal port's output
 * @nets: network cards
 * Return: 0 or -errno.
 */
int qends_make(struct qends *e, bool log, unsigned int nets)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC;
	unsigned int i;

	if (socketpair(AF_UNIX, type, 0, e->monitor) < 0 ||
	    socketpair(AF_UNIX, type, 0, e->console) < 0 ||
	    socketpair(AF_UNIX, type, 0, e->vsock) < 0 ||
	    (log && pipe2(e->log, O_CLOEXEC) < 0) ||
	    pipe2(e->err, O_CLOEXEC) < 0 || fcntl(e->err[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	for (i = 0; i < nets; i++)
		if (socketpair(AF_UNIX, type, 0, e->net[i]) < 0)
			return -errno;
	if (log && fcntl(e->log[1], F_SETPIPE_SZ, LOG_PIPE) < 0)
		debug("log: a small pipe has to do: %s", errstr(errno));
	return 0;
}

/** qends_close_theirs() - QEMU has its ends: its alone, so that each sees the other's end. @e. */
void qends_close_theirs(struct qends *e)
{
	unsigned int i;

	for (i = 0; i < NETCONF_MAX; i++)
		cleanup_fd(&e->net[i][1]);
	cleanup_fd(&e->monitor[1]);
	cleanup_fd(&e->console[1]);
	cleanup_fd(&e->log[1]);
	cleanup_fd(&e->err[1]);
	cleanup_fd(&e->vsock[1]);
}

/** qends_close() - close what nobody took. @e. */
void qends_close(struct qends *e)
{
	unsigned int i;

	qends_close_theirs(e);
	for (i = 0; i < NETCONF_MAX; i++)
		cleanup_fd(&e->net[i][0]);
	cleanup_fd(&e->monitor[0]);
	cleanup_fd(&e->console[0]);
	cleanup_fd(&e->log[0]);
	cleanup_fd(&e->err[0]);
	cleanup_fd(&e->vsock[0]);
}

/**
 * qchild_start() - start QEMU
 * @child: filled in
 * @cfg: settled; its kernel and initrd are QEMU's to read
 * @e: made
 * @err, @errsize: filled in with what is wrong
 * Return: 0; -ENOTSUP when it is not installed; -errno.
 */
int qchild_start(struct spawned *child, const struct vm_config *cfg, const struct qends *e, char *err,
		 size_t errsize)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	autofree struct args *a = malloc(sizeof(*a));
	struct spawn_fd map[9 + NETCONF_MAX] = {
		{ null, STDIN_FILENO },
		{ null, STDOUT_FILENO },
		{ e->err[1], STDERR_FILENO },
		{ e->monitor[1], ARGS_FD_MONITOR },
		{ e->console[1], ARGS_FD_CONSOLE },
		{ e->vsock[1], ARGS_FD_VSOCK },
		{ cfg->kernel, ARGS_FD_KERNEL },
	};
	size_t n = 7;
	unsigned int i;
	int ret;

	if (!a || null < 0)
		return -errno;
	if (e->log[1] >= 0)
		map[n++] = (struct spawn_fd){ e->log[1], ARGS_FD_LOG };
	if (cfg->initrd >= 0)
		map[n++] = (struct spawn_fd){ cfg->initrd, ARGS_FD_INITRD };
	for (i = 0; i < cfg->nets; i++)
		map[n++] = (struct spawn_fd){ e->net[i][1], ARGS_FD_NET + (int)i };
	ret = args_build(a, cfg, e->log[1] >= 0);
	if (!ret)
		ret = spawn(child, a->argv, map, n);
	if (ret == -ENOENT) {
		snprintf(err, errsize, "qemu-system-x86_64 is not installed: install the package "
			 "qemu-system-x86 (Fedora: qemu-system-x86-core)");
		return -ENOTSUP;
	}
	if (ret)
		snprintf(err, errsize, "qemu-system-x86_64 cannot be started: %s", errstr(ret));
	return ret;
}

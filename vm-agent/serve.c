// SPDX-License-Identifier: ISC
/*
 * serve.c - the exec server as a process: pid 1's child, or `vm-agent serve`.
 *
 * There is one for vsock in a machine: it holds a lock on LOCK for as long as it lives, and a second
 * one says so and leaves. One on a socket in the file system is as many as there are paths.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>

#include "child.h"
#include "kmsg.h"
#include "life.h"
#include "proto.h"
#include "server.h"
#include "util.h"

#define LOCK "/run/vm-agent.lock"

enum { BACKLOG = 4096 };

/* Be the only one. Return: an fd to keep; -EWOULDBLOCK when there is another; -errno. */
static int lock(void)
{
	int fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Return: a socket bound to @addr that listens, or -errno. */
static int listen_at(const struct sockaddr *addr, socklen_t len)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	if (bind(fd, addr, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int finish(int err)
{
	if (err < 0)
		kmsg(KMSG_ERR, "exec server: %s", strerror(-err));
	return err < 0;
}

/* Return: the exit status; @absent when the kernel has no vsock. */
static int serve_vsock(int absent, const struct life_config *life)
{
	const struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = PROTO_EXEC_PORT,
	};
	autoclose int listener = -1, held = lock();

	if (held == -EWOULDBLOCK) {
		kmsg(KMSG_ERR, "an exec server is running already: nothing done");
		return 1;
	}
	if (held < 0) {
		kmsg(KMSG_ERR, LOCK ": %s", strerror(-held));
		return 1;
	}
	listener = listen_at((const struct sockaddr *)&addr, sizeof(addr));
	if (listener == -EAFNOSUPPORT || listener == -ENODEV) {
		kmsg(KMSG_INFO, "no vsock in this kernel: commands cannot be run from the host");
		return absent;
	}
	if (listener < 0) {
		kmsg(KMSG_ERR, "vsock port %d: %s", PROTO_EXEC_PORT, strerror(-listener));
		return 1;
	}
	return finish(server_run(listener, AF_VSOCK, life));
}

/* A listening AF_UNIX socket that was inherited. Return: it, or -errno. */
static int inherited(const char *number)
{
	int listens = 0, family = 0;
	socklen_t len = sizeof(int);
	char *end;
	long fd = strtol(number, &end, 10);

	if (!*number || *end || fd < 0 || fd > INT_MAX)
		return -EINVAL;
	if (getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
	    getsockopt((int)fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
		return -errno;
	return listens && family == AF_UNIX ? (int)fd : -EINVAL;
}

static int serve_fd(const char *spec)
{
	autoclose int listener = inherited(spec + 3);

	if (listener < 0) {
		kmsg(KMSG_ERR, "%s: not a listening socket of ours: %s", spec, strerror(-listener));
		return 1;
	}
	return finish(server_run(listener, AF_UNIX, NULL));
}

/* Return: the exit status. */
static int serve_path(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autoclose int listener = -1;
	mode_t mask;
	int status;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		kmsg(KMSG_ERR, "%s: %s", path, strerror(ENAMETOOLONG));
		return 1;
	}
	strcpy(addr.sun_path, path);
	mask = umask(077);
	listener = listen_at((const struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (listener < 0) {
		kmsg(KMSG_ERR, "%s: %s", path, strerror(-listener));
		return 1;
	}
	status = finish(server_run(listener, AF_UNIX, NULL));
	unlink(path);
	return status;
}

/**
 * serve_fork() - start the exec server as a child of pid 1
 * @life: for the link to the host; its socket to pid 1 is above 2
 *
 * Return: its pid; -errno.
 */
pid_t serve_fork(const struct life_config *life)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		return -errno;
	if (pid > 0)
		return pid;
	/* Not those of pid 1: its console, its button, its signals. */
	for (fd = 3; fd < 1024; fd++)
		if (fd != life->init)
			close(fd);
	setsid();
	prctl(PR_SET_NAME, "vm-agent serve");
	child_prepare();
	_exit(serve_vsock(SERVE_ABSENT, life));
}

/* Whatever is closed of 0 to 2 must not become a connection. */
static void fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/**
 * serve_command() - `vm-agent serve [--socket PATH]`
 * @argc, @argv: from `serve` on
 *
 * Return: the exit status.
 */
int serve_command(int argc, char **argv)
{
	const struct life_config life = { .init = -1 };
	bool path = argc == 3 && strcmp(argv[1], "--socket") == 0;

	fill_stdio();
	kmsg_to_stderr();
	if (argc != 1 && !path) {
		kmsg(KMSG_ERR, "serve: takes --socket PATH or nothing (try --help)");
		return 2;
	}
	child_prepare();
	if (path && strncmp(argv[2], "fd:", 3) == 0)
		return serve_fd(argv[2]);
	return path ? serve_path(argv[2]) : serve_vsock(1, &life);
}

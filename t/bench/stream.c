// SPDX-License-Identifier: ISC
/*
 * stream.c - the host's end of benchmarks over vsock.
 *
 *	stream VM PORT in MIB		send so many MiB to `guest stream`: prints MiB/s
 *	stream VM PORT out MIB		have so many sent
 *	stream VM PORT fdpass		hand the connection over on stdout, as ssh's ProxyUseFdpass wants it
 *
 * VM is a handle or name of ours, or cid:N for the kernel's own vsock.
 */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/vm_sockets.h>

#include "handle.h"
#include "log.h"
#include "util.h"

static char buf[256 << 10];

static int dial(const char *vm, const char *port)
{
	struct sockaddr_vm at = { .svm_family = AF_VSOCK, .svm_port = (unsigned int)atoi(port) };
	struct vm_link link = VM_LINK_INIT;
	struct msg request, reply;
	char err[400];
	int fd;

	if (!strncmp(vm, "cid:", 4)) {
		at.svm_cid = (unsigned int)atoi(vm + 4);
		fd = socket(AF_VSOCK, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
			die(1, "%s: %s", vm, errstr(errno));
		return fd;
	}
	if (handle_open(&link, vm, err, sizeof(err)))
		die(1, "%s", err);
	msg_init(&request);
	msg_add(&request, "vsock");
	msg_add(&request, port);
	if (ctl_call(link.sock, &request, &reply, err, sizeof(err)))
		die(1, "%s", err);
	return msg_take_fd(&reply, 0);
}

static void send_all(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, MSG_WAITALL | MSG_NOSIGNAL) != (ssize_t)len)
		die(1, "the guest hangs up");
}

static void in(int fd, uint64_t bytes)
{
	char k;

	send_all(fd, "r", 1);
	for (; bytes; bytes -= sizeof(buf))
		send_all(fd, buf, sizeof(buf));
	shutdown(fd, SHUT_WR);
	if (read(fd, &k, 1) != 1)
		die(1, "the guest does not say that it has all");
}

static void out(int fd, uint64_t bytes)
{
	uint64_t le = htole64(bytes), got = 0;
	ssize_t n;

	send_all(fd, "w", 1);
	send_all(fd, &le, sizeof(le));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		got += (uint64_t)n;
	if (got != bytes)
		die(1, "the guest sent %llu bytes", (unsigned long long)got);
}

static int fdpass(int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { "", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(1, &m, 0) == 1 ? 0 : 1;
}

int main(int argc, char *argv[])
{
	struct timespec a, b;
	uint64_t mib;
	int fd;

	log_init("stream", false);
	if (argc < 4)
		die(2, "usage: stream VM PORT in|out|fdpass [MIB]");
	fd = dial(argv[1], argv[2]);
	if (!strcmp(argv[3], "fdpass"))
		return fdpass(fd);
	mib = argc > 4 ? strtoull(argv[4], NULL, 10) : 64;
	clock_gettime(CLOCK_MONOTONIC, &a);
	(!strcmp(argv[3], "in") ? in : out)(fd, mib << 20);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.1f\n", (double)mib / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	return 0;
}

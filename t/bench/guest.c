// SPDX-License-Identifier: ISC
/*
 * guest.c - the guest's end of benchmarks over vsock: a static program.
 *
 *	guest forward PORT TCPPORT	connections to PORT are taken to 127.0.0.1:TCPPORT
 *	guest stream PORT		'r' and bytes: they are read, and 'k' is the answer; 'w', a le64: so many are written
 *
 * Every connection is a process.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

static char buf[256 << 10];

/* Pass on what is there. Return: false at its end. */
static bool pass(int from, int to)
{
	ssize_t n = read(from, buf, sizeof(buf)), done = 0;

	while (done < n) {
		ssize_t m = write(to, buf + done, (size_t)(n - done));

		if (m < 0)
			exit(1);
		done += m;
	}
	if (n > 0)
		return true;
	shutdown(to, SHUT_WR);
	return false;
}

static void forward(int conn, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct pollfd p[2] = { { .fd = conn, .events = POLLIN }, { .events = POLLIN } };

	p[1].fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(p[1].fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return;
	while ((p[0].fd >= 0 || p[1].fd >= 0) && poll(p, 2, -1) > 0) {
		int a = p[0].fd, b = p[1].fd;

		if (a >= 0 && p[0].revents && !pass(a, b < 0 ? ~b : b))
			p[0].fd = ~a;
		if (b >= 0 && p[1].revents && !pass(b, a < 0 ? ~a : a))
			p[1].fd = ~b;
	}
}

static void stream(int conn)
{
	uint64_t left;
	char how;

	if (read(conn, &how, 1) != 1)
		return;
	if (how == 'r') {
		while (read(conn, buf, sizeof(buf)) > 0)
			continue;
		if (write(conn, "k", 1) < 0)
			return;
	}
	if (how != 'w' || recv(conn, &left, sizeof(left), MSG_WAITALL) != sizeof(left))
		return;
	for (left = le64toh(left); left;) {
		ssize_t n = write(conn, buf, left < sizeof(buf) ? left : sizeof(buf));

		if (n <= 0)
			return;
		left -= (uint64_t)n;
	}
}

int main(int argc, char *argv[])
{
	struct sockaddr_vm at = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 4000 };
	int sock = socket(AF_VSOCK, SOCK_STREAM, 0), conn;

	if (argc > 2)
		at.svm_port = (unsigned int)atoi(argv[2]);
	if (sock < 0 || bind(sock, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(sock, 64) < 0) {
		perror("guest: vsock");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	puts("listening");
	fflush(stdout);
	while ((conn = accept(sock, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			if (argc == 4 && !strcmp(argv[1], "forward"))
				forward(conn, (uint16_t)atoi(argv[3]));
			else
				stream(conn);
			_exit(0);
		}
		close(conn);
	}
	return 1;
}

// SPDX-License-Identifier: ISC
/*
 * ctl_send.c - a client that says anything to a control socket.
 *
 *	ctl_send HANDLE STEP...
 *	ctl_send N STEP... -- PROG [ARG]...
 *
 * The second form starts PROG, whose descriptor N is the other end of the connection; after the steps it closes its own
 * and exits with PROG's status.
 *
 *	fd:N		the next packet carries N descriptors (/dev/null)
 *	loop:N		... N copies of the connection itself
 *	send:TEXT	send a packet: TEXT, with \0, \n, \xHH and \\ as such
 *	fill:N		send a packet of N bytes, 'x'
 *	words:N		send a packet of N empty words
 *	recv		print the reply, its words joined by '|', its descriptors counted
 *	end		see that the other side closes the connection
 *	burst:N		send `status` N times without reading a reply
 *	line		wait for a line on stdin, or its end
 *	use		what follows goes to the descriptor of the last reply
 *	echo		send back all that comes, and its end
 *
 * It exits with 0, 1 when something did not happen (said on stderr), 2 for usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FDS = 250, PACKET = 200000 };

static int fds[FDS];
static size_t nfds;
static int given = -1;

static void fail(const char *what)
{
	fprintf(stderr, "ctl_send: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_packet(int sock, const void *buf, size_t len)
{
	union {
		char buf[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)buf, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds) {
		memset(&control, 0, sizeof(control));
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
		nfds = 0;
	}
	if (sendmsg(sock, &m, MSG_NOSIGNAL) < 0)
		fail("send");
}

static size_t unescape(const char *s, char *out)
{
	size_t n = 0;

	for (; *s; s++) {
		if (*s != '\\') {
			out[n++] = *s;
		} else if (*++s == 'x') {
			char hex[3] = { s[1], s[2], 0 };

			out[n++] = (char)strtoul(hex, NULL, 16);
			s += 2;
		} else {
			out[n++] = *s == '0' ? 0 : *s == 'n' ? '\n' : *s;
		}
	}
	return n;
}

static void receive(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control;
	static char buf[PACKET];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &m, 0), i;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (n <= 0)
		fail(n ? "receive" : "receive: the end came");
	for (i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = '|';
	printf("%.*s", (int)n, buf);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&given, CMSG_DATA(c), sizeof(given));
		printf(" +%zu", (c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	}
	puts("");
	fflush(stdout);
}

static void echo(int sock)
{
	static char buf[PACKET];
	ssize_t n;

	while ((n = recv(sock, buf, sizeof(buf), 0)) > 0)
		if (send(sock, buf, (size_t)n, MSG_NOSIGNAL) != n)
			fail("echo");
	if (n < 0 || shutdown(sock, SHUT_WR) < 0)
		fail("echo");
}

static void step(int sock, const char *s)
{
	static char buf[PACKET];
	const char *arg = strchr(s, ':') ? strchr(s, ':') + 1 : "";
	size_t n = strtoul(arg, NULL, 10), i;

	if (!strncmp(s, "fd:", 3) || !strncmp(s, "loop:", 5)) {
		for (nfds = 0; nfds < n && nfds < FDS; nfds++)
			fds[nfds] = *s == 'l' ? sock : open("/dev/null", O_RDONLY | O_CLOEXEC);
	} else if (!strncmp(s, "send:", 5)) {
		send_packet(sock, buf, unescape(arg, buf));
	} else if (!strncmp(s, "fill:", 5) && n <= PACKET) {
		memset(buf, 'x', n);
		send_packet(sock, buf, n);
	} else if (!strncmp(s, "words:", 6) && n <= PACKET) {
		memset(buf, 0, n);
		send_packet(sock, buf, n - 1);
	} else if (!strncmp(s, "burst:", 6)) {
		for (i = 0; i < n; i++)
			if (send(sock, "status", 6, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
	} else if (!strcmp(s, "recv")) {
		receive(sock);
	} else if (!strcmp(s, "line")) {
		for (int c = getchar(); c != EOF && c != '\n'; c = getchar())
			continue;
	} else if (!strcmp(s, "echo")) {
		echo(sock);
	} else if (!strcmp(s, "end")) {
		while (recv(sock, buf, sizeof(buf), 0) > 0)
			continue;
	} else {
		fprintf(stderr, "ctl_send: %s: unknown step\n", s);
		exit(2);
	}
}

/* Start @argv with one end of a connection as descriptor @n. Return: the other end. */
static int start(int n, char *argv[], pid_t *pid)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || (*pid = fork()) < 0)
		fail("start");
	if (!*pid) {
		close(pair[0]);
		/* The same number stays as it is, closed on exec: dup2() does nothing then. */
		if ((pair[1] == n ? fcntl(n, F_SETFD, 0) : dup2(pair[1], n)) < 0)
			fail("dup2");
		execvp(argv[0], argv);
		fail(argv[0]);
	}
	close(pair[1]);
	return pair[0];
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(sun.sun_path))
		exit(2);
	memcpy(sun.sun_path, path, strlen(path));
	if (sock < 0 || connect(sock, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		fail("connect");
	return sock;
}

int main(int argc, char *argv[])
{
	int sock, steps, i, status, n = argc > 1 ? atoi(argv[1]) : 0;
	pid_t pid = 0;

	for (steps = 2; steps < argc && strcmp(argv[steps], "--"); steps++)
		continue;
	if (argc < 2 || (n && steps + 1 >= argc)) {
		fprintf(stderr, "usage: ctl_send HANDLE STEP... | N STEP... -- PROG [ARG]...\n");
		return 2;
	}
	sock = n ? start(n, argv + steps + 1, &pid) : connect_to(argv[1]);
	for (i = 2; i < steps; i++)
		if (!strcmp(argv[i], "use"))
			sock = given;
		else
			step(sock, argv[i]);
	if (!pid)
		return 0;
	closefrom(3);
	if (waitpid(pid, &status, 0) < 0)
		fail("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

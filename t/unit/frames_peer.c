// SPDX-License-Identifier: ISC
/*
 * frames_peer.c - stands in for a network: answers ARP, neighbour solicitations and echo requests for whatever address,
 * reflects UDP to port 7, and counts.
 *
 *	frames_peer listen PATH			who connects to PATH gets it, one after the other
 *	frames_peer connect PATH		connects there
 *	frames_peer control PATH [WORD]...	a control socket, which answers `frames` with a socket and the words
 *	frames_peer fd PROG [ARG]...		become PROG, with NET_FD=fd:N such a socket
 *	frames_peer control-fd PROG [ARG]...	become PROG, with VM_NET=fd:N such a control socket; its word is NET_WORDS
 *	frames_peer listen-fd PATH PROG [ARG]...	become PROG, with NET_FD=fd:N a socket that listens at PATH
 *
 * Prints a line for each peer that comes and goes. On SIGUSR1 it reads nothing any more, on SIGUSR2 it goes on.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "frames.h"
#include "msg.h"
#include "util.h"

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 1 };
static volatile sig_atomic_t deaf;
static struct frames_in in;
static struct frames_out out;

static void on_signal(int sig)
{
	deaf = sig == SIGUSR1;
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "frames_peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	while (len--) {
		uint8_t t = *a;

		*a++ = *b;
		*b++ = t;
	}
}

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Change the 16 bits at @p, and the checksum of which they are part (RFC 1624). */
static void change(uint8_t *p, unsigned int value, uint8_t *sum)
{
	unsigned int s = (~get16(sum) & 0xffff) + (~get16(p) & 0xffff) + value;

	s = (s & 0xffff) + (s >> 16);
	s = ~((s & 0xffff) + (s >> 16)) & 0xffff;
	sum[0] = (uint8_t)(s >> 8);
	sum[1] = (uint8_t)s;
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static bool answer_arp(uint8_t *f, size_t len)
{
	if (len < 42 || get16(f + 20) != 1 || !memcmp(f + 28, f + 38, 4))
		return false;
	f[21] = 2;
	swap(f + 28, f + 38, 4);
	memcpy(f + 32, f + 22, 6);
	memcpy(f + 22, our_mac, 6);
	return true;
}

static bool answer_v4(uint8_t *f, size_t len)
{
	uint8_t *ip = f + 14, *data = ip + 4 * (ip[0] & 15);
	bool first = !(get16(ip + 6) & 0x1fff);

	if (len < 42 || ip[16] >= 224 || ip[19] == 255)
		return false;
	if (ip[9] == 1 && first && data[0] == 8)
		change(data, data[1], data + 2);
	else if (ip[9] == 17 && first && get16(data + 2) == 7)
		swap(data, data + 2, 2);
	else if (first)
		return false;
	swap(ip + 12, ip + 16, 4);
	return true;
}

/* RFC 4861 §4.3, §4.4: a solicitation becomes an advertisement. */
static bool answer_neighbour(uint8_t *ip, size_t len)
{
	uint8_t *icmp = ip + 40, *target = icmp + 8;
	uint32_t sum = 0;
	size_t i;

	if (len < 86 || !(ip[8] | ip[9] | ip[22] | ip[23]) || get16(ip + 4) != 32)
		return false;
	memcpy(ip + 24, ip + 8, 16);
	memcpy(ip + 8, target, 16);
	memset(icmp, 0, 8);
	icmp[0] = 136;
	icmp[4] = 0x60;
	icmp[24] = 2;
	icmp[25] = 1;
	memcpy(icmp + 26, our_mac, 6);
	for (i = 8; i < 72; i += 2)
		sum += get16(ip + i);
	sum += 32 + 58;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	return true;
}

static bool answer_v6(uint8_t *f, size_t len)
{
	uint8_t *ip = f + 14, *data = ip + 40;

	if (len < 62)
		return false;
	if (ip[6] == 58 && data[0] == 135)
		return answer_neighbour(ip, len);
	if (ip[24] == 0xff)
		return false;
	if (ip[6] == 58 && data[0] == 128)
		change(data, 129u << 8 | data[1], data + 2);
	else if (ip[6] == 17 && get16(data + 2) == 7)
		swap(data, data + 2, 2);
	else
		return false;
	swap(ip + 8, ip + 24, 16);
	return true;
}

static void answer(const uint8_t *frame, size_t len)
{
	static uint8_t f[FRAMES_MAX];
	struct iovec iov = { f, len };
	bool good;

	memcpy(f, frame, len);
	if (len < 14)
		return;
	good = get16(f + 12) == 0x0806 ? answer_arp(f, len) : get16(f + 12) == 0x0800 ? answer_v4(f, len) :
	       get16(f + 12) == 0x86dd ? answer_v6(f, len) : false;
	if (!good)
		return;
	memcpy(f, f + 6, 6);
	memcpy(f + 6, our_mac, 6);
	frames_out_put(&out, &iov, 1);
}

/* Serve a peer until it leaves. */
static void serve(int fd)
{
	struct pollfd p = { .fd = fd };
	const uint8_t *frame;
	size_t len;
	int got;

	frames_in_reset(&in);
	frames_out_reset(&out);
	printf("peer came\n");
	for (;;) {
		p.events = (deaf ? 0 : POLLIN) | (frames_out_pending(&out) ? POLLOUT : 0);
		if (poll(&p, 1, 50) < 0 && errno != EINTR)
			break;
		if (deaf || !p.revents)
			continue;
		while ((got = frames_in_next(&in, &frame, &len)) > 0)
			answer(frame, len);
		if (got < 0 || frames_out_flush(&out, fd) < 0)
			break;
		if (p.revents & POLLIN && frames_in_fill(&in, fd) == 0)
			break;
		if (p.revents & (POLLHUP | POLLERR) && !(p.revents & POLLIN))
			break;
		while ((got = frames_in_next(&in, &frame, &len)) > 0)
			answer(frame, len);
		if (got < 0 || frames_out_flush(&out, fd) < 0)
			break;
	}
	printf("peer left: %llu frames in, %llu out, %llu dropped\n", (unsigned long long)in.frames,
	       (unsigned long long)out.frames, (unsigned long long)out.dropped);
	close(fd);
}

static int place(const char *path, int type, bool listener)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (listener)
		unlink(path);
	if (fd < 0 || (listener ? bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 8) < 0 :
				  connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0))
		die(path);
	return fd;
}

/* Answer requests on a control connection until it ends. */
static void serve_control(int sock, char **words)
{
	struct msg m;

	while (msg_recv(sock, &m, true) == 1) {
		bool frames = !strcmp(m.word[0], "frames");
		int pair[2];

		msg_drop(&m);
		if (!frames) {
			msg_init(&m);
			msg_add(&m, "error");
			msg_add(&m, "ENOSYS");
			if (msg_send(sock, &m))
				break;
			continue;
		}
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			die("socketpair");
		msg_init(&m);
		msg_add(&m, "ok");
		for (char **w = words; *w; w++)
			msg_add(&m, *w);
		msg_add_fd(&m, &pair[0]);
		if (msg_send(sock, &m))
			break;
		serve(pair[1]);
	}
	close(sock);
}

/* A child serves one end; this process becomes PROG with the other as descriptor NET_FD. */
static void become(bool control, char **argv)
{
	char *words[] = { getenv("NET_WORDS"), NULL }, number[16];
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, control ? SOCK_SEQPACKET : SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(pair[0]);
		if (control)
			serve_control(pair[1], words);
		else
			serve(pair[1]);
		exit(0);
	}
	close(pair[1]);
	snprintf(number, sizeof(number), "fd:%d", pair[0]);
	if (control)
		setenv("VM_NET", number, 1);
	else
		setenv("NET_FD", number, 1);
	execvp(argv[0], argv);
	die(argv[0]);
}

/* Likewise with a listening socket at @path. */
static void become_listener(const char *path, char **argv)
{
	char number[16];
	int fd = place(path, SOCK_STREAM, true);

	snprintf(number, sizeof(number), "fd:%d", dup(fd));
	setenv("NET_FD", number, 1);
	execvp(argv[0], argv);
	die(argv[0]);
}

int main(int argc, char *argv[])
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct sigaction act = { .sa_handler = on_signal };
	int fd, sock;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGUSR2, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (frames_in_init(&in) || frames_out_init(&out, 4 << 20))
		die("memory");
	if (!strcmp(verb, "connect")) {
		serve(place(argv[2], SOCK_STREAM, false));
		return 0;
	}
	if (!strcmp(verb, "fd") || !strcmp(verb, "control-fd"))
		become(*verb == 'c', argv + 2);
	if (!strcmp(verb, "listen-fd") && argc > 3)
		become_listener(argv[2], argv + 3);
	if (strcmp(verb, "listen") && strcmp(verb, "control")) {
		fprintf(stderr, "frames_peer: listen|connect|control PATH, fd|control-fd PROG, listen-fd PATH PROG\n");
		return 2;
	}
	fd = place(argv[2], *verb == 'l' ? SOCK_STREAM : SOCK_SEQPACKET, true);
	printf("ready\n");
	while ((sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR) {
		if (sock >= 0 && *verb == 'l')
			serve(sock);
		else if (sock >= 0)
			serve_control(sock, argv + 3);
	}
	die("accept");
}

// SPDX-License-Identifier: ISC
/*
 * guest_vsock.c - a static program that speaks vsock from within a guest, for t/720-agent.bats.
 *
 *	guest_vsock connect CID PORT [FROM]	connect, from port FROM: prints `connected`, then what comes until the end
 *	guest_vsock send CID PORT		connect, send what stdin has, print what comes back
 *	guest_vsock bind PORT			bind: prints `bound`
 *	guest_vsock echo PORT			listen: prints `listening`, answers one connection with what it says
 *	guest_vsock life TOKEN			dial the host's life-cycle port from a port below 1024 with this token (32
 *						hex digits): prints `welcome` or `refused`, and in the first case waits
 *	guest_vsock seed FROM			be an agent without a token, greet from this port, and print the seed that it is
 *						given, in hex; ends when the host has heard of the end
 *	guest_vsock hostile DEED		be an agent without a token, greet, and do it: see deeds[]; prints `closed` when
 *						the host hangs up, `open` when it does not within 2 s
 *	guest_vsock mute			be as many agents as the host listens to at once, and say nothing: prints `full` when
 *						one more is not wanted, then `closed` when all are closed within 10 s, or `open`
 *	guest_vsock exec CID COMMAND...		ask the agent there to run COMMAND: prints `refused` or `answered`
 *	guest_vsock truncate			be the agent, without a token: prints `listening`, and to one request with stdout
 *						and stderr sends half of the bytes it counts, and drops stdout before it tells
 *						a good end
 *
 * What fails is printed as the errno's name, with status 1.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#include "proto.h"
#include "wire.h"

static int failed(const char *call)
{
	printf("%s: %s\n", call, strerrorname_np(errno));
	return 1;
}

static struct sockaddr_vm address(unsigned int cid, unsigned int port)
{
	return (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
}

static unsigned int number(const char *s)
{
	return (unsigned int)strtoul(s, NULL, 0);
}

/* Copy until the end. Return: whether it was one. */
static int copy(int from, int to)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			return 0;
	return n == 0;
}

static int say(const char *word)
{
	puts(word);
	return fflush(stdout);
}

static int dial(unsigned int cid, unsigned int port, unsigned int from)
{
	struct sockaddr_vm to = address(cid, port), at = address(VMADDR_CID_ANY, from);
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		return -failed("socket");
	if (from && bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -failed("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -failed("connect");
	return fd;
}

static int listen_on(unsigned int port)
{
	struct sockaddr_vm at = address(VMADDR_CID_ANY, port);
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		return -failed("socket");
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -failed("bind");
	return listen(fd, PROTO_STREAMS) < 0 ? -failed("listen") : fd;
}

static int do_bind(unsigned int port, int then_echo)
{
	int fd = listen_on(port);

	if (fd < 0)
		return 1;
	if (!then_echo)
		return say("bound");
	say("listening");
	fd = accept(fd, NULL, NULL);
	return fd < 0 ? failed("accept") : !copy(fd, fd);
}

static int life(const char *hex)
{
	unsigned char token[16], answer[256];
	struct wire_out w;
	unsigned int i;
	int fd = dial(VMADDR_CID_HOST, PROTO_LIFE_PORT, 600);

	if (fd < 0)
		return 1;
	for (i = 0; i < sizeof(token); i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1] };

		token[i] = (unsigned char)strtoul(two, NULL, 16);
	}
	wire_begin(&w, PROTO_LIFE_HELLO);
	wire_put_u32(&w, PROTO_K_VERSION, PROTO_VERSION);
	wire_put_text(&w, PROTO_K_BOOT_ID, "none");
	wire_put(&w, PROTO_K_TOKEN, token, sizeof(token));
	if (wire_end(&w) || send(fd, w.data, w.len, 0) != (ssize_t)w.len)
		return failed("send");
	if (read(fd, answer, sizeof(answer)) <= 0) {
		say("refused");
		return 1;
	}
	say("welcome");
	return !copy(fd, STDOUT_FILENO);
}

static int greet(int fd)
{
	struct wire_out w;
	int ok;

	wire_begin(&w, PROTO_LIFE_HELLO);
	wire_put_u32(&w, PROTO_K_VERSION, PROTO_VERSION);
	ok = !wire_end(&w) && send(fd, w.data, w.len, MSG_NOSIGNAL) == (ssize_t)w.len;
	wire_drop(&w);
	return ok;
}

static int seed(unsigned int from)
{
	int fd = dial(VMADDR_CID_HOST, PROTO_LIFE_PORT, from);
	unsigned char bytes[PROTO_SEED];
	struct wire_record r;
	struct wire_in in;
	unsigned int i;

	if (fd < 0)
		return 1;
	wire_in_init(&in, WIRE_SMALL);
	if (!greet(fd))
		return failed("send");
	while (wire_next(&in, &r) != 1) {
		size_t room;
		void *at = wire_room(&in, &room);
		ssize_t n = read(fd, at, room);

		if (n <= 0)
			return say("refused");
		wire_got(&in, (size_t)n);
	}
	if (r.type != PROTO_LIFE_WELCOME || !wire_get_bytes(&r, PROTO_K_SEED, bytes, sizeof(bytes)))
		return say("none");
	for (i = 0; i < sizeof(bytes); i++)
		printf("%02x", bytes[i]);
	say("");
	shutdown(fd, SHUT_WR);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		continue;
	return 0;
}

/* -- a hostile agent -- */

static int send_raw(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static int send_word(int fd, unsigned int type, unsigned int kind, uint32_t value)
{
	struct wire_out w;
	int ok;

	wire_begin(&w, type);
	if (kind)
		wire_put_u32(&w, kind, value);
	ok = !wire_end(&w) && send_raw(fd, w.data, w.len);
	wire_drop(&w);
	return ok;
}

static int huge(int fd)
{
	static const unsigned char head[] = { 0xff, 0xff, 0xff, 0xff, PROTO_LIFE_READY, 0, 0, 0 };

	return send_raw(fd, head, sizeof(head));
}

static int too_long(int fd)
{
	static const unsigned char head[] = { 1, 16, 0, 0, PROTO_LIFE_READY, 0, 0, 0 };

	return send_raw(fd, head, sizeof(head));
}

static int bad_field(int fd)
{
	static const unsigned char record[] = { 8, 0, 0, 0, PROTO_LIFE_EXITED, 0, 0, 0, 99, 0, 0, 0, PROTO_K_STATUS, 0, 0, 0 };

	return send_raw(fd, record, sizeof(record));
}

static int short_one(int fd)
{
	static const unsigned char part[] = { 100, 0, 0, 0, PROTO_LIFE_READY, 0, 0, 0, 1, 2, 3 };

	return send_raw(fd, part, sizeof(part)) && shutdown(fd, SHUT_WR) == 0;
}

static int unknown(int fd) { return send_word(fd, 999, 0, 0); }
static int exec_here(int fd) { return send_word(fd, PROTO_EXEC, PROTO_K_PID, 1); }
static int hello_again(int fd) { return send_word(fd, PROTO_LIFE_HELLO, PROTO_K_VERSION, PROTO_VERSION); }
static int status_256(int fd) { return send_word(fd, PROTO_LIFE_EXITED, PROTO_K_STATUS, 256); }
static int signal_0(int fd) { return send_word(fd, PROTO_LIFE_EXITED, PROTO_K_SIGNAL, 0); }
static int signal_65(int fd) { return send_word(fd, PROTO_LIFE_EXITED, PROTO_K_SIGNAL, 65); }
static int no_status(int fd) { return send_word(fd, PROTO_LIFE_EXITED, 0, 0); }
static int bad_pong(int fd) { return send_word(fd, PROTO_LIFE_PONG, PROTO_K_COOKIE, 7); }

/* It never reads what it is answered. */
static int flood(int fd)
{
	unsigned int i;

	for (i = 0; i < 200000 && send_word(fd, PROTO_LIFE_READY, 0, 0); i++)
		continue;
	return 1;
}

static int crowd(int fd)
{
	unsigned int i;

	(void)fd;
	for (i = 0; i < 1500; i++)
		if (dial(VMADDR_CID_HOST, PROTO_LIFE_PORT, 0) < 0)
			break;
	return 1;
}

static const struct {
	const char *name;
	int (*fn)(int fd);
} deeds[] = {
	{ "huge", huge }, { "too-long", too_long }, { "bad-field", bad_field }, { "short", short_one },
	{ "unknown", unknown }, { "exec", exec_here }, { "hello-again", hello_again }, { "status-256", status_256 },
	{ "signal-0", signal_0 }, { "signal-65", signal_65 }, { "no-status", no_status }, { "bad-pong", bad_pong },
	{ "flood", flood }, { "crowd", crowd },
};

static int hostile(const char *deed)
{
	const struct timeval patience = { .tv_sec = 2 };
	unsigned char answer[4096];
	unsigned int i;
	ssize_t n;
	int fd;

	/* A port of its own: that of the deed before is taken until the host has read what waited, and heard of the end. */
	for (i = 0; i < sizeof(deeds) / sizeof(*deeds) && strcmp(deeds[i].name, deed); i++)
		continue;
	fd = dial(VMADDR_CID_HOST, PROTO_LIFE_PORT, 600 + i);
	if (fd < 0)
		return 1;
	if (!greet(fd) || read(fd, answer, sizeof(answer)) <= 0)
		return say("refused");
	for (i = 0; i < sizeof(deeds) / sizeof(*deeds); i++)
		if (!strcmp(deeds[i].name, deed) && !deeds[i].fn(fd) && errno != EPIPE && errno != ECONNRESET)
			return failed(deed);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while ((n = read(fd, answer, sizeof(answer))) > 0)
		continue;
	return say(n < 0 && errno == EAGAIN ? "open" : "closed");
}

/* -- agents that say nothing -- */

enum { MUTES = 4, MUTE_PORT = 700, FULL_MSEC = 4000, MUTE_MSEC = 10000 };

static int mute(void)
{
	struct pollfd p[MUTES + 1];
	struct timespec now, begin;
	int i, left;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i <= MUTES; i++) {
		p[i] = (struct pollfd){ .fd = dial(VMADDR_CID_HOST, PROTO_LIFE_PORT, MUTE_PORT + (unsigned int)i), .events = POLLIN };
		if (p[i].fd < 0)
			return 1;
	}
	if (poll(&p[MUTES], 1, FULL_MSEC) == 1 && poll(p, MUTES, 0) == 0)
		say("full");
	for (i = 0; i < MUTES; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = MUTE_MSEC - (int)((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000);
		if (left < 0 || poll(&p[i], 1, left) != 1)
			return say("open");
	}
	return say("closed");
}

static int ask_exec(unsigned int cid, char *argv[])
{
	unsigned char hello[PROTO_HELLO] = { 'p', 'v', 'm', PROTO_VERSION, PROTO_CONTROL }, answer[256];
	int fd = dial(cid, PROTO_EXEC_PORT, 0);
	struct wire_out w;

	if (fd < 0)
		return 1;
	wire_begin(&w, PROTO_EXEC);
	for (; *argv; argv++)
		wire_put_text(&w, PROTO_K_ARG, *argv);
	/* What has refused us already may break the pipe: then there is no answer either. */
	if (wire_end(&w) || (send(fd, hello, sizeof(hello), MSG_NOSIGNAL) == (ssize_t)sizeof(hello) &&
			     send(fd, w.data, w.len, MSG_NOSIGNAL) < 0 && errno == ENOMEM))
		return failed("send");
	if (read(fd, answer, sizeof(answer)) <= 0) {
		say("refused");
		return 1;
	}
	return say("answered");
}

/* -- an agent whose output breaks off -- */

enum { HALF = 5000 };

/* Greet the host as an agent that is ready. Return: the link, to be kept open, or -1. */
static int be_agent(void)
{
	int fd = dial(VMADDR_CID_HOST, PROTO_LIFE_PORT, 600);

	if (fd >= 0 && send_word(fd, PROTO_LIFE_HELLO, PROTO_K_VERSION, PROTO_VERSION) &&
	    send_word(fd, PROTO_LIFE_READY, 0, 0))
		return fd;
	return -1;
}

/* Take the connections of one session. Return: whether they are a command's without stdin. */
static int take_streams(int listener, int stream[PROTO_STREAMS])
{
	unsigned char hello[PROTO_HELLO];
	int i, fd;

	for (i = 0; i < 3; i++) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || recv(fd, hello, sizeof(hello), MSG_WAITALL) != (ssize_t)sizeof(hello) ||
		    hello[4] >= PROTO_STREAMS)
			return 0;
		stream[hello[4]] = fd;
	}
	return stream[PROTO_CONTROL] && stream[PROTO_STDOUT] && stream[PROTO_STDERR];
}

static int send_end(int fd)
{
	struct wire_out w;

	wire_begin(&w, PROTO_EXIT);
	wire_put_u32(&w, PROTO_K_STATUS, 0);
	wire_put_u64(&w, PROTO_K_BYTES_OUT, 2 * HALF);
	wire_put_u64(&w, PROTO_K_BYTES_ERR, 0);
	return !wire_end(&w) && send_raw(fd, w.data, w.len);
}

static int truncated(void)
{
	const struct linger at_once = { .l_onoff = 1 };
	int stream[PROTO_STREAMS] = { 0 }, listener = listen_on(PROTO_EXEC_PORT);
	static unsigned char bytes[HALF];
	unsigned char request[4096];

	if (listener < 0)
		return 1;
	if (be_agent() < 0)
		return failed("life");
	say("listening");
	if (!take_streams(listener, stream) || read(stream[PROTO_CONTROL], request, sizeof(request)) <= 0)
		return failed("streams");
	memset(bytes, 'x', sizeof(bytes));
	setsockopt(stream[PROTO_STDOUT], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (!send_word(stream[PROTO_CONTROL], PROTO_STARTED, PROTO_K_PID, 7) ||
	    !send_raw(stream[PROTO_STDOUT], bytes, sizeof(bytes)) || close(stream[PROTO_STDOUT]) < 0 ||
	    close(stream[PROTO_STDERR]) < 0 || !send_end(stream[PROTO_CONTROL]))
		return failed("send");
	return !copy(stream[PROTO_CONTROL], STDOUT_FILENO);
}

int main(int argc, char *argv[])
{
	const char *verb = argc > 1 ? argv[1] : "";
	int fd;

	if ((argc == 4 || argc == 5) && !strcmp(verb, "connect")) {
		fd = dial(number(argv[2]), number(argv[3]), argc > 4 ? number(argv[4]) : 0);
		if (fd < 0)
			return 1;
		say("connected");
		return copy(fd, STDOUT_FILENO) ? 0 : failed("read");
	}
	if (argc == 4 && !strcmp(verb, "send")) {
		fd = dial(number(argv[2]), number(argv[3]), 0);
		if (fd < 0)
			return 1;
		if (!copy(STDIN_FILENO, fd) || shutdown(fd, SHUT_WR) < 0)
			return failed("send");
		return copy(fd, STDOUT_FILENO) ? 0 : failed("read");
	}
	if (argc == 3 && !strcmp(verb, "bind"))
		return do_bind(number(argv[2]), 0);
	if (argc == 3 && !strcmp(verb, "echo"))
		return do_bind(number(argv[2]), 1);
	if (argc == 3 && !strcmp(verb, "life") && strlen(argv[2]) == 32)
		return life(argv[2]);
	if (argc == 3 && !strcmp(verb, "seed"))
		return seed(number(argv[2]));
	if (argc == 3 && !strcmp(verb, "hostile"))
		return hostile(argv[2]);
	if (argc == 2 && !strcmp(verb, "truncate"))
		return truncated();
	if (argc == 2 && !strcmp(verb, "mute"))
		return mute();
	if (argc > 3 && !strcmp(verb, "exec"))
		return ask_exec(number(argv[2]), argv + 3);
	fputs("usage: see the head of guest_vsock.c\n", stderr);
	return 2;
}

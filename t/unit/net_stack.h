/* SPDX-License-Identifier: ISC */
/*
 * net_stack.h - libslirp behind the filter in a network of the test's own that is a loopback and nothing else, and a
 * guest that echoes what comes to it, TCP and UDP, and talks where it is told to. It is one of frames, and remembers
 * nothing.
 */
#ifndef NET_STACK_H
#define NET_STACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "filter.h"
#include "loop.h"
#include "net_frames.h"
#include "stack.h"
#include "util.h"

enum { FRAMES = 512, WAIT_MSEC = 5000 };

static struct {
	struct loop *loop;
	struct stack *stack;
	struct subnet s;
	struct filter f;
	struct fr got[FRAMES];          /* what the guest heard and has not looked at */
	unsigned int head, tail, turns;
	int timer;
	bool late, deaf;                /* deaf: the guest does not echo */
	unsigned int queries;
	struct addr last_from;          /* of what was echoed last */
	uint16_t last_port;
} n;

static struct fr fr;
static struct pkt p;

static inline void guest_hears(void *arg, const struct iovec *iov, unsigned int parts)
{
	struct fr *f = &n.got[n.tail % FRAMES];
	unsigned int i;

	(void)arg;
	if (n.tail - n.head == FRAMES)
		return;
	for (f->len = 0, i = 0; i < parts; f->len += iov[i++].iov_len)
		memcpy(f->b + f->len, iov[i].iov_base, iov[i].iov_len);
	n.tail++;
	loop_stop(n.loop);
}

static inline void from_stack(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	filter_output(&n.f, frame, len);
}

static inline void on_query(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len)
{
	(void)arg;
	(void)from;
	(void)msg;
	(void)len;
	n.queries++;
}

static inline void on_late(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	n.late = true;
	loop_stop(n.loop);
}

static inline void send_frame(void)
{
	filter_input(&n.f, fr.b, fr.len);
	stack_settle(n.stack);
}

static inline uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* The next frame that the guest hears. Return: whether there is one within @msec. */
static inline bool hear(unsigned int msec)
{
	n.late = false;
	loop_timer_set(n.loop, n.timer, MAX(msec, 1u));
	while (n.head == n.tail && !n.late) {
		loop_run(n.loop);
		n.turns++;
	}
	loop_timer_set(n.loop, n.timer, 0);
	if (n.head == n.tail)
		return false;
	return pkt_parse(n.got[n.head % FRAMES].b, n.got[n.head % FRAMES].len, &p) == PKT_OK && (n.head++, true);
}

/* A segment of the guest's, with data. */
static inline void tcp(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags, uint32_t seq,
		       uint32_t ack, const void *data, size_t len)
{
	ip_frame(&fr, src, dst, 6, 20 + len);
	put_be16(fr.b + fr.l4, sport);
	put_be16(fr.b + fr.l4 + 2, dport);
	put_be32(fr.b + fr.l4 + 4, seq);
	put_be32(fr.b + fr.l4 + 8, ack);
	fr.b[fr.l4 + 12] = 0x50;
	fr.b[fr.l4 + 13] = flags;
	put_be16(fr.b + fr.l4 + 14, 65535);
	if (len)
		memcpy(fr.b + fr.l4 + 20, data, len);
	seal(&fr);
	send_frame();
}

static inline void echo_tcp(const char *me, const char *them)
{
	uint32_t ack = p.seq + (uint32_t)p.payload_len;
	uint8_t data[2048];
	size_t len = MIN(p.payload_len, sizeof(data));
	bool fin = p.flags & PKT_FIN;

	memcpy(data, p.payload, len);
	if (p.flags & PKT_RST)
		return;
	if (p.flags == PKT_SYN)
		tcp(me, p.dport, them, p.sport, PKT_SYN | PKT_ACK, 1000, p.seq + 1, NULL, 0);
	else if (len || fin)
		tcp(me, p.dport, them, p.sport, PKT_ACK | (fin ? PKT_FIN : 0), p.ack, ack + fin, data, len);
}

/* Look at what the guest heard last, and echo it. */
static inline void echo(void)
{
	char me[ADDR_TEXT], them[ADDR_TEXT];

	addr_format(&p.dst, me);
	addr_format(&p.src, them);
	n.last_from = p.src;
	n.last_port = p.sport;
	if (p.proto == 17) {
		uint8_t data[2048];
		size_t len = MIN(p.payload_len, sizeof(data));

		memcpy(data, p.payload, len);
		udp_frame(&fr, me, p.dport, them, p.sport, data, len);
		send_frame();
	} else if (p.proto == 6) {
		echo_tcp(me, them);
	}
}

/* Let things happen for a while. */
static inline void run(unsigned int msec)
{
	uint64_t end = now_ms() + msec;

	filter_clock(&n.f, now_ms());
	while (now_ms() <= end)
		if (hear(2) && !n.deaf)
			echo();
}

/* Wait until a descriptor has something. Return: so. */
static inline bool ready(int fd, short events, unsigned int msec)
{
	struct pollfd pf = { .fd = fd, .events = events };
	uint64_t end = now_ms() + msec;

	while (poll(&pf, 1, 0) == 0 && now_ms() <= end)
		run(1);
	return poll(&pf, 1, 0) == 1;
}

/* What comes of a descriptor. Return: whether it is this text. */
static inline bool gets(int fd, const char *text, unsigned int msec)
{
	size_t want = strlen(text), have = 0;
	char buf[4096];
	ssize_t len = 1;

	while (have < want && len > 0 && ready(fd, POLLIN, msec)) {
		len = recv(fd, buf + have, want - have, MSG_DONTWAIT);
		have += len > 0 ? (size_t)len : 0;
	}
	return have == want && !memcmp(buf, text, want);
}

static inline bool ends(int fd)
{
	char c;

	return ready(fd, POLLIN, WAIT_MSEC) && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

static inline bool says(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static inline socklen_t sockaddr(struct sockaddr_storage *ss, const char *text, uint16_t port)
{
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1 ? sizeof(*in6) : 0;
}

/* A client of @from (NULL: any), or a server where @from is and @port is not 0. Return: -1 when it cannot be. */
static inline int host_socket(int type, const char *from, const char *to, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr(&ss, to ? to : from, to ? 0 : port);
	int fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (to && from) {
		len = sockaddr(&ss, from, 0);
		if (bind(fd, (struct sockaddr *)&ss, len) < 0)
			abort();
	}
	if (to)
		len = sockaddr(&ss, to, port);
	if (to ? connect(fd, (struct sockaddr *)&ss, len) == 0 || errno == EINPROGRESS :
	    bind(fd, (struct sockaddr *)&ss, len) == 0 && (type == SOCK_DGRAM || listen(fd, 64) == 0))
		return fd;
	close(fd);
	return -1;
}

static inline int unix_socket(const char *path, bool serve)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(sun.sun_path, path);
	if (serve ? bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 && listen(fd, 64) == 0 :
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* A network with a loopback that has 192.0.2.1 and 2001:db8::1, too. Return: false where there can be none. */
static inline bool make_world(const struct filter_ops *ops)
{
	char uid[64], gid[64];

	snprintf(uid, sizeof(uid), "0 %u 1", getuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	put_file("/proc/self/setgroups", "deny");
	put_file("/proc/self/uid_map", uid);
	put_file("/proc/self/gid_map", gid);
	/* The kernel makes an IPv6 address usable a little after it has taken it. */
	if (system("ip link set lo up && ip addr add 192.0.2.1/32 dev lo && ip -6 addr add 2001:db8::1/128 dev lo nodad && "
		   "until ip -6 route show table local | grep -q '2001:db8::1 '; do :; done"))
		return false;
	signal(SIGPIPE, SIG_IGN);
	subnet_default(&n.s);
	n.loop = loop_new();
	if (!n.loop || filter_init(&n.f, &n.s, GUEST_MAC, 4096, ops, NULL))
		abort();
	filter_clock(&n.f, now_ms());
	n.timer = loop_timer(n.loop, on_late, NULL);
	n.stack = stack_new(n.loop, &n.s, from_stack, NULL, NULL);
	return n.stack;
}

static inline void end_world(void)
{
	stack_free(n.stack);
	filter_free(&n.f);
	loop_timer_del(n.loop, &n.timer);
	loop_free(n.loop);
}

#endif

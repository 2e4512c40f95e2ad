// SPDX-License-Identifier: ISC
/*
 * stack_test.c - libslirp behind the filter, in a network of this test's own: servers of ours live in a second network
 * namespace beyond a veth, nothing else is to be reached. The guest is a handful of frames.
 */
#include "stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "filter.h"
#include "loop.h"
#include "net_frames.h"
#include "util.h"

enum { ECHO_PORT = 7, FRAMES = 256, NAMED_FIRST = 4400, NAMED_LAST = 4499 };

static struct {
	struct loop *loop;
	struct stack *stack;
	struct subnet s;
	struct filter f;
	struct fr got[FRAMES];          /* what the guest heard and has not looked at */
	unsigned int head, tail;
	int timer;
	bool late;
} n;

static struct fr fr;
static struct pkt p;

static void guest_hears(void *arg, const struct iovec *iov, unsigned int parts)
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

static void pass(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	stack_input(n.stack, frame, len);
}

static void from_stack(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	filter_output(&n.f, frame, len);
}

static void dns(void *arg, const struct filter_dns *from, const uint8_t *msg, size_t len)
{
	(void)arg;
	(void)from;
	(void)msg;
	(void)len;
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	v->sni = key->proto == PKT_PROTO_TCP && key->guest_port >= NAMED_FIRST && key->guest_port <= NAMED_LAST;
	return key->remote_port != 666;
}

static bool named(void *arg, const struct flow *f, const char *name, struct flow_verdict *v)
{
	(void)arg;
	(void)f;
	(void)v;
	return !strcmp(name, "a.example");
}

static bool inbound(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	(void)v;
	return key->guest_port == 22;
}

static const struct filter_ops ops = { guest_hears, pass, dns, judge, inbound, NULL, named };

static void on_late(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	n.late = true;
	loop_stop(n.loop);
}

static void send_frame(void)
{
	filter_input(&n.f, fr.b, fr.len);
	stack_settle(n.stack);
}

/* The next frame that the guest hears. Return: whether there is one within @msec. */
static bool hear(unsigned int msec)
{
	n.late = false;
	loop_timer_set(n.loop, n.timer, msec);
	while (n.head == n.tail && !n.late)
		loop_run(n.loop);
	loop_timer_set(n.loop, n.timer, 0);
	if (n.head == n.tail)
		return false;
	return pkt_parse(n.got[n.head % FRAMES].b, n.got[n.head % FRAMES].len, &p) == PKT_OK && (n.head++, true);
}

/* A segment of the guest's, with data. */
static void tcp(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags, uint32_t seq, uint32_t ack, const void *data, size_t len)
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

/* Connect, say something, hear it again, close. */
static bool talk(const char *src, uint16_t sport, const char *dst)
{
	uint32_t seq = 100, ack;
	size_t heard = 0;
	bool fin = false;

	tcp(src, sport, dst, ECHO_PORT, PKT_SYN, seq, 0, NULL, 0);
	if (!hear(3000) || p.flags != (PKT_SYN | PKT_ACK) || p.ack != seq + 1)
		return false;
	ack = p.seq + 1;
	tcp(src, sport, dst, ECHO_PORT, PKT_ACK, ++seq, ack, NULL, 0);
	tcp(src, sport, dst, ECHO_PORT, PKT_ACK | PKT_PSH, seq, ack, "hello", 5);
	seq += 5;
	while (heard < 5 && hear(3000))
		if (p.payload_len) {
			if (p.seq != ack || memcmp(p.payload, "hello", 5))
				return false;
			heard += p.payload_len;
			ack += (uint32_t)p.payload_len;
		}
	tcp(src, sport, dst, ECHO_PORT, PKT_ACK | PKT_FIN, seq++, ack, NULL, 0);
	while (!fin && hear(3000))
		fin = p.flags & PKT_FIN && !(p.flags & PKT_RST);
	tcp(src, sport, dst, ECHO_PORT, PKT_ACK, seq, ack + 1, NULL, 0);
	return heard == 5 && fin;
}

static void test_tcp(void)
{
	unsigned int i, before, turns;
	bool ok = true;

	CHECK(talk("10.0.2.15", 4000, "192.0.2.2"), "TCP: connect, echo, close");
	CHECK(talk("fd00::f", 4000, "2001:db8::2"), "... over IPv6");
	for (i = 0; i < 50; i++)
		ok &= talk("10.0.2.15", (uint16_t)(5000 + i), "192.0.2.2");
	CHECK(ok, "50 one after another, on descriptors that are used again");
	before = stack_changes(n.stack);
	for (turns = 0; turns < 1000; turns++)
		stack_settle(n.stack);
	CHECK(stack_changes(n.stack) == before, "turns without news change nothing in epoll");
	tcp("10.0.2.15", 4001, "192.0.2.2", 9, PKT_SYN, 1, 0, NULL, 0);
	CHECK(hear(3000) && p.flags & PKT_RST, "a port where nobody listens");
	tcp("10.0.2.15", 4001, "192.0.2.2", 666, PKT_SYN, 1, 0, NULL, 0);
	CHECK(hear(0) && p.flags & PKT_RST, "a denied one");
}

/* Connect, and say a request @step bytes at a time, each when the one before was heard. Return: bytes that came back. */
static size_t request(const char *src, uint16_t sport, const char *dst, const char *text, size_t step)
{
	uint32_t seq = 100, ack;
	size_t said = 0, back = 0, len = strlen(text), more;

	tcp(src, sport, dst, ECHO_PORT, PKT_SYN, seq++, 0, NULL, 0);
	if (!hear(3000) || p.flags != (PKT_SYN | PKT_ACK))
		return 0;
	ack = p.seq + 1;
	tcp(src, sport, dst, ECHO_PORT, PKT_ACK, seq, ack, NULL, 0);
	while (back < len) {
		more = MIN(step, len - said);
		if (p.ack == seq + said && more) {
			tcp(src, sport, dst, ECHO_PORT, PKT_ACK | PKT_PSH, seq + (uint32_t)said, ack,
			    text + said, more);
			said += more;
		}
		if (!hear(3000) || p.flags & PKT_RST)
			break;
		if (p.seq == ack && p.payload_len && !memcmp(p.payload, text + back, MIN(p.payload_len, len - back))) {
			back += p.payload_len;
			ack += (uint32_t)p.payload_len;
		}
	}
	tcp(src, sport, dst, ECHO_PORT, PKT_RST, seq + (uint32_t)said, 0, NULL, 0);
	return back;
}

static void test_named(void)
{
	static const char good[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
	static const char bad[] = "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n";

	CHECK(request("10.0.2.15", NAMED_FIRST, "192.0.2.2", good, 100) == sizeof(good) - 1,
	      "a flow with the right name");
	CHECK(request("10.0.2.15", NAMED_FIRST + 1, "192.0.2.2", good, 1) == sizeof(good) - 1, "... said byte by byte");
	CHECK(request("fd00::f", NAMED_FIRST + 2, "2001:db8::2", good, 10) == sizeof(good) - 1, "... over IPv6");
	CHECK(request("10.0.2.15", NAMED_FIRST + 3, "192.0.2.2", bad, 10) == 0 && p.flags & PKT_RST,
	      "a wrong name is reset");
	CHECK(talk("10.0.2.15", 4001, "192.0.2.2"), "... and the server is there for the next: it was told");
}

static bool udp(const char *src, const char *dst, size_t len)
{
	static uint8_t data[65000];
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 13);
	udp_frame(&fr, src, 4000, dst, ECHO_PORT, data, len);
	send_frame();
	return hear(3000) && p.proto == 17 && p.sport == ECHO_PORT && p.payload_len == len && !memcmp(p.payload, data, len);
}

static bool pings_refused;      /* as they are in a new network */

static void test_udp(void)
{
	CHECK(udp("10.0.2.15", "192.0.2.2", 1) && udp("10.0.2.15", "192.0.2.2", 1400), "UDP and its echo");
	CHECK(udp("10.0.2.15", "192.0.2.2", 60000), "... of 60,000 bytes");
	CHECK(udp("fd00::f", "2001:db8::2", 1400), "... over IPv6");
	icmp_frame(&fr, "10.0.2.15", "192.0.2.2", 8, 0, 0x12340001, "ping", 4);
	send_frame();
	CHECK(hear(1000) && pkt_is_echo_reply(&p) && p.id == 0x1234, "a ping beyond");
	CHECK(pings_refused && stack_pings(), "... where the host lets us: told beforehand");
	CHECK(n.f.stack[PKT_DROP_NO_FLOW] == 0, "nothing of the stack was of no flow");
}

static void test_forward(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(2222), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct addr loopback = A("127.0.0.1"), other = A("::1");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool syn = false;

	CHECK(stack_forward(n.stack, false, &loopback, 2222, &n.s.guest4, 22) == 0, "a forward");
	CHECK(stack_forward(n.stack, false, &other, 2222, &n.s.guest4, 22) == -EAFNOSUPPORT, "... from one family to the other");
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "somebody connects");
	while (!syn && hear(3000))
		syn = p.flags == PKT_SYN && p.dport == 22 && addr_equal(&p.dst, &n.s.guest4);
	CHECK(syn, "... and the guest hears it: the stack was told where it is");
	CHECK(stack_unforward(n.stack, false, &loopback, 2222) == 0 && stack_unforward(n.stack, false, &loopback, 2222) == -ENOENT, "no forward any more");
	close(fd);
}

/* -- the world -- */

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int server(int type)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(ECHO_PORT) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0))
		_exit(1);
	return fd;
}

static void echo_tcp(int listener)
{
	char buf[4096];
	ssize_t len;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	while (fd >= 0 && (len = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)len) != len)
			break;
	close(fd);
}

static void echo_udp(int fd)
{
	static char buf[65536];
	struct sockaddr_in6 from;
	socklen_t fromlen = sizeof(from);
	ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &fromlen);

	if (len >= 0)
		sendto(fd, buf, (size_t)len, 0, (struct sockaddr *)&from, fromlen);
}

/* The other namespace: says that it is there, waits until it has a network, and serves. */
static void beyond(int ready, int go)
{
	struct pollfd fds[2];
	char c = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) < 0 || write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
	if (system("ip link set lo up && ip addr add 192.0.2.2/24 dev far && ip -6 addr add 2001:db8::2/64 dev far nodad && ip link set far up"))
		_exit(1);
	fds[0] = (struct pollfd){ .fd = server(SOCK_STREAM), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = server(SOCK_DGRAM), .events = POLLIN };
	if (write(ready, &c, 1) != 1)
		_exit(1);
	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			echo_tcp(fds[0].fd);
		if (fds[1].revents)
			echo_udp(fds[1].fd);
	}
	_exit(0);
}

/* Return: the servers' process; -1 when there can be no such world here. */
static pid_t make_world(void)
{
	int ready[2], go[2];
	char map[64], cmd[256], c;
	uid_t uid = getuid();
	gid_t gid = getgid();
	pid_t pid;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return -1;
	put_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	put_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	put_file("/proc/self/gid_map", map);
	pings_refused = !stack_pings() && errno == EACCES;
	put_file("/proc/sys/net/ipv4/ping_group_range", "0 0");
	pid = fork();
	if (!pid)
		beyond(ready[1], go[0]);
	close(ready[1]);
	snprintf(cmd, sizeof(cmd), "ip link set lo up && ip link add near type veth peer name far netns %d && "
		 "ip addr add 192.0.2.1/24 dev near && ip -6 addr add 2001:db8::1/64 dev near nodad && ip link set near up", pid);
	if (pid > 0 && read(ready[0], &c, 1) == 1 && !system(cmd) && write(go[1], "", 1) == 1 && read(ready[0], &c, 1) == 1)
		return pid;
	return -1;
}

int main(void)
{
	struct timespec t;
	pid_t servers = make_world();

	if (servers < 0) {
		CHECK(true, "libslirp in a network of its own # skip no user and network namespaces, or no ip(8)");
		return tap_done();
	}
	signal(SIGPIPE, SIG_IGN);
	subnet_default(&n.s);
	n.loop = loop_new();
	if (!n.loop || filter_init(&n.f, &n.s, NULL, 1024, &ops, NULL))
		abort();
	clock_gettime(CLOCK_MONOTONIC, &t);
	filter_clock(&n.f, (uint64_t)t.tv_sec * 1000 + 1);
	n.timer = loop_timer(n.loop, on_late, NULL);
	n.stack = stack_new(n.loop, &n.s, from_stack, NULL, NULL);
	CHECK(n.stack, "libslirp starts");
	test_tcp();
	test_named();
	test_udp();
	test_forward();
	printf("# dropped of the stack's: chatter %llu\n", (unsigned long long)n.f.stack[PKT_DROP_CHATTER]);
	stack_free(n.stack);
	filter_free(&n.f);
	loop_timer_del(n.loop, &n.timer);
	loop_free(n.loop);
	kill(servers, SIGKILL);
	waitpid(servers, NULL, 0);
	return tap_done();
}

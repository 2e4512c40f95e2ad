// SPDX-License-Identifier: ISC
/* forward_test.c - ports of the host that lead to a guest of frames, through libslirp and the filter. */
#include "forward.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "net_stack.h"
#include "sandbox.h"

static struct forwards *fs;
static char told[FWDSPEC_TEXT], err[FORWARD_ERROR], dir[] = "/tmp/forward_test.XXXXXX";

static void pass(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	stack_input(n.stack, frame, len);
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	(void)key;
	(void)v;
	return true;
}

static bool inbound(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	(void)arg;
	(void)v;
	return forwards_inbound(fs, key);
}

static const struct filter_ops ops = { guest_hears, pass, on_query, judge, inbound, NULL, NULL };

static int add(const char *spec)
{
	*err = '\0';
	return forwards_add(fs, spec, told, err, sizeof(err));
}

static int del(const char *spec)
{
	return forwards_del(fs, spec, err, sizeof(err));
}

/* The host's port that was told. */
static uint16_t port(void)
{
	const char *colon = strrchr(told, ':');

	while (colon > told && colon[-1] != ':' && colon[-1] != ']')
		colon--;
	return (uint16_t)atoi(colon);
}

static bool dies(int fd)
{
	bool ok = ends(fd);

	close(fd);
	return ok;
}

/* Whether a connection is refused. */
static bool nobody(const char *to)
{
	int fd = host_socket(SOCK_STREAM, NULL, to, port()), e = 0;
	socklen_t len = sizeof(e);

	if (fd >= 0 && ready(fd, POLLOUT, WAIT_MSEC))
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len);
	if (fd >= 0)
		close(fd);
	return fd < 0 || e == ECONNREFUSED;
}

static bool echoes(int fd, const char *text)
{
	return ready(fd, POLLOUT, WAIT_MSEC) && says(fd, text) && gets(fd, text, WAIT_MSEC);
}

static bool seen_as(const char *from)
{
	struct addr a = A(from);

	return addr_equal(&n.last_from, &a);
}

static void test_tcp(void)
{
	int a, b, c;

	CHECK(!add(":22") && port() && !strcmp(told + strlen(told) - 7, ":22/tcp"), "a forward of any port says which");
	a = host_socket(SOCK_STREAM, NULL, "127.0.0.1", port());
	CHECK(echoes(a, "one") && seen_as("10.0.2.2"), "TCP by 127.0.0.1, which the guest sees as the gateway");
	b = host_socket(SOCK_STREAM, NULL, "::1", port());
	CHECK(echoes(b, "two") && seen_as("fd00::2"), "... by ::1");
	CHECK(nobody("192.0.2.1"), "... and not by an address on the network");
	CHECK(echoes(a, "three") && echoes(b, "four"), "both go on");
	shutdown(a, SHUT_WR);
	CHECK(dies(a), "a client ends, and so does the guest");
	CHECK(!del(told) && nobody("127.0.0.1"), "deleted, it takes nobody");
	CHECK(echoes(b, "five"), "... and what was begun goes on");
	close(b);
	CHECK(!add("0.0.0.0::80") && !strncmp(told, "0.0.0.0:", 8), "a forward for the network");
	c = host_socket(SOCK_STREAM, "192.0.2.1", "192.0.2.1", port());
	CHECK(echoes(c, "six") && seen_as("192.0.2.1"), "the guest sees a client's own address");
	close(c);
	c = host_socket(SOCK_STREAM, "127.0.0.2", "127.0.0.2", port());
	CHECK(echoes(c, "six") && seen_as("10.0.2.2"), "... and 127.0.0.2 as the gateway");
	close(c);
	CHECK(!del(told), "deleted by what was told");
	CHECK(!add("[::]:0:80"), "a forward for the network by IPv6");
	c = host_socket(SOCK_STREAM, "2001:db8::1", "2001:db8::1", port());
	CHECK(echoes(c, "seven") && seen_as("2001:db8::1") && nobody("127.0.0.1"), "... leaves IPv4 alone");
	close(c);
	CHECK(!del(told), "deleted");
}

static void test_burst(void)
{
	uint64_t start;
	int fd[40], i;
	bool ok = true;

	CHECK(!add("0:22"), "a forward for many");
	start = now_ms();
	for (i = 0; i < 40; i++)
		fd[i] = host_socket(SOCK_STREAM, NULL, "127.0.0.1", port());
	for (i = 0; i < 40; i++)
		ok &= ready(fd[i], POLLOUT, WAIT_MSEC) && says(fd[i], "x");
	for (i = 0; i < 40; i++) {
		ok &= gets(fd[i], "x", WAIT_MSEC);
		close(fd[i]);
	}
	printf("# 40 clients at once: %u ms\n", (unsigned int)(now_ms() - start));
	CHECK(ok && now_ms() - start < 900, "40 clients at once, none of which has to try again");
	CHECK(!del(told), "deleted");
}

static bool clients(const char *const from[], const char *to, const char *const seen[], unsigned int count)
{
	bool ok = true;
	unsigned int i, turn;
	char text[16];
	int fd[8];

	for (i = 0; i < count; i++)
		fd[i] = host_socket(SOCK_DGRAM, from[i], to, port());
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < count; i++) {
			snprintf(text, sizeof(text), "%u:%u", turn, i);
			ok &= says(fd[i], text) && ready(fd[i], POLLIN, WAIT_MSEC) && seen_as(seen[i]);
		}
		for (i = 0; i < count; i++) {
			snprintf(text, sizeof(text), "%u:%u", turn, i);
			ok &= gets(fd[i], text, WAIT_MSEC);
		}
	}
	for (i = 0; i < count; i++)
		close(fd[i]);
	return ok;
}

static void test_udp(void)
{
	static const char *const local[] = { "127.0.0.1", "127.0.0.1", "127.0.0.1" };
	static const char *const gate[] = { "10.0.2.2", "10.0.2.2", "10.0.2.2" };
	static const char *const lan[] = { "192.0.2.1", "192.0.2.1" };
	static const char *const local6[] = { "::1", "::1", "::1" };
	static const char *const gate6[] = { "fd00::2", "fd00::2", "fd00::2" };
	static const char *const lan6[] = { "2001:db8::1", "2001:db8::1" };
	struct sockaddr_in from;
	socklen_t fromlen = sizeof(from);
	char text[4];
	int a, b;

	CHECK(!add("0:7/udp"), "a forward of UDP");
	CHECK(clients(local, "127.0.0.1", gate, 3), "three clients at once, each gets its own replies");
	CHECK(clients(local6, "::1", gate6, 3), "... over IPv6");
	CHECK(clients(local, "127.0.0.1", gate, 3), "... and over IPv4 again");
	a = host_socket(SOCK_DGRAM, "127.0.0.2", "127.0.0.1", port());
	CHECK(says(a, "x") && !gets(a, "x", 100), "libslirp's limit: a client at 127.0.0.2 is not heard");
	close(a);
	b = host_socket(SOCK_DGRAM, "192.0.2.1", NULL, 9999);
	udp_frame(&fr, "10.0.2.15", 7, "192.0.2.1", 9999, "out", 3);
	send_frame();
	CHECK(ready(b, POLLIN, WAIT_MSEC) && recvfrom(b, text, 3, 0, (struct sockaddr *)&from, &fromlen) == 3 &&
	      from.sin_port == htons(port()) && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
	      "libslirp's limit: what the guest sends from there leaves by the forward's socket");
	close(b);
	CHECK(!del(told), "deleted");
	CHECK(!add("0.0.0.0:0:7/udp") && clients(lan, "192.0.2.1", lan, 2),
	      "clients of the network are seen as they are");
	a = host_socket(SOCK_DGRAM, NULL, "127.0.0.1", port());
	b = host_socket(SOCK_DGRAM, "192.0.2.1", "192.0.2.1", port());
	CHECK(says(a, "x") && !gets(a, "x", 100), "libslirp's limit: after those, one of the loopback is not heard");
	CHECK(says(b, "y") && gets(b, "y", WAIT_MSEC), "... the others are");
	udp_frame(&fr, "10.0.2.15", 7, "10.0.2.2", 9, "z", 1);
	send_frame();
	CHECK(says(a, "x") && gets(a, "x", WAIT_MSEC), "... until the guest has spoken to the gateway from there");
	close(a);
	close(b);
	CHECK(!del(told), "deleted");
	CHECK(!add("[::]:0:7/udp") && clients(lan6, "2001:db8::1", lan6, 2), "... and over IPv6");
	CHECK(!del(told), "deleted");
}

static bool pinged(void)
{
	while (n.head != n.tail)
		hear(0);
	icmp_frame(&fr, "10.0.2.15", "10.0.2.2", 8, 0, 0x12340001, "ping", 4);
	send_frame();
	return hear(WAIT_MSEC) && pkt_is_echo_reply(&p);
}

static void test_shadow(void)
{
	unsigned int before = n.queries;
	int server = host_socket(SOCK_STREAM, "127.0.0.1", NULL, 5353), client;
	struct flow_key key = {
		.guest = A("10.0.2.15"), .remote = A("10.0.2.3"), .guest_port = 53, .remote_port = 53, .proto = 17,
	};

	CHECK(!add("5354:53/udp") && !add("5354:53/tcp"), "forwards of DNS ports");
	udp_frame(&fr, "10.0.2.15", 53, "10.0.2.3", 53, "query", 5);
	send_frame();
	CHECK(n.queries == before + 1, "a query from a forwarded port still goes to our DNS");
	CHECK(!forwards_inbound(fs, &key), "nobody comes as our DNS server");
	key.remote = n.s.gateway4;
	CHECK(forwards_inbound(fs, &key), "... as the gateway, yes");
	key.guest_port = 54;
	CHECK(!forwards_inbound(fs, &key), "... not to another port");
	key.guest_port = 53;
	key.guest = A("10.0.2.16");
	CHECK(!forwards_inbound(fs, &key), "... nor to another guest");
	CHECK(pinged(), "the gateway still answers a ping");
	n.deaf = true;
	tcp("10.0.2.15", 53, "10.0.2.2", 5353, PKT_SYN, 1, 0, NULL, 0);
	CHECK(ready(server, POLLIN, WAIT_MSEC), "a connection to the gateway from a forwarded port still goes there");
	n.deaf = false;
	client = accept(server, NULL, NULL);
	close(client);
	close(server);
	CHECK(!del("5354:53/udp") && !del("5354:53"), "deleted, in another notation");
}

static void count_specs(void *arg, const char *spec)
{
	(void)spec;
	++*(unsigned int *)arg;
}

static unsigned int listed(void)
{
	unsigned int count = 0;

	forwards_list(fs, count_specs, &count);
	return count;
}

static bool refused(const char *spec, int e, const char *why)
{
	unsigned int before = listed();
	bool ok = add(spec) == e && strstr(err, why) && !strchr(err, '\n') && listed() == before;

	if (!ok)
		printf("# %s: %s\n", spec, err);
	return ok;
}

/* Without a capability, in a process of its own. */
static bool unprivileged(void)
{
	pid_t pid = fork();
	int status = 1;

	if (!pid)
		_exit(sandbox_drop_capabilities() || !refused("80:80", -EACCES, "ports below"));
	return waitpid(pid, &status, 0) == pid && !status;
}

static void test_refused(void)
{
	int taken = host_socket(SOCK_STREAM, "127.0.0.1", NULL, 8005);
	int taken6 = host_socket(SOCK_DGRAM, "::1", NULL, 8006);

	CHECK(refused("8000-8010:9000-9010", -EADDRINUSE, "127.0.0.1 port 8005: another program"),
	      "a range of which one is taken");
	CHECK(refused("8000-8010:9000-9010/udp", -EADDRINUSE, "::1 port 8006: another program"), "... by one family");
	close(taken);
	close(taken6);
	CHECK(!add("8000-8010:9000-9010"), "... left none behind");
	CHECK(refused("8000-8010:9000-9010", -EEXIST, "already"), "twice");
	CHECK(refused("127.0.0.1:8010:1", -EEXIST, "already"), "a part of it");
	CHECK(refused("0.0.0.0:8003:1", -EADDRINUSE, "another program"), "all addresses, of which one has it");
	CHECK(!add("8000-8010:9000-9010/udp"), "UDP is another thing");
	CHECK(refused("198.51.100.1:8080:80", -EADDRNOTAVAIL, "does not have that address"),
	      "an address that is not the host's");
	CHECK(refused("8080:80/sctp", -EINVAL, "expected"), "a spec that is none");
	CHECK(del("8000:9000") == -ENOENT && strstr(err, "no such"), "none to delete");
	CHECK(!add("20000-21001:1-1002") && refused("21002:1", -ENOSPC, "1024 may be"), "as many as may be");
	CHECK(!del("20000-21001:1-1002") && !del("8000-8010:9000-9010/udp") && !del("8000-8010:9000-9010/tcp"),
	      "all deleted");
	CHECK(unprivileged(), "a port below 1024 without the privilege");
	n.s.v6 = false;
	CHECK(refused("[::1]:8080:80", -EAFNOSUPPORT, "no IPv6"), "from one family to the other");
	CHECK(!add("8080:80") && !del(told), "... and ::1 is left out where the guest has no IPv6");
	n.s.v6 = true;
	CHECK(!listed(), "nothing is listed");
}

/* The private port of a UNIX forward: whoever else listens on the loopback. */
static uint16_t private_port(void)
{
	char line[256];
	unsigned int found = 0, local, at, state;
	FILE *f = fopen("/proc/net/tcp", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*u: %x:%x %*x:%*x %x", &local, &at, &state) == 3 && state == 10)
			found = at;
	if (f)
		fclose(f);
	return (uint16_t)found;
}

static void test_unix(void)
{
	char spec[128], path[64];
	int fd, other, server;
	struct stat st;

	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(spec, sizeof(spec), "unix:%s:22", path);
	CHECK(!add(spec) && !lstat(path, &st) && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600,
	      "a UNIX socket, ours alone");
	fd = unix_socket(path, false);
	other = unix_socket(path, false);
	CHECK(echoes(fd, "one") && echoes(other, "two") && seen_as("10.0.2.2"), "two clients and their echoes");
	shutdown(fd, SHUT_WR);
	CHECK(dies(fd) && echoes(other, "three"), "one ends, and so does the guest; the other goes on");
	CHECK(private_port(), "libslirp listens somewhere");
	fd = host_socket(SOCK_STREAM, NULL, "127.0.0.1", private_port());
	CHECK(ready(fd, POLLOUT, WAIT_MSEC) && says(fd, "x") && !gets(fd, "x", 200),
	      "... but who comes by there does not reach the guest");
	close(fd);
	CHECK(refused(spec, -EEXIST, "already"), "twice");
	CHECK(!del(spec) && lstat(path, &st) < 0 && dies(other), "deleted, with its socket and its clients");
	server = unix_socket(path, true);
	CHECK(refused(spec, -EADDRINUSE, "somebody listens"), "a socket on which another listens");
	close(server);
	CHECK(!add(spec), "... or listened");
	CHECK(!unlink(path) && (server = unix_socket(path, true)) >= 0 && !del(spec) && !lstat(path, &st),
	      "another's is not removed");
	close(server);
	unlink(path);
	close(open(path, O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
	CHECK(refused(spec, -EADDRINUSE, "no socket"), "a file");
	unlink(path);
	snprintf(spec, sizeof(spec), "unix:%s/no/s:22", dir);
	CHECK(refused(spec, -ENOENT, "No such file"), "a directory that is not");
}

/* libslirp's own would have aborted here. */
static void test_few_descriptors(void)
{
	struct rlimit was, few = { 64, 64 };
	char spec[128], path[64];
	int fd[80], i, child;
	uint64_t turned;
	bool ok = true;

	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(spec, sizeof(spec), "unix:%s:22", path);
	CHECK(!add(spec), "a UNIX socket");
	/* Clients have descriptors of their own: they are another process's. */
	child = fork();
	if (!child) {
		for (i = 0; i < 80; i++)
			fd[i] = unix_socket(path, false);
		pause();
	}
	getrlimit(RLIMIT_NOFILE, &was);
	few.rlim_max = was.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	n.turns = 0;
	run(300);
	ok = n.turns < 5000;
	printf("# turns in 300 ms without descriptors: %u\n", n.turns);
	setrlimit(RLIMIT_NOFILE, &was);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	run(100);
	fd[0] = unix_socket(path, false);
	CHECK(ok && echoes(fd[0], "here"), "80 clients with few descriptors: some are turned away, none harms");
	close(fd[0]);
	turned = forwards_refused(fs);
	CHECK(turned > 0 && !del(spec) && forwards_refused(fs) == turned, "... and those are counted, for good");
}

int main(void)
{
	struct stat st;
	char path[64];

	if (!make_world(&ops)) {
		CHECK(true, "forwards in a network of its own # skip no user and network namespaces, or no ip(8)");
		return tap_done();
	}
	if (!mkdtemp(dir))
		abort();
	fs = forwards_new(n.loop, n.stack, &n.s);
	test_tcp();
	test_burst();
	test_udp();
	test_shadow();
	test_refused();
	test_unix();
	test_few_descriptors();
	forwards_free(fs);
	snprintf(path, sizeof(path), "%s/s", dir);
	CHECK(lstat(path, &st) < 0 && nobody("127.0.0.1"), "nothing is left at the end");
	rmdir(dir);
	end_world();
	return tap_done();
}

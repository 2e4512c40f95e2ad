// SPDX-License-Identifier: ISC
/* redirect_test.c - flows of a guest of frames that a policy hands to programs of the host. */
#include "redirect.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "net_stack.h"
#include "policy.h"
#include "policy_parse.h"
#include "sandbox.h"

static struct redirects *r;
static struct policy *policy;
static size_t which;                    /* the target of what begins now */
static bool six;                        /* over IPv6 */
static char dir[] = "/tmp/redirect_test.XXXXXX", path[64];
static unsigned int cuts;

static void pass(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	if (stack_input(n.stack, frame, len))
		redirects_opened(r, &n.f.nat, frame, len);
}

static bool judge(void *arg, const struct flow_key *key, struct flow_verdict *v)
{
	size_t count;

	(void)arg;
	if (redirects_private(r, &key->remote, key->remote_port))
		return false;
	return redirects_verdict(r, &policy_targets(policy, &count)[which], key, v);
}

static void done(void *arg, const struct flow *f, enum flow_end why)
{
	(void)arg;
	if (f->nat)
		redirects_ended(r, nat_slot(&n.f.nat, f->nat), why == FLOW_END_CLOSED);
}

static const struct filter_ops ops = { guest_hears, pass, on_query, judge, NULL, done, NULL };

static void cut(void *arg, const struct nat *nat, const struct flow_key *key)
{
	(void)arg;
	CHECK(nat == &n.f.nat, "its own NAT's");
	cuts++;
	filter_cut(&n.f, key);
	stack_settle(n.stack);
}

static const struct redirect_ops redirect_ops = { .cut = cut };

enum { FOUR, UNIX, UNIX_PROXY, PROXY, SIX, CLOSED, ABSENT, SLOW, LOOPBACK };

static void load(const char *extra)
{
	char text[1024], error[POLICY_ERROR];
	struct policy *old = policy;
	int len = snprintf(text, sizeof(text), "%s"
			   "redirect tcp 1.0.0.1 port 1 to 127.0.0.1:8001\n"
			   "redirect tcp 1.0.0.1 port 2 to unix:%s\n"
			   "redirect tcp 1.0.0.1 port 3 to unix:%s proxy-v2\n"
			   "redirect tcp 1.0.0.1 port 4 to 127.0.0.1:8001 proxy-v2\n"
			   "redirect tcp 1.0.0.1 port 5 to [::1]:8001\n"
			   "redirect tcp 1.0.0.1 port 6 to 127.0.0.2:8009\n"
			   "redirect tcp 1.0.0.1 port 7 to unix:%s.none\n"
			   "redirect tcp 1.0.0.1 port 8 to unix:%s.slow\n"
			   "redirect tcp 1.0.0.1 port 9 to 127.0.0.2:8002\n", extra, path, path, path, path);

	if (policy_parse(text, (size_t)len, "p", &policy, error)) {
		printf("# %s\n", error);
		abort();
	}
	policy_unref(old);
	CHECK(!redirects_use(r, policy), "a policy with targets");
}

/* The guest's end of a connection: 10.0.2.15:sport to 1.2.3.4:443, or over IPv6 likewise. */
struct end {
	uint16_t sport;
	uint32_t seq, ack;
};

static void segment(struct end *e, uint8_t flags, const void *data, size_t len)
{
	tcp(six ? "fd00::f" : "10.0.2.15", e->sport, six ? "2001:db8:7::4" : "1.2.3.4", 443, flags, e->seq, e->ack, data, len);
	e->seq += (uint32_t)len + !!(flags & (PKT_SYN | PKT_FIN));
}

/* What comes for this end next. Return: whether something does; it is in p. */
static bool next(const struct end *e, unsigned int msec)
{
	uint64_t stop = now_ms() + msec;

	while (now_ms() <= stop)
		if (hear(10) && p.proto == 6 && p.dport == e->sport)
			return true;
	return false;
}

static bool begins(struct end *e, uint16_t sport)
{
	*e = (struct end){ .sport = sport, .seq = 100 };
	segment(e, PKT_SYN, NULL, 0);
	if (!next(e, WAIT_MSEC) || p.flags != (PKT_SYN | PKT_ACK))
		return false;
	e->ack = p.seq + 1;
	return true;
}

static bool connects(struct end *e, uint16_t sport)
{
	if (!begins(e, sport))
		return false;
	segment(e, PKT_ACK, NULL, 0);
	return true;
}

/* Take data until there is @text, acknowledging. */
static bool takes(struct end *e, const char *text)
{
	size_t have = 0, want = strlen(text);

	while (have < want && next(e, WAIT_MSEC)) {
		if (p.flags & PKT_RST || (p.payload_len && (p.seq != e->ack || have + p.payload_len > want ||
							    memcmp(p.payload, text + have, p.payload_len))))
			return false;
		have += p.payload_len;
		e->ack += (uint32_t)p.payload_len;
		if (p.payload_len)
			segment(e, PKT_ACK, NULL, 0);
	}
	return have == want;
}

static bool hears(struct end *e, uint8_t flag)
{
	while (next(e, WAIT_MSEC))
		if (p.flags & flag) {
			e->ack = p.seq + (uint32_t)p.payload_len + 1;
			return true;
		}
	return false;
}

/* A connection that is reset: over IPv6 maybe before it was one, for its target is asked earlier. */
static bool reset(struct end *e, uint16_t sport)
{
	*e = (struct end){ .sport = sport, .seq = 100 };
	segment(e, PKT_SYN, NULL, 0);
	while (next(e, WAIT_MSEC)) {
		if (p.flags & PKT_RST)
			return true;
		e->ack = p.seq + 1;
		segment(e, PKT_ACK, NULL, 0);
	}
	return false;
}

static int take(int listener)
{
	return ready(listener, POLLIN, WAIT_MSEC) ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
}

/* Both directions, and both half-closed: the target first, or the guest. */
static bool talk(struct end *e, int fd, bool target_first)
{
	bool ok;

	segment(e, PKT_ACK | PKT_PSH, "question", 8);
	ok = gets(fd, "question", WAIT_MSEC) && says(fd, "answer") && takes(e, "answer");
	if (target_first) {
		shutdown(fd, SHUT_WR);
		ok &= hears(e, PKT_FIN);
		segment(e, PKT_ACK | PKT_PSH, "more", 4);
		ok &= gets(fd, "more", WAIT_MSEC);
		segment(e, PKT_ACK | PKT_FIN, NULL, 0);
		ok &= ends(fd);
	} else {
		segment(e, PKT_ACK | PKT_FIN, NULL, 0);
		ok &= ends(fd) && says(fd, "more") && takes(e, "more");
		shutdown(fd, SHUT_WR);
		ok &= hears(e, PKT_FIN);
		segment(e, PKT_ACK, NULL, 0);
	}
	close(fd);
	run(20);
	return ok;
}

static bool proxy_header(int fd, uint16_t sport)
{
	uint8_t b[52], want4[28] = {
		0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c,
		10, 0, 2, 15, 1, 2, 3, 4, (uint8_t)(sport >> 8), (uint8_t)sport, 443 >> 8, 443 & 0xff,
	}, want6[52] = {
		0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x21, 0x00, 0x24,
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 0x20, 0x01, 0x0d, 0xb8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4,
		(uint8_t)(sport >> 8), (uint8_t)sport, 443 >> 8, 443 & 0xff,
	};
	ssize_t len = six ? sizeof(want6) : sizeof(want4);

	return ready(fd, POLLIN, WAIT_MSEC) && recv(fd, b, (size_t)len, 0) == len && !memcmp(b, six ? want6 : want4, (size_t)len);
}

static bool works(size_t target, int listener, uint16_t sport, bool header)
{
	struct end e;
	bool ok = true;
	int fd = -1, i;

	for (i = 0; ok && i < 2; i++) {
		which = target;
		ok = connects(&e, (uint16_t)(sport + i));
		fd = take(listener);
		ok &= fd >= 0 && (!header || proxy_header(fd, e.sport)) && talk(&e, fd, i);
	}
	return ok;
}

static void test_kinds(int tcp4, int tcp6, int other, int local)
{
	unsigned int before = cuts;

	CHECK(works(FOUR, tcp4, 4000, false), "to 127.0.0.1, and half-closed by either");
	CHECK(works(UNIX, local, 4010, false), "to a UNIX socket");
	CHECK(works(UNIX_PROXY, local, 4020, true), "... with a header");
	CHECK(works(PROXY, tcp4, 4030, true), "to 127.0.0.1 with a header");
	CHECK(works(SIX, tcp6, 4040, false), "to ::1");
	CHECK(works(LOOPBACK, other, 4050, false), "to another address of the loopback");
	CHECK(redirects_figures(r).open == 0 && cuts == before, "all ended, none was cut");
}

static bool without_relay(size_t target, int listener, uint16_t sport)
{
	struct end e;
	bool ok;
	int fd = -1;

	which = target;
	ok = connects(&e, sport) && (fd = take(listener)) >= 0 && !redirects_figures(r).open;
	segment(&e, PKT_RST | PKT_ACK, NULL, 0);
	ok &= ends(fd);
	close(fd);
	return ok;
}

/* Handshakes that are completed in another order than they began. Over IPv6 the target is asked when they begin. */
static void test_order(int tcp4, int local)
{
	struct end e[20];
	bool ok = true;
	int fd[20], i;

	for (i = 0; i < 20; i++) {
		which = i % 2 ? PROXY : UNIX_PROXY;
		ok &= begins(&e[i], (uint16_t)(5000 + i));
		fd[i] = six ? take(i % 2 ? tcp4 : local) : -1;
	}
	CHECK(ok, "20 that begin");
	for (i = 19; i >= 0; i--) {
		segment(&e[i], PKT_ACK, NULL, 0);
		if (!six)
			fd[i] = take(i % 2 ? tcp4 : local);
		ok &= fd[i] >= 0 && proxy_header(fd[i], e[i].sport) && talk(&e[i], fd[i], i & 2);
	}
	CHECK(ok, "... and go on in another order: each arrives as itself");
}

static void test_failures(int tcp4, int local)
{
	struct end e;
	unsigned int before = cuts;
	const struct flow_key key = { .remote = six ? A("2001:db8:7::4") : A("1.2.3.4") };
	uint64_t failed = redirects_figures(r).failed;
	struct flow_verdict v = { 0 };
	struct linger now = { .l_onoff = 1 };
	size_t count;
	int fd = -1;

	which = CLOSED;
	CHECK(reset(&e, 6000) && cuts == before + 1, "a target that refuses: the guest is reset");
	which = ABSENT;
	CHECK(reset(&e, 6001) && cuts == before + 2, "... and one that is not there");
	which = PROXY;
	CHECK(connects(&e, 6002) && (fd = take(tcp4)) >= 0, "a target");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	CHECK(hears(&e, PKT_RST) && cuts == before + 3, "... that resets");
	CHECK(connects(&e, 6003) && (fd = take(tcp4)) >= 0 && proxy_header(fd, 6003), "another");
	segment(&e, PKT_RST | PKT_ACK, NULL, 0);
	CHECK(!redirects_figures(r).open && ends(fd) && cuts == before + 3, "... of which the guest goes away");
	close(fd);
	which = UNIX;
	CHECK(connects(&e, 6004) && (fd = take(local)) >= 0 && says(fd, "last words"), "a target that talks");
	close(fd);
	CHECK(takes(&e, "last words") && hears(&e, PKT_FIN), "... and leaves: the guest hears it all");
	CHECK(redirects_figures(r).open == 0, "... and is no relay's any more");
	segment(&e, PKT_ACK | PKT_FIN, NULL, 0);
	run(50);
	CHECK(redirects_figures(r).open == 0 && redirects_figures(r).failed == failed + 3, "nothing is left, and three are counted");
	redirects_verdict(r, &policy_targets(policy, &count)[UNIX], &key, &v);
	tcp(six ? "fd00::f" : "10.0.2.15", 6005, six ? "fd00::2" : "10.0.2.254", v.to_port, PKT_SYN, 1, 0, NULL, 0);
	e.sport = 6005;
	CHECK(redirects_private(r, &v.to, v.to_port) && hears(&e, PKT_RST), "where flows are led to is denied itself");
}

/*
 * A flow ended by the wish of both sides, says the filter, but not libslirp: its target still has a connection when the
 * guest begins another between the same ports. The failure of that one's target is its own.
 */
static void test_same_ports(int local)
{
	unsigned int before = cuts;
	struct end e;
	int fd = -1;

	which = UNIX;
	n.deaf = true;
	CHECK(connects(&e, 6050) && (fd = take(local)) >= 0, "one whose target says no more");
	shutdown(fd, SHUT_WR);
	CHECK(hears(&e, PKT_FIN), "... which the guest hears");
	e.seq += 1 << 20;
	segment(&e, PKT_ACK | PKT_FIN, NULL, 0);
	run(20);
	which = ABSENT;
	CHECK(reset(&e, 6050) && cuts == before + 1, "another between the same ports, whose target is not there");
	CHECK(redirects_figures(r).open == 1, "... ends alone");
	close(fd);
	run(50);
	CHECK(redirects_figures(r).open == 0 && cuts == before + 1, "... and the first when its target does");
	n.deaf = false;
}

/* What a target says as urgent is data. */
static void test_urgent(int tcp4)
{
	struct end e;
	int fd = -1;

	which = PROXY;
	CHECK(connects(&e, 6060) && (fd = take(tcp4)) >= 0 && proxy_header(fd, 6060), "a target");
	CHECK(says(fd, "so") && send(fd, "!", 1, MSG_OOB) == 1 && says(fd, "?") && takes(&e, "so!?"), "... that says something urgent");
	segment(&e, PKT_RST | PKT_ACK, NULL, 0);
	close(fd);
	run(20);
}

/* A target with no room in its backlog is waited for. */
static void test_slow(void)
{
	struct end e[4];
	char at[80];
	bool ok = true;
	int listener, fd, i;

	snprintf(at, sizeof(at), "%s.slow", path);
	listener = unix_socket(at, true);
	listen(listener, 0);
	which = SLOW;
	for (i = 0; i < 4; i++)
		ok &= connects(&e[i], (uint16_t)(6100 + i));
	run(100);
	for (i = 0; i < 4; i++) {
		fd = take(listener);
		ok &= fd >= 0;
		close(fd);
	}
	CHECK(ok, "four to a target with room for one");
	for (i = 0; i < 4; i++)
		segment(&e[i], PKT_RST | PKT_ACK, NULL, 0);
	run(50);
	close(listener);
	unlink(at);
}

/* libslirp takes the last descriptor: the connection is lost, and no other gets it in its stead. */
static void test_no_descriptor(int local)
{
	uint64_t before = redirects_figures(r).refused;
	int free_fd = fcntl(local, F_DUPFD_CLOEXEC, 0);
	struct rlimit was, few;
	struct end e;

	close(free_fd);
	getrlimit(RLIMIT_NOFILE, &was);
	few = (struct rlimit){ (rlim_t)free_fd + 1, was.rlim_max };
	which = UNIX;
	if (six)
		setrlimit(RLIMIT_NOFILE, &few);
	CHECK(begins(&e, 6200), "one that begins");
	setrlimit(RLIMIT_NOFILE, &few);
	segment(&e, PKT_ACK, NULL, 0);
	CHECK(hears(&e, PKT_FIN | PKT_RST) && redirects_figures(r).refused == before + 1,
	      "... and finds no descriptor: it ends, and is counted");
	setrlimit(RLIMIT_NOFILE, &was);
	segment(&e, PKT_RST | PKT_ACK, NULL, 0);
	CHECK(works(UNIX_PROXY, local, 6210, true), "the next one is itself");
}

/* The guest sends as much as it is let, to a target that does not read. */
static void test_pressure(int local)
{
	static uint8_t data[1400], buf[65536];
	uint32_t sent = 0, acked = 0, heard = 0, window = 65535, first;
	bool ok = true;
	struct end e;
	ssize_t len;
	size_t i;
	int fd = -1;

	which = UNIX;
	CHECK(connects(&e, 7000) && (fd = take(local)) >= 0, "a target that does not read");
	first = e.seq;
	for (;;) {
		while (sent - acked + sizeof(data) <= window) {
			for (i = 0; i < sizeof(data); i++)
				data[i] = (uint8_t)((sent + i) * 7 >> 3);
			segment(&e, PKT_ACK, data, sizeof(data));
			sent += sizeof(data);
		}
		if (!next(&e, 300))
			break;
		acked = p.ack - first;
		window = get_be16(p.l4 + 14);
	}
	printf("# taken until it stops: %u bytes\n", sent);
	n.turns = 0;
	run(500);
	CHECK(sent < 4 << 20 && n.turns < 2000, "it stops, and nothing spins");
	segment(&e, PKT_ACK | PKT_FIN, NULL, 0);
	while (ok && ready(fd, POLLIN, WAIT_MSEC) && (len = recv(fd, buf, sizeof(buf), 0)) > 0)
		for (i = 0; i < (size_t)len; i++, heard++)
			ok &= buf[i] == (uint8_t)(heard * 7 >> 3);
	CHECK(ok && heard == sent, "... and when it is read, all of it is there");
	close(fd);
	run(50);
}

/* The target sends to a guest that does not take, and which then goes away. */
static void test_pressure_back(int local)
{
	static uint8_t buf[65536];
	size_t sent = 0;
	ssize_t len;
	struct end e;
	int fd = -1, i;

	which = UNIX;
	CHECK(connects(&e, 7001) && (fd = take(local)) >= 0, "a guest that takes nothing");
	n.deaf = true;
	for (i = 0; i < 50; i++) {
		len = send(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += len > 0 ? (size_t)len : 0;
		run(5);
	}
	printf("# taken until it stops: %zu bytes\n", sent);
	n.turns = 0;
	run(300);
	/* Over IPv6 there is a socket of TCP between, with the buffers of one. */
	CHECK(sent < (six ? 16u : 2u) << 20 && n.turns < 2000, "it stops, and nothing spins");
	segment(&e, PKT_RST | PKT_ACK, NULL, 0);
	run(50);
	len = send(fd, buf, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	n.deaf = false;
	CHECK(len < 0 && (errno == EPIPE || errno == ECONNRESET) && !redirects_figures(r).open,
	      "... and it goes away, which the target hears");
	close(fd);
}

/* A policy with more targets than there can be is refused, and those of the one before keep their places. */
static void test_too_many(void)
{
	static char text[(REDIRECT_TARGETS + 1) * 64];
	const struct flow_key key = { .remote = six ? A("2001:db8:7::4") : A("1.2.3.4") };
	struct flow_verdict was = { 0 }, is = { 0 };
	char error[POLICY_ERROR];
	struct policy *many;
	size_t count, len = 0, i;

	for (i = 0; i <= REDIRECT_TARGETS; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "redirect tcp 1.0.0.1 port 1 to unix:/t%zu\n", i);
	redirects_verdict(r, &policy_targets(policy, &count)[UNIX], &key, &was);
	CHECK(!policy_parse(text, len, "p", &many, error) && redirects_use(r, many) == -ENOSPC, "a policy with too many targets");
	CHECK(redirects_verdict(r, &policy_targets(policy, &count)[UNIX], &key, &is) && is.place == was.place, "... changes nothing");
	policy_unref(many);
}

static void test_reload(int local)
{
	const struct flow_key key = { .remote = six ? A("2001:db8:7::4") : A("1.2.3.4") };
	struct flow_verdict was = { 0 }, is = { 0 };
	size_t count;
	struct end e;
	int fd = -1;

	which = UNIX;
	redirects_verdict(r, &policy_targets(policy, &count)[which], &key, &was);
	CHECK(connects(&e, 8000) && (fd = take(local)) >= 0, "one that is open");
	load("redirect tcp * port 9 to unix:/other\n");
	which = UNIX + 1;
	redirects_verdict(r, &policy_targets(policy, &count)[which], &key, &is);
	CHECK(addr_equal(&was.to, &is.to) && was.to_port == is.to_port && was.place == is.place,
	      "after a reload, a target has its place still");
	filter_reload(&n.f, true);
	CHECK(talk(&e, fd, false), "... and the open one goes on");
	CHECK(connects(&e, 8001) && (fd = take(local)) >= 0, "another");
	which = 0;
	filter_reload(&n.f, true);
	CHECK(hears(&e, PKT_RST) && ends(fd) && !redirects_figures(r).open, "... that goes to another target now: it ends");
	close(fd);
	load("");
	test_too_many();
}

static void test_full(int local)
{
	static struct end e[REDIRECT_RELAYS + 1];
	struct rlimit lim;
	uint64_t before;
	int i;

	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	if (lim.rlim_cur < 5000) {
		CHECK(true, "as many as may be # skip too few descriptors");
		return;
	}
	which = UNIX;
	for (i = 0; i < REDIRECT_RELAYS && connects(&e[i], (uint16_t)(20000 + i)); i++)
		take(local);
	CHECK(i == REDIRECT_RELAYS && redirects_figures(r).open == REDIRECT_RELAYS, "as many as may be");
	before = redirects_figures(r).refused;
	filter_reload(&n.f, true);
	CHECK(redirects_figures(r).open == REDIRECT_RELAYS && redirects_figures(r).refused == before, "a reload ends none of them");
	for (i = 0; i < 2; i++) {
		six = i;
		e[0] = (struct end){ .sport = 31000, .seq = 1 };
		segment(&e[0], PKT_SYN, NULL, 0);
		CHECK(hears(&e[0], PKT_RST) && redirects_figures(r).refused == ++before, "one more is denied, and counted");
	}
}

int main(void)
{
	int tcp4, tcp6, other, local, i;

	if (!make_world(&ops)) {
		CHECK(true, "redirects in a network of its own # skip no user and network namespaces, or no ip(8)");
		return tap_done();
	}
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/s", dir);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	r = redirects_new(n.loop, n.stack, &n.s, &redirect_ops, NULL);
	CHECK(r && !rmdir(dir) && !mkdir(dir, 0700), "redirects leave nothing in the file system");
	load("");
	tcp4 = host_socket(SOCK_STREAM, "127.0.0.1", NULL, 8001);
	tcp6 = host_socket(SOCK_STREAM, "::1", NULL, 8001);
	other = host_socket(SOCK_STREAM, "127.0.0.2", NULL, 8002);
	local = unix_socket(path, true);
	CHECK(without_relay(FOUR, tcp4, 3000), "libslirp connects to a target of the flow's family");
	for (i = 0; i < 2; i++) {
		six = i;
		printf("# over IPv%c\n", six ? '6' : '4');
		test_kinds(tcp4, tcp6, other, local);
		test_order(tcp4, local);
		test_failures(tcp4, local);
		test_same_ports(local);
		test_urgent(tcp4);
		test_slow();
		test_no_descriptor(local);
		test_pressure(local);
		test_pressure_back(local);
		test_reload(local);
	}
	CHECK(without_relay(SIX, tcp6, 3000), "... of IPv6, too");
	sandbox_drop_capabilities();
	if (sandbox_landlock_abi() > 0 && !sandbox_files(NULL, 0, SANDBOX_TCP))
		for (i = 0; i < 2; i++) {
			six = i;
			CHECK(open(path, O_RDONLY) < 0 && works(UNIX_PROXY, local, 9000, true), "confined, it works still");
		}
	else
		CHECK(true, "confined # skip no Landlock");
	six = false;
	test_full(local);
	redirects_free(r);
	policy_unref(policy);
	end_world();
	unlink(path);
	rmdir(dir);
	return tap_done();
}

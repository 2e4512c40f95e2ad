// SPDX-License-Identifier: ISC
/*
 * world_client.c - a client of the tests' internet: asks for one thing, and says in one line how it went.
 *
 *	open ADDR PORT			connects: `connected`
 *	echo ADDR PORT BYTES [N]	N connections at once send the pattern, read it back, and see both ends
 *	talk ADDR PORT BYTES [N]	N times, one after the other, sends so much and reads it back
 *	send ADDR PORT BYTES		the pattern, and our end; then theirs without a byte
 *	turn ADDR PORT BYTES		the pattern, and our end; then an answer that says how much came and its sum
 *	get ADDR PORT BYTES [N]		N connections at once ask a source for so much each
 *	answer ADDR PORT BYTES		takes GREETING bytes and the other's end, and sends so much after that
 *	udp ADDR PORT BYTES [N]		N datagrams, one after the other, each back as it was
 *	datagram ADDR PORT BYTES	one, and no answer is waited for: `port P`, ours
 *	ping ADDR BYTES [N]		echo requests with so many bytes of data
 *	trips ADDR PORT BYTES N		as talk; says how long a round trip takes: `p50 US p99 US`
 *	calls ADDR PORT BYTES N		N connections, CALLS at a time, that echo so much
 *	flood ADDR PORT BYTES N		N datagrams, FLOOD at a time; what has not come back when nothing does for LOST_MSEC
 *					is lost: `N datagrams, L lost`
 *	await LOG REGEX			waits until a line of LOG matches: prints the first
 *
 * With -t before the verb a second line is how many microseconds it took. $PATIENCE is how many milliseconds to wait for
 * something to happen, 10000; $PACE, how many bytes each connection of echo, send, turn, get and answer sends and takes
 * at most every 10 ms. Exit: 0; 1 when it went wrong: what the
 * kernel said (`Connection refused`), `timeout`, `differs at N`; 2 for usage.
 */
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <regex.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "fds.h"
#include "world.h"

enum { CALLS = 16, FLOOD = 32, LOST_MSEC = 500, TICK_MSEC = 10 };

static int patience = 10000;
static size_t pace = WORLD_CHUNK;       /* bytes of a piece */
static bool slow;                       /* with a pause after each */

static uint64_t now_nsec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void failed(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void failed(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(1);
}

/* Return: what happened; nothing for too long is a failure. */
static short await(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (poll(&p, 1, patience) != 1)
		failed("timeout");
	return p.revents;
}

static int begin(const struct sockaddr_in6 *to, int type)
{
	int fd = world_socket(type | SOCK_NONBLOCK);

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS)
		failed("%s", errstr(errno));
	return fd;
}

static void connected(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	await(fd, POLLOUT);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err)
		failed("%s", errstr(err));
}

/* Both directions of a connection. */
struct stream {
	int fd;
	uint64_t send, expect, sent, got;
	bool differs, over;
};

/* After a piece of each connection. */
static void rest(void)
{
	if (slow)
		poll(NULL, 0, TICK_MSEC);
}

/* Send a piece. */
static void push(struct stream *s)
{
	static uint8_t buf[WORLD_CHUNK];
	size_t len = MIN(s->send - s->sent, pace);
	ssize_t n;

	world_fill(buf, s->sent, len);
	n = send(s->fd, buf, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		failed("%s after %llu bytes", errstr(errno), (unsigned long long)s->sent);
	if (n > 0)
		s->sent += (uint64_t)n;
	if (n > 0 && s->sent == s->send)
		shutdown(s->fd, SHUT_WR);
}

/* Take a piece, which must be the pattern. */
static void pull(struct stream *s)
{
	static uint8_t buf[WORLD_CHUNK];
	ssize_t n = recv(s->fd, buf, pace, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		failed("%s after %llu bytes", errstr(errno), (unsigned long long)s->got);
	if (!world_same(buf, s->got, (size_t)n))
		failed("differs at %llu", (unsigned long long)s->got);
	s->got += (uint64_t)n;
	s->over = !n;
	if (s->got > s->expect || (s->over && s->got < s->expect))
		failed("got %llu of %llu bytes", (unsigned long long)s->got, (unsigned long long)s->expect);
}

/* Until all of them are over. */
static void work(struct stream *s, unsigned int n)
{
	autofree struct pollfd *p = calloc(n, sizeof(*p));
	unsigned int i, left = n;

	while (left) {
		for (i = 0; i < n; i++)
			p[i] = (struct pollfd){ s[i].over ? -1 : s[i].fd,
						(short)(POLLIN | (s[i].sent < s[i].send ? POLLOUT : 0)), 0 };
		if (poll(p, n, patience) < 1)
			failed("timeout; the first got %llu bytes", (unsigned long long)s[0].got);
		for (i = 0; i < n; i++) {
			if (p[i].revents & POLLOUT && s[i].sent < s[i].send)
				push(&s[i]);
			if (p[i].revents & (POLLIN | POLLHUP | POLLERR))
				pull(&s[i]);
			left -= s[i].over && p[i].revents;
		}
		rest();
	}
}

static void do_open(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	(void)bytes;
	(void)n;
	connected(begin(to, SOCK_STREAM));
	printf("connected\n");
}

/* N connections at once. */
static void echo(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	autofree struct stream *s = calloc(n, sizeof(*s));
	unsigned int i;

	for (i = 0; i < n; i++)
		s[i] = (struct stream){ .fd = begin(to, SOCK_STREAM), .send = bytes, .expect = bytes };
	for (i = 0; i < n; i++) {
		connected(s[i].fd);
		if (!bytes)
			shutdown(s[i].fd, SHUT_WR);
	}
	work(s, n);
	for (i = 0; i < n; i++)
		close(s[i].fd);
}

static void do_echo(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	fds_raise_limit();
	echo(to, bytes, n);
	printf("%llu bytes back, %u times\n", (unsigned long long)bytes, n);
}

static void do_calls(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i += CALLS)
		echo(to, bytes, MIN(n - i, (unsigned int)CALLS));
	printf("%u connections\n", n);
}

/* @took: how many nanoseconds each takes; may be NULL. */
static void talk(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n, uint64_t *took)
{
	struct stream s = { .fd = begin(to, SOCK_STREAM), .send = UINT64_MAX };
	static uint8_t buf[WORLD_CHUNK];
	uint64_t start;
	ssize_t sent;

	connected(s.fd);
	for (s.expect = bytes; s.expect <= bytes * n; s.expect += bytes) {
		start = now_nsec();
		while (s.sent < s.expect) {
			size_t len = MIN(s.expect - s.sent, sizeof(buf));

			await(s.fd, POLLOUT);
			world_fill(buf, s.sent, len);
			sent = send(s.fd, buf, len, MSG_NOSIGNAL);
			if (sent < 0)
				failed("%s after %llu bytes", errstr(errno), (unsigned long long)s.sent);
			s.sent += (uint64_t)sent;
		}
		while (s.got < s.expect) {
			await(s.fd, POLLIN);
			pull(&s);
		}
		if (took)
			*took++ = now_nsec() - start;
	}
}

static void do_talk(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	talk(to, bytes, n, NULL);
	printf("%u times %llu bytes back\n", n, (unsigned long long)bytes);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void do_trips(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	autofree uint64_t *took = calloc(n, sizeof(*took));

	talk(to, bytes, n, took);
	qsort(took, n, sizeof(*took), by_size);
	printf("p50 %.1f p99 %.1f\n", (double)took[n / 2] / 1000, (double)took[n * 99ULL / 100] / 1000);
}

static void do_send(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	struct stream s = { .fd = begin(to, SOCK_STREAM), .send = bytes };

	(void)n;
	connected(s.fd);
	work(&s, 1);
	printf("%llu bytes sent\n", (unsigned long long)bytes);
}

static void do_turn(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	struct stream s = { .fd = begin(to, SOCK_STREAM), .send = bytes };
	static uint8_t buf[WORLD_CHUNK];
	struct world_sum sum = { 0 };
	char want[64], got[64] = "";
	size_t have = 0;
	ssize_t r;

	(void)n;
	connected(s.fd);
	while (s.sent < s.send) {
		if (await(s.fd, POLLIN | POLLOUT) & POLLIN)
			failed("an answer before our end");
		push(&s);
		rest();
	}
	while (sum.bytes < bytes) {
		size_t len = MIN(bytes - sum.bytes, sizeof(buf));

		world_fill(buf, sum.bytes, len);
		world_sum(&sum, buf, len);
	}
	while (await(s.fd, POLLIN) && (r = recv(s.fd, got + have, sizeof(got) - 1 - have, 0)) > 0)
		have += (size_t)r;
	snprintf(want, sizeof(want), "%llu %llx\n", (unsigned long long)bytes, world_sum_value(&sum));
	if (strcmp(got, want))
		failed("answer is %s", got);
	printf("%s", got);
}

static void do_get(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	autofree struct stream *s = calloc(n, sizeof(*s));
	char line[32];
	unsigned int i;

	fds_raise_limit();
	for (i = 0; i < n; i++)
		s[i] = (struct stream){ .fd = begin(to, SOCK_STREAM), .expect = bytes };
	snprintf(line, sizeof(line), "%llu\n", (unsigned long long)bytes);
	for (i = 0; i < n; i++) {
		connected(s[i].fd);
		if (send(s[i].fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			failed("%s", errstr(errno));
	}
	work(s, n);
	printf("%llu bytes got, %u times\n", (unsigned long long)bytes, n);
}

static void do_answer(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	struct stream s = { .fd = begin(to, SOCK_STREAM), .send = bytes, .expect = WORLD_GREETING };

	(void)n;
	connected(s.fd);
	while (!s.over) {
		await(s.fd, POLLIN);
		pull(&s);
	}
	while (s.sent < s.send) {
		await(s.fd, POLLOUT);
		push(&s);
		rest();
	}
	printf("%llu bytes sent after their end\n", (unsigned long long)bytes);
}

/* Send a datagram, and take what comes for it. */
static void there_and_back(int fd, const uint8_t *out, size_t len, uint8_t *back, size_t size, ssize_t *got)
{
	if (send(fd, out, len, 0) < 0)
		failed("%s", errstr(errno));
	do {
		await(fd, POLLIN);
		*got = recv(fd, back, size, 0);
		if (*got < 0 && errno != EAGAIN)
			failed("%s", errstr(errno));
	} while (*got < 0);
}

static void do_udp(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	static uint8_t out[65536], back[65536];
	int fd = begin(to, SOCK_DGRAM);
	unsigned int i;
	ssize_t got;

	for (i = 0; i < n; i++) {
		world_fill(out, i * 1000ULL, MIN(bytes, sizeof(out)));
		there_and_back(fd, out, MIN(bytes, sizeof(out)), back, sizeof(back), &got);
		if ((uint64_t)got != bytes || memcmp(out, back, bytes))
			failed("datagram %u: %zd bytes, not the same", i, got);
	}
	printf("%u datagrams back\n", n);
}

static void do_datagram(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	static uint8_t out[65536];
	int fd = begin(to, SOCK_DGRAM);
	struct sockaddr_in6 us;
	socklen_t len = sizeof(us);

	(void)n;
	world_fill(out, 0, MIN(bytes, sizeof(out)));
	if (send(fd, out, MIN(bytes, sizeof(out)), 0) < 0)
		failed("%s", errstr(errno));
	getsockname(fd, (struct sockaddr *)&us, &len);
	printf("port %u\n", ntohs(us.sin6_port));
}

static void do_flood(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	static uint8_t out[65536], back[65536];
	unsigned int sent = 0, over = 0, lost = 0;
	int fd = begin(to, SOCK_DGRAM);

	world_fill(out, 0, MIN(bytes, sizeof(out)));
	while (over < n) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		for (; sent < n && sent - over < FLOOD; sent++)
			if (send(fd, out, MIN(bytes, sizeof(out)), 0) < 0)
				failed("%s", errstr(errno));
		if (!poll(&p, 1, LOST_MSEC)) {
			lost += sent - over;
			over = sent;
		}
		while (over < sent && recv(fd, back, sizeof(back), MSG_DONTWAIT) >= 0)
			over++;
	}
	printf("%u datagrams, %u lost\n", n, lost);
}

/* A socket of the kernel's own echo (icmp(7)): it sets and checks id and checksum. */
static int echo_socket(const struct sockaddr_in6 *to, bool v4)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	const struct sockaddr *sa = v4 ? (const struct sockaddr *)&to4 : (const struct sockaddr *)to;
	int fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6), yes = 1;

	memcpy(&to4.sin_addr, to->sin6_addr.s6_addr + 12, 4);
	if (fd < 0 || connect(fd, sa, v4 ? sizeof(to4) : sizeof(*to)) < 0 ||
	    setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &yes, sizeof(yes)) < 0)
		failed("%s", errstr(errno));
	return fd;
}

static void do_ping(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n)
{
	static uint8_t out[65536], back[65536];
	struct addr a;
	unsigned int i;
	ssize_t got;
	bool v4;
	int fd;

	memcpy(a.b, &to->sin6_addr, sizeof(a.b));
	v4 = addr_is_v4(&a);
	fd = echo_socket(to, v4);
	for (i = 0; i < n; i++) {
		memset(out, 0, 8);
		out[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
		out[7] = (uint8_t)i;
		world_fill(out + 8, i, MIN(bytes, sizeof(out) - 8));
		there_and_back(fd, out, 8 + MIN(bytes, sizeof(out) - 8), back, sizeof(back), &got);
		if ((uint64_t)got != bytes + 8 || memcmp(out + 6, back + 6, bytes + 2))
			failed("reply %u: %zd bytes, not the same", i, got);
	}
	printf("%u replies\n", n);
}

/* Return: whether one of the whole lines that @f has not given yet matches; half a line is left for later. */
static bool search(FILE *f, const regex_t *re)
{
	char line[2000];
	long at = ftell(f);

	while (fgets(line, sizeof(line), f) && strchr(line, '\n')) {
		*strchr(line, '\n') = 0;
		if (!regexec(re, line, 0, NULL, 0)) {
			puts(line);
			return true;
		}
		at = ftell(f);
	}
	clearerr(f);
	fseek(f, at, SEEK_SET);
	return false;
}

static int do_await(const char *path, const char *pattern)
{
	FILE *f = fopen(path, "re");
	int in = inotify_init1(IN_CLOEXEC);
	char events[4096];
	regex_t re;

	if (!f || in < 0 || inotify_add_watch(in, path, IN_MODIFY) < 0)
		die(2, "%s: %s", path, errstr(errno));
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		die(2, "%s: is no regular expression", pattern);
	while (!search(f, &re)) {
		await(in, POLLIN);
		if (read(in, events, sizeof(events)) < 0)
			failed("%s", errstr(errno));
	}
	regfree(&re);
	fclose(f);
	close(in);
	return 0;
}

static const struct {
	const char *name;
	int least, most;                /* words after ADDR */
	void (*run)(const struct sockaddr_in6 *to, uint64_t bytes, unsigned int n);
} verbs[] = {
	{ "open", 1, 1, do_open }, { "echo", 2, 3, do_echo }, { "talk", 2, 3, do_talk }, { "send", 2, 2, do_send },
	{ "turn", 2, 2, do_turn }, { "get", 2, 3, do_get }, { "answer", 2, 2, do_answer }, { "udp", 2, 3, do_udp },
	{ "datagram", 2, 2, do_datagram }, { "ping", 1, 2, do_ping }, { "trips", 3, 3, do_trips },
	{ "calls", 3, 3, do_calls }, { "flood", 3, 3, do_flood },
};

int main(int argc, char *argv[])
{
	bool timed = argc > 1 && !strcmp(argv[1], "-t");
	uint64_t start = now_nsec();
	int i, words, port;

	log_init("world_client", false);
	if (getenv("PATIENCE"))
		patience = atoi(getenv("PATIENCE"));
	slow = getenv("PACE");
	if (slow)
		pace = MIN((size_t)strtoul(getenv("PACE"), NULL, 10), (size_t)WORLD_CHUNK);
	argc -= timed;
	argv += timed;
	words = argc - 3;
	if (argc == 4 && !strcmp(argv[1], "await"))
		return do_await(argv[2], argv[3]);
	for (i = 0; argc > 1 && i < (int)ARRAY_SIZE(verbs); i++) {
		struct sockaddr_in6 to;

		if (strcmp(verbs[i].name, argv[1]) || words < verbs[i].least || words > verbs[i].most)
			continue;
		port = verbs[i].run != do_ping;
		to = world_address(argv[2], port ? argv[3] : "0");
		verbs[i].run(&to, words > port ? strtoull(argv[3 + port], NULL, 10) : 0,
			     words > port + 1 ? (unsigned int)strtoul(argv[4 + port], NULL, 10) : 1);
		if (timed)
			printf("%llu\n", (unsigned long long)(now_nsec() - start) / 1000);
		return 0;
	}
	die(2, "usage: world_client [-t] open|echo|talk|send|turn|get|answer|udp|datagram|trips|calls|flood ADDR PORT [BYTES [N]], "
	    "ping ADDR BYTES [N], await LOG REGEX");
}

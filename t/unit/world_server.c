// SPDX-License-Identifier: ISC
/*
 * world_server.c - the servers of the tests' internet: every address that is local here, each port a way to behave.
 *
 *	world_server LOG TAG [MODE:PORT]...	prints `ready` when all listen, and serves until it is killed
 *
 *	echo	7	all comes back, then the end
 *	sink	9	counts what comes
 *	source	19	reads "N\n", and sends N bytes of the pattern
 *	turn	80	counts until the end, and answers then: "BYTES SUM\n"
 *	slow	81	as turn, but reads 4096 bytes every 10 ms
 *	drip	82	as source, but sends 1000 bytes every 10 ms
 *	reset	83	resets a connection as soon as it is there
 *	late	84	... as soon as something came
 *	stall	85	never accepts: the kernel takes one connection, and drops the SYN of every other
 *	hold	86	accepts, and does nothing until the end comes
 *	greet	87	sends 1000 bytes and its end at once, and counts what comes all the same
 *	udp	7	every datagram comes back
 *	fast	8	... and the log says nothing
 *	mute	9	no datagram is answered
 *
 * Without MODE:PORT it does all of these. Lines of the log, after TAG:
 *
 *	tcp FROM TO MODE			a connection came
 *	end FROM TO IN OUT SUM right|wrong	it ended (reset: it was): bytes, and whether they were the pattern
 *	udp FROM TO LEN
 */
#include <assert.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "fds.h"
#include "loop.h"
#include "world.h"

enum { BACKLOG = 1024, TICK_MSEC = 10, SLOW = 4096, DRIP = 1000, PORTS_MAX = 64 };

enum mode {
	ECHO, SINK, SOURCE, TURN, SLOW_TURN, DRIP_SOURCE, RESET, LATE_RESET, STALL, HOLD, GREET, UDP, FAST_UDP, MUTE, MODE_COUNT
};

static const struct {
	const char *name;
	uint16_t port;
} modes[] = {
	[ECHO] = { "echo", 7 }, [SINK] = { "sink", 9 }, [SOURCE] = { "source", 19 }, [TURN] = { "turn", 80 },
	[SLOW_TURN] = { "slow", 81 }, [DRIP_SOURCE] = { "drip", 82 }, [RESET] = { "reset", 83 },
	[LATE_RESET] = { "late", 84 }, [STALL] = { "stall", 85 }, [HOLD] = { "hold", 86 }, [GREET] = { "greet", 87 },
	[UDP] = { "udp", 7 }, [FAST_UDP] = { "fast", 8 }, [MUTE] = { "mute", 9 },
};
static_assert(ARRAY_SIZE(modes) == MODE_COUNT, "a name and a port for each");

struct port {
	enum mode mode;
	int fd, watch, spare;
};

/*
 * A connection. What is to be sent is in @buf[head..tail), then @owed bytes of the pattern; with @over our end
 * follows. It is freed when @over is sent, when the peer resets it, or at the peer's end where that is all.
 */
struct conn {
	enum mode mode;
	int fd, watch, timer;
	bool came_end, over;
	uint64_t owed, sent, wrong;
	struct world_sum in;
	struct sockaddr_in6 from, to;
	size_t head, tail;
	uint8_t buf[WORLD_CHUNK];
};

static struct loop *loop;
static struct port ports[PORTS_MAX];
static uint8_t scratch[WORLD_CHUNK];

static void conn_free(struct conn *c, const char *how)
{
	char from[WORLD_NAME], to[WORLD_NAME];

	world_say("%s %s %s %llu %llu %llx %s", how, world_name(&c->from, from), world_name(&c->to, to),
		  (unsigned long long)c->in.bytes, (unsigned long long)c->sent, world_sum_value(&c->in),
		  c->wrong ? "wrong" : "right");
	loop_del(loop, &c->watch);
	loop_timer_del(loop, &c->timer);
	close(c->fd);
	free(c);
}

static void conn_reset(struct conn *c)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_free(c, "reset");
}

/* Send what is to be sent, at most @most bytes. Return: whether the connection is still there. */
static bool conn_send(struct conn *c, size_t most)
{
	while (most && (c->head < c->tail || c->owed)) {
		bool queued = c->head < c->tail;
		const uint8_t *from = queued ? c->buf + c->head : scratch;
		size_t len = MIN(queued ? c->tail - c->head : MIN(c->owed, sizeof(scratch)), most);
		ssize_t n;

		if (!queued)
			world_fill(scratch, c->sent, len);
		n = send(c->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			conn_free(c, "reset");
			return false;
		}
		c->sent += (uint64_t)n;
		most -= (size_t)n;
		if (queued)
			c->head += (size_t)n;
		else
			c->owed -= (uint64_t)n;
	}
	if (c->head == c->tail)
		c->head = c->tail = 0;
	if (!c->over || c->owed || c->tail)
		return true;
	shutdown(c->fd, SHUT_WR);
	if (c->came_end) {
		conn_free(c, "end");
		return false;
	}
	return true;
}

/* What is to be done with @len bytes at @p. */
static void conn_take(struct conn *c, const uint8_t *p, size_t len)
{
	if (!world_same(p, c->in.bytes, len))
		c->wrong++;
	world_sum(&c->in, p, len);
	if (c->mode == ECHO) {
		memcpy(c->buf + c->tail, p, len);
		c->tail += len;
	}
	if ((c->mode == SOURCE || c->mode == DRIP_SOURCE) && len && !c->over && p[len - 1] == '\n') {
		c->wrong = 0;
		c->owed = strtoull((const char *)p, NULL, 10);
		c->over = true;
	}
}

static void conn_ended(struct conn *c)
{
	c->came_end = true;
	if (c->mode == TURN || c->mode == SLOW_TURN)
		c->tail = (size_t)snprintf((char *)c->buf, sizeof(c->buf), "%llu %llx\n",
					   (unsigned long long)c->in.bytes, world_sum_value(&c->in));
	c->over = true;
}

/* Read at most @most bytes. Return: whether the connection is still there. */
static bool conn_read(struct conn *c, size_t most)
{
	ssize_t n = recv(c->fd, scratch, most, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n < 0) {
		conn_free(c, "reset");
		return false;
	}
	if (n && c->mode == LATE_RESET) {
		conn_reset(c);
		return false;
	}
	if (n)
		conn_take(c, scratch, (size_t)n);
	else
		conn_ended(c);
	return true;
}

/* What to wait for; the ones with a timer wait for that. */
static void conn_wait(struct conn *c)
{
	size_t room = c->mode == ECHO ? sizeof(c->buf) - c->tail : sizeof(c->buf);
	bool reads = !c->came_end && c->mode != SLOW_TURN && room;
	bool writes = (c->owed || c->tail) && c->mode != DRIP_SOURCE;

	loop_mod(loop, c->watch, (reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U));
}

static void on_conn(void *arg, uint32_t events)
{
	struct conn *c = arg;
	size_t room = c->mode == ECHO ? sizeof(c->buf) - c->tail : sizeof(scratch);

	if (events & EPOLLERR || (c->came_end && events & EPOLLHUP && !(events & EPOLLOUT))) {
		conn_free(c, "reset");
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP) && !c->came_end && room && c->mode != SLOW_TURN && !conn_read(c, room))
		return;
	if (!conn_send(c, c->mode == DRIP_SOURCE ? 0 : SIZE_MAX))
		return;
	conn_wait(c);
}

static void on_tick(void *arg, uint32_t events)
{
	struct conn *c = arg;

	(void)events;
	if (c->mode == SLOW_TURN && !c->came_end && !conn_read(c, SLOW))
		return;
	if (!conn_send(c, DRIP))
		return;
	loop_timer_set(loop, c->timer, TICK_MSEC);
	conn_wait(c);
}

static void conn_new(enum mode mode, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	char from[WORLD_NAME], to[WORLD_NAME];
	socklen_t len = sizeof(c->from), len_to = sizeof(c->to);
	int yes = 1;

	if (!c)
		die(1, "memory");
	*c = (struct conn){ .mode = mode, .fd = fd, .watch = -1, .timer = -1 };
	getpeername(fd, (struct sockaddr *)&c->from, &len);
	getsockname(fd, (struct sockaddr *)&c->to, &len_to);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	world_say("tcp %s %s %s", world_name(&c->from, from), world_name(&c->to, to), modes[mode].name);
	if (mode == RESET) {
		conn_reset(c);
		return;
	}
	if (mode == GREET) {
		c->owed = WORLD_GREETING;
		c->over = true;
	}
	c->watch = loop_add(loop, fd, EPOLLIN, on_conn, c);
	if (mode == SLOW_TURN || mode == DRIP_SOURCE) {
		c->timer = loop_timer(loop, on_tick, c);
		loop_timer_set(loop, c->timer, TICK_MSEC);
	}
	conn_wait(c);
}

static void on_listener(void *arg, uint32_t events)
{
	struct port *p = arg;
	int fd;

	(void)events;
	while ((fd = fds_accept(p->fd, &p->spare)) >= 0)
		conn_new(p->mode, fd);
}

/* Where a datagram was going, from what came with it. */
static void find_to(struct msghdr *m, struct sockaddr_in6 *to)
{
	struct cmsghdr *c;
	struct in6_pktinfo info;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		to->sin6_addr = info.ipi6_addr;
	}
}

/* The answer leaves from where the question was going to: the control message that told us says so. */
static void on_datagram(void *arg, uint32_t events)
{
	struct port *p = arg;
	struct sockaddr_in6 from, to;
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))], a[WORLD_NAME], b[WORLD_NAME];
	struct iovec iov = { scratch, sizeof(scratch) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from };
	socklen_t len = sizeof(to);
	ssize_t n;

	(void)events;
	getsockname(p->fd, (struct sockaddr *)&to, &len);
	for (;;) {
		m.msg_namelen = sizeof(from);
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		iov.iov_len = sizeof(scratch);
		n = recvmsg(p->fd, &m, MSG_DONTWAIT);
		if (n < 0)
			return;
		find_to(&m, &to);
		if (p->mode != FAST_UDP)
			world_say("udp %s %s %zd", world_name(&from, a), world_name(&to, b), n);
		iov.iov_len = (size_t)n;
		if (p->mode != MUTE && sendmsg(p->fd, &m, MSG_DONTWAIT) < 0)
			world_say("unsent %s %s %zd: %s", world_name(&to, b), world_name(&from, a), n, errstr(errno));
	}
}

static void port_open(struct port *p, enum mode mode, uint16_t port)
{
	bool udp = mode == UDP || mode == FAST_UDP || mode == MUTE;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int yes = 1, room = 8 << 20;

	*p = (struct port){ .mode = mode, .watch = -1, .spare = -1 };
	p->fd = world_socket(udp ? SOCK_DGRAM : SOCK_STREAM);
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(p->fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    (!udp && listen(p->fd, mode == STALL ? 0 : BACKLOG) < 0))
		die(1, "port %u: %s", port, errstr(errno));
	if (udp) {
		setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
		setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
		setsockopt(p->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes));
	}
	if (mode != STALL)
		p->watch = loop_add(loop, p->fd, EPOLLIN, udp ? on_datagram : on_listener, p);
}

static void port_parse(struct port *p, const char *word)
{
	const char *colon = strchr(word, ':');
	unsigned int mode;

	for (mode = 0; colon && mode < MODE_COUNT; mode++)
		if (strlen(modes[mode].name) == (size_t)(colon - word) &&
		    !memcmp(modes[mode].name, word, (size_t)(colon - word)))
			break;
	if (colon && mode < MODE_COUNT) {
		port_open(p, (enum mode)mode, (uint16_t)strtoul(colon + 1, NULL, 10));
		return;
	}
	die(2, "%s: is no MODE:PORT", word);
}

int main(int argc, char *argv[])
{
	int i;

	log_init("world_server", false);
	if (argc < 3 || argc - 3 > PORTS_MAX)
		die(2, "usage: world_server LOG TAG [MODE:PORT]...");
	fds_raise_limit();
	world_log(argv[1], argv[2]);
	loop = loop_new();
	for (i = 3; i < argc; i++)
		port_parse(&ports[i], argv[i]);
	for (i = 0; argc == 3 && i < MODE_COUNT; i++)
		port_open(&ports[i], (enum mode)i, modes[i].port);
	world_ready();
	return loop_run(loop) ? 1 : 0;
}

// SPDX-License-Identifier: ISC
/*
 * stack.c - libslirp, which carries TCP, UDP and echo out by ordinary sockets.
 *
 * libslirp wants to be asked, before each sleep, what it waits for, and to be told, after it, what happened. Its
 * descriptors are mirrored into an epoll of their own (mirror.h), which is one watch of the loop: stack_settle() asks, the
 * watch collects events of many descriptors and tells of them at once.
 *
 *	stack_input() ... stack_settle() --> sleep --> events or time --> slirp_pollfds_poll() --> stack_settle()
 *
 * DHCP, DNS and advertisements are ours (filter.h): its own are off, its one timer never runs out, and emulation of
 * protocols that carry addresses, which libslirp itself calls unsafe, stays off.
 */
#include "stack.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <slirp/libslirp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "log.h"
#include "loop.h"
#include "mirror.h"
#include "util.h"

enum { BATCH = 64, TURNS = 64, TURN_BYTES = 256 << 10, BACKLOG = 128, MAP_BYTES = 60 << 10 };

struct stack {
	Slirp *slirp;
	struct loop *loop;
	struct mirror mirror;
	int watch, timer;
	unsigned int opened;            /* descriptors, ever */
	int newest;                     /* the one that was opened last; -1: it is closed, or was never listed */
	size_t sent;                    /* bytes to the guest since it was last told that no more come for now */
	uint64_t armed;                 /* when the timer runs out, in milliseconds; 0: it does not */
	stack_fn *output;
	void (*settled)(void *arg);
	void *arg;
};

static int64_t clock_ns(void *opaque)
{
	struct timespec t;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t now_msec(void)
{
	return (uint64_t)clock_ns(NULL) / 1000000;
}

static void opened(int fd, void *opaque)
{
	struct stack *st = opaque;

	st->opened++;
	st->newest = mirror_opened(&st->mirror, fd) ? -1 : fd;
}

static void closing(int fd, void *opaque)
{
	struct stack *st = opaque;

	if (st->newest == fd)
		st->newest = -1;
	mirror_closing(&st->mirror, fd);
}

/*
 * The other's end is heard of where there is to be read, and nowhere else: told of it libslirp reads, also from a socket
 * that it takes to be connecting yet, and resets the guest for whom it cannot be.
 */
static int want(int fd, int events, void *opaque)
{
	struct stack *st = opaque;
	uint32_t bits = 0;

	bits |= events & SLIRP_POLL_IN ? EPOLLIN | EPOLLRDHUP : 0;
	bits |= events & SLIRP_POLL_OUT ? EPOLLOUT : 0;
	bits |= events & SLIRP_POLL_PRI ? EPOLLPRI : 0;
	return mirror_want(&st->mirror, fd, bits) < 0 ? -1 : fd;
}

/* An error came, and nothing else has: if it ended the connection, see that the next send() says so. */
static void take_error(int fd)
{
	struct msghdr m = { 0 };
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err)
		shutdown(fd, SHUT_RDWR);
	else if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		debug("socket %d: an error that is none: %s", fd, errstr(errno));
}

/*
 * A socket that is not to be read is on its way to its server, or has a guest that reads nothing. Told of an error
 * libslirp reads it all the same, takes the reason off it, and goes on with what is no connection: so it hears that it
 * can write, which fails.
 */
static int happened(int idx, void *opaque)
{
	struct stack *st = opaque;
	uint32_t e = mirror_happened(&st->mirror, idx);
	int events = 0;

	if (e & (EPOLLERR | EPOLLHUP) && mirror_wanted(&st->mirror, idx) & EPOLLOUT &&
	    !(mirror_wanted(&st->mirror, idx) & EPOLLIN)) {
		if (!(e & (EPOLLOUT | EPOLLHUP)))
			take_error(idx);
		return SLIRP_POLL_OUT;
	}
	events |= e & EPOLLIN ? SLIRP_POLL_IN : 0;
	events |= e & EPOLLOUT ? SLIRP_POLL_OUT : 0;
	events |= e & EPOLLPRI ? SLIRP_POLL_PRI : 0;
	events |= e & EPOLLERR ? SLIRP_POLL_ERR : 0;
	events |= e & (EPOLLHUP | EPOLLRDHUP) ? SLIRP_POLL_HUP : 0;
	return events;
}

/* Have it say what it waits for. */
static void ask(struct stack *st)
{
	uint32_t timeout = UINT32_MAX;
	uint64_t now = now_msec();

	mirror_begin(&st->mirror);
	slirp_pollfds_fill(st->slirp, &timeout, want, st);
	mirror_end(&st->mirror);
	/* One that runs out too early does no harm, and costs less than setting it each time. */
	if (timeout != UINT32_MAX && (!st->armed || st->armed > now + timeout)) {
		st->armed = now + MAX(timeout, 1u);
		loop_timer_set(st->loop, st->timer, MAX(timeout, 1u));
	}
}

/**
 * stack_settle() - be ready to sleep; call it after stack_input(), once for a batch of frames
 * @st: initialized
 */
void stack_settle(struct stack *st)
{
	ask(st);
	if (st->settled)
		st->settled(st->arg);
}

/**
 * stack_nudge() - what waited for an answer about who has an address, which came, goes out now
 *
 * libslirp knows STACK_NEIGHBOURS. A packet for another one waits until there is something else to send, else for up to a
 * second, though the answer to its question was there before the question's call had returned.
 * @st: initialized; not from within @output
 */
void stack_nudge(struct stack *st)
{
	slirp_pollfds_poll(st->slirp, 1, happened, st);
}

/*
 * It takes one datagram of a socket, and leaves the others for the next time: many times, so that they are a batch, but no
 * more than so many bytes, for the guest's own frames wait meanwhile.
 */
static void on_events(void *arg, uint32_t events)
{
	struct stack *st = arg;
	int fds[BATCH], n = mirror_collect(&st->mirror, fds, BATCH), turn = 0;

	(void)events;
	st->sent = 0;
	do {
		slirp_pollfds_poll(st->slirp, 0, happened, st);
		mirror_settled(&st->mirror, fds, n);
		ask(st);
	} while (++turn < TURNS && st->sent < TURN_BYTES && (n = mirror_collect(&st->mirror, fds, BATCH)) > 0);
	if (st->settled)
		st->settled(st->arg);
}

static void on_time(void *arg, uint32_t events)
{
	struct stack *st = arg;

	st->armed = 0;
	on_events(arg, events);
}

/* -- what libslirp calls -- */

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct stack *st = opaque;

	st->output(st->arg, buf, len);
	st->sent += len;
	return (ssize_t)len;
}

static void guest_error(const char *msg, void *opaque)
{
	(void)opaque;
	debug("guest: %s", msg);
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	(void)id;
	(void)cb_opaque;
	return opaque;
}

static void timer_free(void *timer, void *opaque)
{
	(void)timer;
	(void)opaque;
}

static void timer_mod(void *timer, int64_t msec, void *opaque)
{
	(void)timer;
	(void)msec;
	(void)opaque;
}

static void nothing(void *opaque)
{
	(void)opaque;
}

static void init_completed(Slirp *slirp, void *opaque)
{
	(void)slirp;
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new_opaque = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = opened,
	.unregister_poll_fd = closing,
	.notify = nothing,
	.init_completed = init_completed,
};

static struct in_addr in4(const struct addr *a)
{
	struct in_addr in;

	memcpy(&in, a->b + 12, 4);
	return in;
}

static struct in6_addr in6(const struct addr *a)
{
	struct in6_addr in;

	memcpy(&in, a->b, 16);
	return in;
}

/*
 * A connection has two buffers of 128 KiB, which are made larger before anything is in them: mapped, that is a mremap()
 * and no copy, and what a short one does not touch is never there. But malloc() would raise its threshold after the first,
 * and take to its heap where that has such a piece: packets of the largest MTU, which leave some, are mapped, too.
 */
static void tune_malloc(void)
{
	mallopt(M_MMAP_THRESHOLD, MAP_BYTES);
}

static Slirp *start(struct stack *st, const struct subnet *s)
{
	unsigned int bits = s->net4.bits - 96;
	SlirpConfig c = {
		.version = 4, .if_mtu = s->mtu, .if_mru = s->mtu, .disable_dns = true, .disable_dhcp = true,
		.in_enabled = s->v4, .vnetwork = in4(&s->net4.addr), .vhost = in4(&s->gateway4), .vnameserver = in4(&s->dns4),
		.vnetmask.s_addr = htonl(bits ? 0xffffffffu << (32 - bits) : 0), .vdhcp_start = in4(&s->guest4),
		.in6_enabled = s->v6, .vprefix_addr6 = in6(&s->net6.addr), .vprefix_len = (uint8_t)s->net6.bits,
		.vhost6 = in6(&s->gateway6), .vnameserver6 = in6(&s->dns6),
	};

	return slirp_new(&c, &callbacks, st);
}

/**
 * stack_new() - start libslirp
 * @l: borrowed for as long; runs everything
 * @s: read now
 * @output, @arg: frames to the guest
 * @settled: called when no more of them come for now, see stack_settle(); NULL: nobody wants to know
 * Return: it; NULL with errno.
 */
struct stack *stack_new(struct loop *l, const struct subnet *s, stack_fn *output, void (*settled)(void *arg), void *arg)
{
	struct stack *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	tune_malloc();
	*st = (struct stack){ .loop = l, .watch = -1, .timer = -1, .newest = -1, .output = output, .settled = settled, .arg = arg };
	if (!mirror_init(&st->mirror))
		st->watch = loop_add(l, st->mirror.epfd, EPOLLIN, on_events, st);
	if (st->watch >= 0)
		st->timer = loop_timer(l, on_time, st);
	if (st->timer >= 0)
		st->slirp = start(st, s);
	if (!st->slirp) {
		stack_free(st);
		errno = ENOMEM;
		return NULL;
	}
	stack_settle(st);
	return st;
}

/** stack_free() - end it: connections are closed, and nobody is told. @st: may be NULL. */
void stack_free(struct stack *st)
{
	if (!st)
		return;
	if (st->slirp)
		slirp_cleanup(st->slirp);
	loop_timer_del(st->loop, &st->timer);
	loop_del(st->loop, &st->watch);
	mirror_free(&st->mirror);
	free(st);
}

/**
 * stack_input() - a frame of the guest that was let through
 *
 * What libslirp says while it takes it may be answered by another call of this: of a question who has an address.
 *
 * @st
 * @frame, @len: copied
 * Return: whether libslirp has opened a descriptor for it.
 */
bool stack_input(struct stack *st, const uint8_t *frame, size_t len)
{
	unsigned int before = st->opened;

	slirp_input(st->slirp, frame, (int)len);
	return st->opened != before;
}

/**
 * stack_pings() - whether this host lets us send echo requests
 *
 * Where it does not, libslirp sends a datagram to port 7 of whom they were for, which no rule has allowed: keep them from
 * it. A raw socket, which root may have without the sandbox, hears what others are answered, too: it is not asked for.
 *
 * Return: so; else errno says why not.
 */
bool stack_pings(void)
{
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);

	return fd >= 0;
}

/** stack_changes() - how often the mirror had to be changed, for tests and figures. @st. Return: times. */
unsigned int stack_changes(const struct stack *st)
{
	return st->mirror.changes;
}

/* -- forwards -- */

union any {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t to_sockaddr(union any *u, const struct addr *a, uint16_t port)
{
	memset(u, 0, sizeof(*u));
	if (addr_is_v4(a)) {
		u->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = in4(a) };
		return sizeof(u->v4);
	}
	u->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6(a) };
	return sizeof(u->v6);
}

/* libslirp lets one connection wait, so that of twenty at once most wait a second, and try again. */
static void deepen(struct stack *st, const union any *at, socklen_t atlen)
{
	size_t i;

	for (i = 0; i < st->mirror.listed_n; i++) {
		socklen_t optlen = sizeof(int), len = sizeof(union any);
		int fd = st->mirror.listed[i], listens = 0;
		union any u = { 0 };

		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &optlen);
		if (listens && !getsockname(fd, &u.sa, &len) && len == atlen && !memcmp(&u, at, len))
			listen(fd, BACKLOG);
	}
}

static bool same_place(const union any *x, const union any *y)
{
	return x->sa.sa_family == AF_INET6 && y->sa.sa_family == AF_INET6 && x->v6.sin6_port == y->v6.sin6_port &&
	       !memcmp(&x->v6.sin6_addr, &y->v6.sin6_addr, sizeof(x->v6.sin6_addr));
}

/* The two ends of a connected socket. Return: whether there are such. */
static bool ends_of(int fd, union any *near, union any *far)
{
	socklen_t nlen = sizeof(*near), flen = sizeof(*far);

	return !getsockname(fd, &near->sa, &nlen) && !getpeername(fd, &far->sa, &flen);
}

/**
 * stack_mark() - say whose connection it is that libslirp has just opened
 * @st: stack_input() returned true; nothing happens when it has closed it already
 * @mark: copied; stack_made() tells it once, as long as the descriptor is open
 */
void stack_mark(struct stack *st, const struct mirror_mark *mark)
{
	if (st->newest >= 0)
		*mirror_mark(&st->mirror, st->newest) = *mark;
}

/**
 * stack_made() - whether the other end of a connection is libslirp's, and whose
 *
 * A connection's four numbers are its own as long as both ends are there: the other end is the socket of libslirp that
 * has them the other way round. All that are open and marked are looked at, the newest first: not those alone that are
 * wanted, for one that is connected is not until the guest says that it knows.
 *
 * @st: initialized
 * @fd: accepted, of IPv6
 * @mark: set to what stack_mark() said, which is forgotten then
 * Return: so.
 */
bool stack_made(struct stack *st, int fd, struct mirror_mark *mark)
{
	union any near, far, near2, far2;
	size_t i = st->mirror.listed_n;

	if (!ends_of(fd, &near, &far))
		return false;
	while (i--) {
		struct mirror_mark *m = mirror_mark(&st->mirror, st->mirror.listed[i]);

		if (!m->of || !ends_of(st->mirror.listed[i], &near2, &far2) || !same_place(&near2, &far) ||
		    !same_place(&far2, &near))
			continue;
		*mark = *m;
		m->of = NULL;
		return true;
	}
	return false;
}

/**
 * stack_forward() - listen on the host for the guest
 * @st: initialized
 * @udp: else TCP
 * @host, @port: of the host; an IPv6 one takes IPv6 alone
 * @guest, @guest_port: of the same family
 * Return: 0, -errno.
 */
int stack_forward(struct stack *st, bool udp, const struct addr *host, uint16_t port,
		  const struct addr *guest, uint16_t guest_port)
{
	int flags = (udp ? SLIRP_HOSTFWD_UDP : 0) | (addr_is_v4(host) ? 0 : SLIRP_HOSTFWD_V6ONLY);
	union any h, g;
	socklen_t hlen = to_sockaddr(&h, host, port), glen = to_sockaddr(&g, guest, guest_port);

	if (addr_is_v4(host) != addr_is_v4(guest))
		return -EAFNOSUPPORT;
	errno = 0;
	if (slirp_add_hostxfwd(st->slirp, &h.sa, hlen, &g.sa, glen, flags) < 0)
		return errno ? -errno : -EINVAL;
	stack_settle(st);
	deepen(st, &h, hlen);
	return 0;
}

/** stack_unforward() - listen no more. @st, @udp, @host, @port: as stack_forward() had them. Return: 0, -ENOENT. */
int stack_unforward(struct stack *st, bool udp, const struct addr *host, uint16_t port)
{
	int flags = (udp ? SLIRP_HOSTFWD_UDP : 0) | (addr_is_v4(host) ? 0 : SLIRP_HOSTFWD_V6ONLY);
	union any h;
	socklen_t hlen = to_sockaddr(&h, host, port);

	if (slirp_remove_hostxfwd(st->slirp, &h.sa, hlen, flags) < 0)
		return -ENOENT;
	stack_settle(st);
	return 0;
}

/**
 * stack_unix() - carry the guest's connections to an address of its network to a UNIX socket on the host
 *
 * libslirp connects when the guest's handshake is complete, within stack_input(), and blocks until there is room in the
 * backlog: have one, and accept at once. What it cannot connect, it tells "Error: No application configured." It is for
 * good: removing it would leak.
 *
 * @st: initialized
 * @path: copied
 * @to, @port: IPv4, of the guest's network, neither gateway nor DNS server
 * Return: 0; -EINVAL.
 */
int stack_unix(struct stack *st, const char *path, const struct addr *to, uint16_t port)
{
	struct in_addr in = in4(to);

	return slirp_add_unix(st->slirp, path, &in, port) < 0 ? -EINVAL : 0;
}

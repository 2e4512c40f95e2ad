// SPDX-License-Identifier: ISC
/*
 * hostaddr.c - the addresses of this host, as the kernel has them now (rtnetlink(7)).
 *
 * First the kernel is asked to tell every change, then for all there are: nothing falls between. A change is one
 * message; when some were lost, all are asked for again.
 *
 *	FOLLOWING --asked for all--> DUMPING --done--> FOLLOWING: what was not told again is gone
 *	DUMPING --done, but it was changed meanwhile--> DUMPING, from the start
 *	any --the socket fails, or memory is short--> BLIND
 *
 * Who asks while BLIND hears that any address is this host's: it fails closed.
 */
#include "hostaddr.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "hostset.h"
#include "log.h"
#include "loop.h"
#include "util.h"

enum { BUFFER = 32 << 10, START_MSEC = 5000, ROUNDS = 64 };

enum hostaddr_state { HOSTADDR_FOLLOWING, HOSTADDR_DUMPING, HOSTADDR_BLIND };

struct hostaddr {
	enum hostaddr_state state;
	struct hostset set;
	uint32_t round;                 /* of the dump under way or the last one; its sequence number */
	bool interrupted;               /* the kernel says that it changed under the dump */
	int fd, watch;
	struct loop *loop;
	hostaddr_fn *fn;
	void *arg;
};

static void go_blind(struct hostaddr *h, const char *why)
{
	if (h->state != HOSTADDR_BLIND)
		warn("addresses of this host: %s: guests reach only what rules give as an address", why);
	h->state = HOSTADDR_BLIND;
	h->set.changed = true;
	if (h->loop)
		loop_del(h->loop, &h->watch);
	cleanup_fd(&h->fd);
}

/* Ask for all. Return: 0; -errno. */
static int ask(struct hostaddr *h)
{
	struct { struct nlmsghdr head; struct ifaddrmsg body; } request = {
		.head = {
			.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = ++h->round,
		},
		.body = { .ifa_family = AF_UNSPEC },
	};

	h->interrupted = false;
	h->state = HOSTADDR_DUMPING;
	return send(h->fd, &request, sizeof(request), MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void ask_again(struct hostaddr *h)
{
	int err = ask(h);

	if (err < 0)
		go_blind(h, errstr(-err));
}

/* Changes were lost. The kernel takes no second request during a dump; what is part of one, its end too, is never lost. */
static void lost(struct hostaddr *h)
{
	if (h->state == HOSTADDR_DUMPING)
		h->interrupted = true;
	else
		ask_again(h);
}

/* One address of a message, into or out of the set. */
static void change(struct hostaddr *h, bool is_new, const struct ifaddrmsg *m, const uint8_t *data, size_t len)
{
	struct hostset_entry e = { .interface = m->ifa_index, .round = h->round };

	if (m->ifa_family == AF_INET && len == 4)
		e.addr = addr_v4(data);
	else if (m->ifa_family == AF_INET6 && len == sizeof(e.addr))
		memcpy(&e.addr, data, len);
	else
		return;
	if (!is_new)
		hostset_erase(&h->set, &e);
	else if (hostset_insert(&h->set, &e) < 0)
		go_blind(h, "there are too many");
}

/* RTM_NEWADDR, RTM_DELADDR. On a point-to-point link, IFA_ADDRESS is the peer's and IFA_LOCAL ours. */
static void address(struct hostaddr *h, bool is_new, const uint8_t *body, size_t len)
{
	const uint8_t *own = NULL, *broadcast = NULL;
	size_t at = NLMSG_ALIGN(sizeof(struct ifaddrmsg)), own_len = 0, broadcast_len = 0;
	bool local = false;
	struct ifaddrmsg m;

	if (len < sizeof(m))
		return;
	memcpy(&m, body, sizeof(m));
	while (at < len && len - at >= sizeof(struct rtattr)) {
		struct rtattr attr;

		memcpy(&attr, body + at, sizeof(attr));
		if (attr.rta_len < sizeof(attr) || attr.rta_len > len - at)
			return;
		if (attr.rta_type == IFA_LOCAL || (attr.rta_type == IFA_ADDRESS && !local)) {
			local = attr.rta_type == IFA_LOCAL;
			own = body + at + sizeof(attr);
			own_len = attr.rta_len - sizeof(attr);
		} else if (attr.rta_type == IFA_BROADCAST) {
			broadcast = body + at + sizeof(attr);
			broadcast_len = attr.rta_len - sizeof(attr);
		}
		at += RTA_ALIGN(attr.rta_len);
	}
	if (own)
		change(h, is_new, &m, own, own_len);
	/* Other addresses may have the same one: it stays protected until all are asked for again. */
	if (broadcast && is_new)
		change(h, is_new, &m, broadcast, broadcast_len);
}

/* A dump's end, which carries how it went. */
static void done(struct hostaddr *h, const uint8_t *body, size_t len)
{
	int32_t err = 0;

	assert(h->state == HOSTADDR_DUMPING);
	if (len >= sizeof(err))
		memcpy(&err, body, sizeof(err));
	if (err) {
		go_blind(h, "the kernel does not tell them all");
	} else if (h->interrupted) {
		ask_again(h);
	} else {
		h->state = HOSTADDR_FOLLOWING;
		hostset_sweep(&h->set, h->round);
	}
}

static void message(struct hostaddr *h, const struct nlmsghdr *head, const uint8_t *body, size_t len)
{
	bool ours = h->state == HOSTADDR_DUMPING && head->nlmsg_seq == h->round;

	if (ours && (head->nlmsg_flags & NLM_F_DUMP_INTR))
		h->interrupted = true;
	switch (head->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		address(h, head->nlmsg_type == RTM_NEWADDR, body, len);
		break;
	case NLMSG_DONE:
		if (ours)
			done(h, body, len);
		break;
	case NLMSG_ERROR:
		if (ours)
			go_blind(h, "the kernel does not tell them");
		break;
	}
}

/**
 * hostaddr_feed() - take messages of the kernel
 * @h: set
 * @bytes, @len: of one datagram; what is malformed is left out, with all that follows it
 */
void hostaddr_feed(struct hostaddr *h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	struct nlmsghdr head;

	while (len >= sizeof(head) && h->state != HOSTADDR_BLIND) {
		size_t step;

		memcpy(&head, p, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len)
			return;
		message(h, &head, p + sizeof(head), head.nlmsg_len - sizeof(head));
		step = MIN(NLMSG_ALIGN((size_t)head.nlmsg_len), len);
		p += step;
		len -= step;
	}
}

/* Take one datagram. Return: 0 when it was one, or was lost; -EAGAIN when there is none; another -errno. */
static int take(struct hostaddr *h)
{
	struct sockaddr_nl from = { 0 };
	static uint8_t buffer[BUFFER];
	struct iovec iov = { buffer, sizeof(buffer) };
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(h->fd, &msg, MSG_DONTWAIT);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno != ENOBUFS)
		return -errno;
	/* Any process may send to this socket. */
	if (n >= 0 && (msg.msg_namelen != sizeof(from) || from.nl_pid))
		return 0;
	if (n < 0 || (msg.msg_flags & MSG_TRUNC))
		lost(h);
	else
		hostaddr_feed(h, buffer, (size_t)n);
	return 0;
}

static void on_netlink(void *arg, uint32_t events)
{
	struct hostaddr *h = arg;
	int i, err = 0;

	(void)events;
	for (i = 0; i < ROUNDS && !err && h->state != HOSTADDR_BLIND; i++)
		err = take(h);
	if (err && err != -EAGAIN)
		go_blind(h, errstr(-err));
	if (h->set.changed && h->state != HOSTADDR_DUMPING) {
		h->set.changed = false;
		if (h->fn)
			h->fn(h->arg);
	}
}

/** hostaddr_new() - an empty set, for hostaddr_follow() or hostaddr_feed(). Return: it; NULL with errno. */
struct hostaddr *hostaddr_new(void)
{
	struct hostaddr *h = calloc(1, sizeof(*h));

	if (h)
		h->fd = h->watch = -1;
	return h;
}

/** hostaddr_free() - end following, and free. @h: may be NULL. */
void hostaddr_free(struct hostaddr *h)
{
	if (!h)
		return;
	if (h->loop)
		loop_del(h->loop, &h->watch);
	cleanup_fd(&h->fd);
	hostset_free(&h->set);
	free(h);
}

/* Wait until a dump is over. Return: 0; -ETIMEDOUT; -EIO when it went wrong; another -errno. */
static int finish_dump(struct hostaddr *h)
{
	struct pollfd pfd = { .fd = h->fd, .events = POLLIN };
	int err;

	while (h->state == HOSTADDR_DUMPING) {
		int n = poll(&pfd, 1, START_MSEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ETIMEDOUT;
		err = take(h);
		if (err && err != -EAGAIN)
			return err;
	}
	return h->state == HOSTADDR_BLIND ? -EIO : 0;
}

/**
 * hostaddr_follow() - learn this host's addresses now, and every change from now on
 * @h: new
 * @loop: borrowed, for as long as @h lives; waits once for the kernel's answer, before the loop runs
 * @fn: called from the loop after changes; may be NULL. @arg: its argument
 * Return: 0; -errno: do not start without.
 */
int hostaddr_follow(struct hostaddr *h, struct loop *loop, hostaddr_fn *fn, void *arg)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	int err;

	assert(h->fd < 0);
	h->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return -errno;
	err = ask(h);
	if (!err)
		err = finish_dump(h);
	if (err)
		return err;
	h->set.changed = false;
	h->watch = loop_add(loop, h->fd, EPOLLIN, on_netlink, h);
	h->loop = loop;
	h->fn = fn;
	h->arg = arg;
	return h->watch < 0 ? h->watch : 0;
}

/** hostaddr_has() - whether an address is this host's, or a broadcast address of its networks. @h, @a. Return: so. */
bool hostaddr_has(const struct hostaddr *h, const struct addr *a)
{
	return h->state == HOSTADDR_BLIND || hostset_has(&h->set, a);
}

/** hostaddr_count() - how many there are, by interface. @h. Return: it. */
size_t hostaddr_count(const struct hostaddr *h)
{
	return h->set.count;
}

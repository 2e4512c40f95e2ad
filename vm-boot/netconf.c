// SPDX-License-Identifier: ISC
/*
 * netconf.c - which interfaces a VM was asked to have, and where their peers are.
 *
 *	--net fd:N|PATH[,mac=MAC][,mtu=N]	a frames socket: connected, listening, or to connect to
 *	--net plug[,mac=MAC][,mtu=N]		none yet: a control socket comes with the verb `net-plug`
 *	VM_NET=fd:N|PATH			a control socket, which gives one when asked for `frames`, and with it
 *						what the guest is to know: mac, mtu, addresses, gateway, DNS
 *
 * All is opened, and the first peer of a path is there, before the machine is made: a network that was asked for
 * and is not there is an error, and not a guest without one. A word of VM_NET's is looked at before the guest gets it.
 */
#include "netconf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "log.h"
#include "msg.h"
#include "opts.h"
#include "rundir.h"
#include "sockpath.h"
#include "util.h"

enum { ASK_MSEC = 10000, MTU_MIN = 68, MTU_MAX = 65535 };

static int fail(int err, char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static int fail(int err, char *text, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, size, fmt, ap);
	va_end(ap);
	return err;
}

/* Six pairs of hexadecimal digits, of a station and not of a group. */
static bool parse_mac(const char *s, uint8_t mac[6])
{
	unsigned int b[6], i;
	char end;

	if (strlen(s) != 17 || strspn(s, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6)
		return false;
	for (i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return !(mac[0] & 1) && (b[0] | b[1] | b[2] | b[3] | b[4] | b[5]);
}

/* mac= or mtu=. Return: 1; 0 for another word; -EINVAL. */
static int parse_card(struct net_config *c, const char *word)
{
	uint64_t mtu;

	if (!strncmp(word, "mac=", 4)) {
		c->has_mac = parse_mac(word + 4, c->mac);
		return c->has_mac ? 1 : -EINVAL;
	}
	if (strncmp(word, "mtu=", 4))
		return 0;
	if (parse_u64(word + 4, MTU_MIN, MTU_MAX, &mtu))
		return -EINVAL;
	c->mtu = (uint16_t)mtu;
	return 1;
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

/* An inherited descriptor, close-on-exec from now on. */
static int inherited(const char *spec, int type, int *fd)
{
	int n;

	if (parse_fd(spec, &n))
		return -EINVAL;
	if (fcntl(n, F_SETFD, FD_CLOEXEC) < 0)
		return -EBADF;
	if (socket_option(n, SO_TYPE) != type)
		return -ENOTSOCK;
	*fd = n;
	return 0;
}

static void clear(struct net_config *c)
{
	*c = (struct net_config){ .fd = -1, .listener = -1, .control = -1, .dir = -1, .shared = -1 };
}

/* The place of @spec: an inherited socket of @type, set in @fd, or one to connect to, which it is then. */
static int open_place(struct net_config *c, const char *spec, int type, int *fd)
{
	int err;

	if (!strncmp(spec, "fd:", 3))
		return inherited(spec, type, fd);
	c->dir = sockpath_open(spec, c->name);
	err = c->dir;
	if (err >= 0)
		err = *fd = rundir_connect(c->dir, c->name, type);
	return MIN(err, 0);
}

/**
 * netconf_parse() - read an argument of --net, and open what it names
 * @c: filled in; netconf_close() it
 * @spec: fd:N|PATH|plug[,mac=MAC][,mtu=N]
 * @err, @errsize: what is wrong
 * Return: 0 or -errno.
 */
int netconf_parse(struct net_config *c, const char *spec, char *err, size_t errsize)
{
	autofree char *copy = strdup(spec);
	char *rest = copy, *place = strsep(&rest, ","), *word;
	int e;

	clear(c);
	while ((word = strsep(&rest, ",")))
		if (parse_card(c, word) <= 0)
			return fail(-EINVAL, err, errsize, "--net: '%s' is none of mac=XX:XX:XX:XX:XX:XX (of one station) "
				    "and mtu=%d-%d", word, MTU_MIN, MTU_MAX);
	if (!strcmp(place, "plug")) {
		c->from = NET_FROM_CONTROL;
		return 0;
	}
	e = open_place(c, place, SOCK_STREAM, &c->fd);
	if (e == -ENOTSOCK || e == -EINVAL)
		return fail(e, err, errsize, "--net: %s: is no descriptor of a stream socket", place);
	if (e)
		return fail(e, err, errsize, "--net: %s: %s", place, errstr(e));
	c->from = c->dir >= 0 ? NET_FROM_PATH : NET_FROM_FD;
	if (c->dir < 0 && socket_option(c->fd, SO_ACCEPTCONN) == 1) {
		c->from = NET_FROM_LISTENER;
		c->listener = steal_fd(&c->fd);
	}
	return 0;
}

/* Addresses, divided by commas, each perhaps with a prefix length. */
static bool addresses_ok(const char *list)
{
	char one[64];

	for (;;) {
		size_t len = strcspn(list, ","), addr = strcspn(list, ",/");
		bool v6 = memchr(list, ':', len);
		uint8_t bytes[16];
		uint64_t bits;

		if (len >= sizeof(one))
			return false;
		snprintf(one, sizeof(one), "%.*s", (int)len, list);
		if (len > addr && parse_u64(one + addr + 1, 0, v6 ? 128 : 32, &bits))
			return false;
		one[addr] = 0;
		if (inet_pton(v6 ? AF_INET6 : AF_INET, one, bytes) != 1)
			return false;
		if (!list[len])
			return true;
		list += len + 1;
	}
}

/* A word for the guest, if it is one that we know. */
static int add_guest_word(struct net_config *c, const char *word)
{
	static const char *const known[] = { "addr=", "addr6=", "gateway=", "gateway6=", "dns=" };
	size_t used = strlen(c->guest), i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		size_t len = strlen(known[i]);
		const char *value = word + len;

		if (strncmp(word, known[i], len))
			continue;
		if (!*value)
			return 0;
		if (!addresses_ok(value))
			return -EINVAL;
		if ((size_t)snprintf(c->guest + used, sizeof(c->guest) - used, "%s%s", used ? " " : "", word) >=
		    sizeof(c->guest) - used)
			return -E2BIG;
		return 0;
	}
	return 0;       /* a newer network's */
}

/**
 * netconf_reply() - take what a control socket answered to `frames`
 * @c: its fd is set, and mac, mtu and guest as they are told
 * @m: the reply, whose descriptor is taken; emptied
 * @err, @errsize: what is wrong
 * Return: 0; -EBUSY when somebody else has the frames; -errno.
 */
int netconf_reply(struct net_config *c, struct msg *m, char *err, size_t errsize)
{
	bool refused = !strcmp(m->word[0], "error") && m->words >= 2;
	int i, e = 0, fd = -1;

	c->guest[0] = 0;
	if (refused)
		e = fail(!strcmp(m->word[1], "EBUSY") ? -EBUSY : -EIO, err, errsize, "%.100s",
			 m->word[m->words > 2 ? 2 : 1]);
	else if (strcmp(m->word[0], "ok") || m->fds != 1 || (fd = msg_take_fd(m, 0)) < 0 ||
		 socket_option(fd, SO_TYPE) != SOCK_STREAM)
		e = fail(-EBADMSG, err, errsize, "its answer has no stream socket");
	for (i = 1; i < m->words && !e; i++) {
		int got = parse_card(c, m->word[i]);

		if (got < 0 || (!got && add_guest_word(c, m->word[i])))
			e = fail(-EBADMSG, err, errsize, "it says '%.60s', which means nothing", m->word[i]);
	}
	msg_drop(m);
	if (e)
		cleanup_fd(&fd);
	c->fd = fd;
	return e;
}

/**
 * netconf_reply_again() - the same for a card that is there: what it is stays, and only the guest's words change
 * @c, @m, @err, @errsize: as for netconf_reply()
 * Return: as that.
 */
int netconf_reply_again(struct net_config *c, struct msg *m, char *err, size_t errsize)
{
	struct net_config card = *c;
	int e = netconf_reply(c, m, err, errsize);

	c->has_mac = card.has_mac;
	memcpy(c->mac, card.mac, sizeof(c->mac));
	c->told_mtu = c->mtu;
	c->mtu = card.mtu;
	return e;
}

/**
 * netconf_words() - what the guest's agent is to know of a card (proto.h, NET)
 * @c
 * @text: set to it; "": nothing
 * @size: NETCONF_WORDS
 */
void netconf_words(const struct net_config *c, char *text, size_t size)
{
	unsigned int mtu = c->mtu && c->told_mtu ? MIN(c->mtu, c->told_mtu) : MAX(c->mtu, c->told_mtu);
	const uint8_t *m = c->mac;
	char word[16] = "";

	if (mtu)
		snprintf(word, sizeof(word), " mtu=%u", mtu);
	*text = 0;
	if (*c->guest)
		snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x%s %s", m[0], m[1], m[2], m[3], m[4], m[5], word, c->guest);
}

/* What guests can be called: a label of a host name (RFC 1123 §2.1). A VM of another name has none there. */
static bool is_label(const char *s)
{
	size_t len = strlen(s);

	return len && len < NETCONF_CALLED && *s != '-' && s[len - 1] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == len;
}

static void set_called(struct net_config *c, const char *name)
{
	if (name && is_label(name))
		memcpy(c->called, name, strlen(name) + 1);
}

/** netconf_ask() - ask for frames. @c: with a control socket. Return: 0, -errno; the answer is for netconf_reply(). */
int netconf_ask(const struct net_config *c)
{
	struct msg m;

	msg_init(&m);
	msg_add(&m, "frames");
	if (*c->called)
		msg_add(&m, c->called);
	return msg_send(c->control, &m);
}

/* An answer, which is awaited so long. Return: 0 or -errno. */
static int answer(int sock, struct msg *m)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int e;

	if (poll(&p, 1, ASK_MSEC) != 1)
		return -ETIMEDOUT;
	e = msg_recv(sock, m, false);
	return e ? MIN(e, 0) : -EPIPE;
}

/* Who shares a connection takes the others' answers: have one of our own. A network that gives none is asked there. */
static int part(struct net_config *c)
{
	struct msg m;
	int e;

	msg_init(&m);
	msg_add(&m, "dial");
	e = msg_send(c->shared, &m);
	if (!e)
		e = answer(c->shared, &m);
	if (e)
		return e;
	c->control = m.fds ? msg_take_fd(&m, 0) : fcntl(c->shared, F_DUPFD_CLOEXEC, 0);
	msg_drop(&m);
	return c->control < 0 || socket_option(c->control, SO_TYPE) != SOCK_SEQPACKET ? -EBADMSG : 0;
}

static int ask(struct net_config *c, char *err, size_t errsize)
{
	struct msg m;
	int e = c->shared < 0 ? 0 : part(c);

	if (!e)
		e = netconf_ask(c);
	if (!e)
		e = answer(c->control, &m);
	return e ? fail(e, err, errsize, "%s", errstr(e)) : netconf_reply(c, &m, err, errsize);
}

/**
 * netconf_control() - ask the network at VM_NET for frames
 * @c: filled in; netconf_close() it
 * @spec: fd:N|PATH
 * @name: that the network's other guests are to know this one by; NULL: none
 * @err, @errsize: what is wrong
 * Return: 0 or -errno.
 */
int netconf_control(struct net_config *c, const char *spec, const char *name, char *err, size_t errsize)
{
	char why[160];
	int e;

	clear(c);
	set_called(c, name);
	c->from = NET_FROM_CONTROL;
	e = open_place(c, spec, SOCK_SEQPACKET, strncmp(spec, "fd:", 3) ? &c->control : &c->shared);
	if (e == -ENOTSOCK || e == -EINVAL)
		return fail(e, err, errsize, "VM_NET: %s: is no descriptor of a SOCK_SEQPACKET socket", spec);
	if (e)
		return fail(e, err, errsize, "VM_NET: %s: %s", spec, errstr(e));
	e = ask(c, why, sizeof(why));
	return e ? fail(e, err, errsize, "VM_NET: %s: %s", spec, why) : 0;
}

/**
 * netconf_connect() - connect to a path's socket once the machine is confined
 * @c: with a path
 * @type: SOCK_STREAM or SOCK_SEQPACKET
 *
 * The calling thread's working directory becomes the path's; it must be its own (CLONE_FS).
 * Return: the socket; -EAGAIN when the peer's backlog is full; -errno.
 */
int netconf_connect(const struct net_config *c, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || fchdir(c->dir) < 0)
		return -errno;
	memcpy(sun.sun_path, c->name, strnlen(c->name, sizeof(sun.sun_path) - 1));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/**
 * netconf_mac() - an address for a card that was given none
 * @c: without a MAC
 * @name: the VM's, or random text; the same one gives the same addresses
 * @i: which of its cards
 */
void netconf_mac(struct net_config *c, const char *name, unsigned int i)
{
	uint64_t hash = 0xcbf29ce484222325;     /* FNV-1a */
	uint8_t b[8];

	if (c->has_mac)
		return;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3;
	hash = (hash ^ (0x100 + i)) * 0x100000001b3;
	hash ^= hash >> 29;
	put_le64(b, hash);
	memcpy(c->mac, b, sizeof(c->mac));
	c->mac[0] = (uint8_t)((c->mac[0] & 0xfc) | 2);  /* locally administered, one station */
	c->has_mac = true;
}

/**
 * netconf_settle() - VM_NET's interface before the others, and an address for every card
 * @c, @n: interfaces, NETCONF_MAX at most
 * @name: the VM's, which the network of VM_NET is told; NULL: it was given none
 * @err, @errsize: what is wrong
 *
 * VM_NET leaves the environment: nobody after us shall take it for his. Return: 0 or -errno.
 */
int netconf_settle(struct net_config *c, unsigned int *n, const char *name, char *err, size_t errsize)
{
	const char *control = getenv("VM_NET");
	char any[20];
	uint64_t r = 0;
	unsigned int i;
	int e = 0;

	if (control && *control && *n == NETCONF_MAX)
		return fail(-E2BIG, err, errsize, "VM_NET: --net has named %d interfaces, and there are no more", NETCONF_MAX);
	if (control && *control) {
		memmove(c + 1, c, *n * sizeof(*c));
		e = netconf_control(c, control, name, err, errsize);
		++*n;
	}
	unsetenv("VM_NET");
	if (!e && *n && !name && getrandom(&r, sizeof(r), 0) != sizeof(r))
		e = fail(-EIO, err, errsize, "getrandom: %s", errstr(errno));
	snprintf(any, sizeof(any), "%016llx", (unsigned long long)r);
	for (i = 0; i < *n; i++) {
		netconf_mac(&c[i], name ? name : any, i);
		set_called(&c[i], name);
	}
	return e;
}

/** netconf_close() - close what was opened. @c: initialized. */
void netconf_close(struct net_config *c)
{
	cleanup_fd(&c->fd);
	cleanup_fd(&c->listener);
	cleanup_fd(&c->control);
	cleanup_fd(&c->shared);
	cleanup_fd(&c->dir);
}

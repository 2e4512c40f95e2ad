// SPDX-License-Identifier: ISC
/*
 * inlet.c - the ways by which libslirp, and nobody else, reaches this process.
 *
 *	IPv4	guest --filter, nat--> PRIVATE:1     --libslirp--> a UNIX socket of ours
 *	IPv6	guest --filter, nat--> GATEWAY6:port --libslirp--> [::1]:port --stack_made()?
 *
 * Which flow a connection is of is what the NAT's slot says that the guest's frame has, for which libslirp opened it.
 *
 * Over IPv4, libslirp leads a private address of the guest's network to a UNIX socket (stack_unix()). It connects when
 * the guest's handshake is complete, within stack_input(): what our socket has to accept right after it is of that frame's
 * flow. As it is accepted then, libslirp's connect, which would block, does not. Should there be several after all, none
 * is believed. Our socket is known to this process alone: it is bound in a directory of our own, then its name and
 * directory are removed, and libslirp knows it as /proc/self/fd/N of an O_PATH descriptor. There is nothing to clean up,
 * and a Landlock domain does not matter.
 *
 * To UNIX sockets, libslirp leads IPv4 alone. Over IPv6 it leads the gateway's ports to those of ::1, where everybody on
 * this host can connect. So a connection is believed only if its other end is a socket that libslirp has at that time, and
 * that was opened for a flow which is led here; all others are closed at once, unread. A host without ::1 has no such way.
 */
#include "inlet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "hostsock.h"
#include "log.h"
#include "loop.h"
#include "mirror.h"
#include "nat.h"
#include "stack.h"
#include "subnet.h"
#include "util.h"

enum { BACKLOG = 128, TURN = 16, PRIVATE_PORT = 1, PRIVATES = 16 };

struct inlet {
	struct loop *loop;
	struct stack *stack;
	const struct subnet *s;
	inlet_fn *fn;
	void *arg;
	int spare;
	uint64_t refused;               /* connections that found no descriptor */

	int local, inode;               /* IPv4; -1: no such way. inode: O_PATH of the listener's */
	struct addr private;
	char path[32];

	int listener, watch;            /* IPv6; -1: no such way */
	uint16_t port;
};

static int take(struct inlet *in, int listener)
{
	int fd = hostsock_accept(listener, &in->spare);

	in->refused += fd < 0 && fd != -EAGAIN;
	return fd;
}

/* -- IPv4 -- */

/* Bind where nobody else looks, and take the names away. */
static int bind_nameless(struct inlet *in)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	struct hostsock_addr a;
	char dir[80];
	int err = 0;

	if (!base || *base != '/' || (size_t)snprintf(dir, sizeof(dir), "%s/vm-net.XXXXXX", base) >= sizeof(dir))
		strcpy(dir, "/tmp/vm-net.XXXXXX");
	if (!mkdtemp(dir))
		return -errno;
	snprintf(a.path.sun_path, sizeof(a.path.sun_path), "%s/s", dir);
	a.path.sun_family = AF_UNIX;
	if (bind(in->local, &a.sa, sizeof(a.path)) < 0 || listen(in->local, BACKLOG) < 0)
		err = -errno;
	/* Who runs this later may have another uid: what keeps others out is that there is no name. */
	if (!err && chmod(a.path.sun_path, 0666) < 0)
		err = -errno;
	if (!err) {
		in->inode = open(a.path.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		err = in->inode < 0 ? -errno : 0;
	}
	unlink(a.path.sun_path);
	rmdir(dir);
	snprintf(in->path, sizeof(in->path), "/proc/self/fd/%d", in->inode);
	return err;
}

/* The last address of the network that is nobody's. */
static bool choose_private(struct inlet *in)
{
	uint32_t host = in->s->net4.bits < 128 ? 0xffffffff >> (in->s->net4.bits - 96) : 0;
	uint32_t net = get_be32(in->s->net4.addr.b + 12), i;
	uint8_t b[4];

	for (i = 1; in->s->v4 && i < MIN(host, (uint32_t)PRIVATES); i++) {
		put_be32(b, net + host - i);
		in->private = addr_v4(b);
		if (!subnet_is_ours(in->s, &in->private) && !subnet_is_guests(in->s, &in->private))
			return true;
	}
	return false;
}

static int begin4(struct inlet *in)
{
	int err;

	if (!choose_private(in))
		return 0;
	in->local = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	err = in->local < 0 ? -errno : bind_nameless(in);
	return err ? err : stack_unix(in->stack, in->path, &in->private, PRIVATE_PORT);
}

/* -- IPv6 -- */

static void on_listener(void *arg, uint32_t events)
{
	struct inlet *in = arg;
	int i;

	(void)events;
	for (i = 0; i < TURN; i++) {
		autoclose int fd = take(in, in->listener);
		const struct nat_slot *slot = NULL;
		struct mirror_mark mark;

		if (fd < 0)
			return;
		if (stack_made(in->stack, fd, &mark))
			slot = nat_slot(mark.of, mark.number);
		if (slot && inlet_owns(in, &slot->to, slot->to_port))
			in->fn(in->arg, &fd, mark.of, slot);
		else
			debug("inlet: a connection of somebody else's was closed");
	}
}

static int begin6(struct inlet *in)
{
	static const struct addr loopback = { .b = { [15] = 1 } };

	if (!in->s->v6)
		return 0;
	in->listener = hostsock_anywhere(&loopback, SOCK_STREAM, &in->port);
	if (in->listener < 0) {
		debug("inlet: there is no ::1 here, so neither redirects over IPv6 nor queries by TCP: %s", errstr(-in->listener));
		return 0;
	}
	if (listen(in->listener, BACKLOG) < 0)
		return -errno;
	in->watch = loop_add(in->loop, in->listener, EPOLLIN, on_listener, in);
	return MIN(in->watch, 0);
}

/* -- both -- */

/**
 * inlet_new() - be reachable; before confinement, for a directory is made and removed
 * @l, @st, @s: borrowed for as long; /proc is needed as long, too
 * @fn, @arg: gets the connections
 * Return: freed with inlet_free(), maybe without a way over one family or both; NULL with errno.
 */
struct inlet *inlet_new(struct loop *l, struct stack *st, const struct subnet *s, inlet_fn *fn, void *arg)
{
	struct inlet *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return NULL;
	*in = (struct inlet){
		.loop = l, .stack = st, .s = s, .fn = fn, .arg = arg, .spare = hostsock_spare(),
		.local = -1, .inode = -1, .listener = -1, .watch = -1,
	};
	err = in->spare < 0 ? -errno : begin4(in);
	if (!err)
		err = begin6(in);
	if (!err)
		return in;
	inlet_free(in);
	errno = -err;
	return NULL;
}

/** inlet_free() - be reachable no more. @in: may be NULL. The stack is not to be fed any more. */
void inlet_free(struct inlet *in)
{
	if (!in)
		return;
	loop_del(in->loop, &in->watch);
	cleanup_fd(&in->listener);
	cleanup_fd(&in->local);
	cleanup_fd(&in->inode);
	cleanup_fd(&in->spare);
	free(in);
}

/** inlet_lead() - have a flow led here. @in. @v4: it is of IPv4. @v: its `to`, `to_port` are set. Return: whether there is a way. */
bool inlet_lead(const struct inlet *in, bool v4, struct flow_verdict *v)
{
	v->to = v4 ? in->private : in->s->gateway6;
	v->to_port = v4 ? PRIVATE_PORT : in->port;
	return v4 ? in->local >= 0 : in->listener >= 0;
}

/**
 * inlet_owns() - whether a place is a way here, which guests have no other business with
 *
 * To ::1 libslirp takes all addresses of the network, not the gateway's alone.
 *
 * @in, @a, @port.
 * Return: so.
 */
bool inlet_owns(const struct inlet *in, const struct addr *a, uint16_t port)
{
	if (addr_is_v4(a))
		return in->local >= 0 && addr_equal(a, &in->private);
	return in->listener >= 0 && port == in->port && addr_in(a, &in->s->net6);
}

/** inlet_address() - the address of the network that none of its guests may have. @in. @a: set. Return: whether there is one. */
bool inlet_address(const struct inlet *in, struct addr *a)
{
	*a = in->private;
	return in->local >= 0;
}

/* The slot of a frame's flow, if it is led here. */
static const struct nat_slot *slot_of(const struct inlet *in, const struct nat *nat, const struct pkt *p)
{
	const struct nat_slot *slot;

	if (p->proto != PKT_PROTO_TCP || !inlet_owns(in, &p->dst, p->dport))
		return NULL;
	slot = nat_slot(nat, p->sport);
	return slot && addr_equal(&slot->to, &p->dst) && slot->to_port == p->dport ? slot : NULL;
}

/* What there is, if there is one alone. */
static int take_lone(struct inlet *in)
{
	int fd = -1, more, n = 0;

	while ((more = take(in, in->local)) >= 0) {
		cleanup_fd(&fd);
		fd = more;
		n++;
	}
	if (n > 1)
		cleanup_fd(&fd);
	in->refused += n > 1 ? (uint64_t)n : 0;
	return fd;
}

/**
 * inlet_opened() - libslirp has opened a descriptor for a frame; call it right after the stack_input() that said so
 * @in
 * @nat: of the filter that passed it; it stays as long as the stack
 * @frame, @len: as it was passed
 */
void inlet_opened(struct inlet *in, const struct nat *nat, const uint8_t *frame, size_t len)
{
	autoclose int fd = -1;
	const struct nat_slot *slot;
	struct pkt p;

	if (pkt_parse(frame, len, &p))
		return;
	slot = slot_of(in, nat, &p);
	if (slot && p.kind == PKT_IPV6)
		stack_mark(in->stack, &(struct mirror_mark){ nat, p.sport });
	if (p.kind == PKT_IPV6 || in->local < 0)
		return;
	/* What is there is taken in any case, and is nobody else's. */
	fd = take_lone(in);
	if (fd >= 0 && slot)
		in->fn(in->arg, &fd, nat, slot);
}

/** inlet_refused() - connections that found no descriptor, or were not believed. @in. Return: how many there were. */
uint64_t inlet_refused(const struct inlet *in)
{
	return in->refused;
}

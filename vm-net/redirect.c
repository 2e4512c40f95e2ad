// SPDX-License-Identifier: ISC
/*
 * redirect.c - flows that a policy hands to a program of the host.
 *
 *	ADDR:PORT, IPv4, no header:	guest --filter, nat--> libslirp --> target
 *	all others:			guest --filter, nat--> PRIVATE:i --libslirp--> our socket --relay--> target i
 *
 * The first needs nothing but the NAT: libslirp connects, and what the target answers is what the guest hears.
 *
 * For the others, each target has a port of one private address in the guest's network, from which libslirp leads to a
 * UNIX socket of ours (stack_unix()). It connects when the guest's handshake is complete, within stack_input(): what
 * our socket has to accept right after a frame was passed is of that frame's flow, whose NAT slot says between whom it
 * is. Nothing is guessed, and as there is never more than one waiting, libslirp's connect, which would block, does not.
 * The guest is connected before the target is asked. If that refuses, the guest is reset: cut().
 *
 * Our socket is known to this process alone: it is bound in a directory of our own, then its name and directory are
 * removed, and libslirp knows it as /proc/self/fd/N of an O_PATH descriptor. There is nothing to clean up, and a
 * Landlock domain does not matter. The targets' paths are looked up at each connection, as seen by the confined
 * process.
 *
 * A port is a target's for good; when all are taken, one that no policy has any more and that was freed first is given
 * to another. Only flows over IPv4 can be redirected: the filter refuses others.
 */
#include "redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "filter.h"
#include "log.h"
#include "loop.h"
#include "policy.h"
#include "relay.h"
#include "stack.h"
#include "util.h"

enum { BACKLOG = 4096, FIRST_PORT = 1, SERVICE_PORT = 65535, PROXY_HEADER = 28 };

struct place {
	struct policy_target target;
	uint64_t used;                  /* the count of redirects_use() when it was last of a policy */
};

struct conn {
	bool used;
	struct flow_key key;
};

struct redirects {
	struct loop *loop;
	struct stack *stack;
	const struct subnet *s;
	redirect_fn *cut;
	void *arg;
	redirect_service_fn *service;
	void *service_arg;
	struct relays *relays;
	struct addr private;
	int listener, inode, spare;     /* inode: O_PATH of the listener's */
	char path[32];
	unsigned int opened;            /* of stack_opened(), as seen last */
	unsigned int places;
	uint64_t uses;
	struct redirect_figures figures;
	struct place place[REDIRECT_TARGETS];
	struct conn conn[REDIRECT_RELAYS];
};

/* -- our socket -- */

/* Bind where nobody else looks, and take the names away. */
static int bind_nameless(struct redirects *r)
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
	if (bind(r->listener, &a.sa, sizeof(a.path)) < 0 || listen(r->listener, BACKLOG) < 0)
		err = -errno;
	/* Who runs this later may have another uid: what keeps others out is that there is no name. */
	if (!err && chmod(a.path.sun_path, 0666) < 0)
		err = -errno;
	if (!err) {
		r->inode = open(a.path.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		err = r->inode < 0 ? -errno : 0;
	}
	unlink(a.path.sun_path);
	rmdir(dir);
	snprintf(r->path, sizeof(r->path), "/proc/self/fd/%d", r->inode);
	return err;
}

/* The last address of the network that is nobody's. */
static int choose_private(struct redirects *r)
{
	uint32_t host = r->s->net4.bits < 128 ? 0xffffffff >> (r->s->net4.bits - 96) : 0;
	uint32_t net = get_be32(r->s->net4.addr.b + 12), i;
	uint8_t b[4];

	for (i = 1; r->s->v4 && i < MIN(host, 16u); i++) {
		put_be32(b, net + host - i);
		r->private = addr_v4(b);
		if (!subnet_is_ours(r->s, &r->private) && !subnet_is_guests(r->s, &r->private))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

static int begin(struct redirects *r)
{
	int err = choose_private(r);

	r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r->spare = hostsock_spare();
	if (!err)
		err = r->listener < 0 || r->spare < 0 ? -errno : bind_nameless(r);
	return err;
}

/* -- targets -- */

static bool is_local(const struct addr *a)
{
	const struct addr local = addr_v4((const uint8_t[]){ 127, 0, 0, 1 });

	return addr_equal(a, &local);
}

/* Whether libslirp can connect by itself, and frames can come from there. */
static bool is_direct(const struct policy_target *t)
{
	return !*t->path && !t->proxy_v2 && addr_is_v4(&t->addr) && (t->addr.b[12] != 127 || is_local(&t->addr)) &&
	       !pkt_is_group(&t->addr);
}

static bool same(const struct policy_target *x, const struct policy_target *y)
{
	return x->proxy_v2 == y->proxy_v2 && !strcmp(x->path, y->path) &&
	       (*x->path || (x->port == y->port && addr_equal(&x->addr, &y->addr)));
}

static struct place *find(struct redirects *r, const struct policy_target *t)
{
	unsigned int i;

	for (i = 0; i < r->places; i++)
		if (same(&r->place[i].target, t))
			return &r->place[i];
	return NULL;
}

/* A place for another target. Return: NULL when all are of this policy. */
static struct place *take(struct redirects *r)
{
	struct place *oldest = &r->place[0];
	unsigned int i;

	if (r->places < REDIRECT_TARGETS) {
		if (stack_unix(r->stack, r->path, &r->private, (uint16_t)(FIRST_PORT + r->places)))
			return NULL;
		return &r->place[r->places++];
	}
	for (i = 1; i < r->places; i++)
		if (r->place[i].used < oldest->used)
			oldest = &r->place[i];
	return oldest->used < r->uses ? oldest : NULL;
}

/**
 * redirects_use() - there is another policy
 * @r
 * @p: read now; each of its targets gets its place, and keeps the one that it has
 * Return: 0; -ENOSPC: it has more than REDIRECT_TARGETS different ones, some of which will be refused.
 */
int redirects_use(struct redirects *r, const struct policy *p)
{
	size_t count, i;
	const struct policy_target *t = policy_targets(p, &count);
	struct place *at;

	r->uses++;
	for (i = 0; i < count; i++)
		if ((at = find(r, &t[i])))
			at->used = r->uses;
	for (i = 0; i < count; i++) {
		if (is_direct(&t[i]) || find(r, &t[i]))
			continue;
		at = take(r);
		if (!at)
			return -ENOSPC;
		*at = (struct place){ .target = t[i], .used = r->uses };
	}
	return 0;
}

/** redirects_private() - whether an address is what flows are led to: the guest may not. @r, @a. Return: so. */
bool redirects_private(const struct redirects *r, const struct addr *a)
{
	return addr_equal(a, &r->private);
}

/**
 * redirects_verdict() - say where a flow is carried to
 * @r
 * @t: of the policy that redirects_use() was told of
 * @v: `redirect`, `to` and `to_port` are set
 * Return: whether there is room for it; if not, which is counted, deny it.
 */
bool redirects_verdict(struct redirects *r, const struct policy_target *t, struct flow_verdict *v)
{
	const struct place *at;

	v->redirect = true;
	if (is_direct(t)) {
		/* A frame from 127.0.0.1 is none; behind the gateway is the same. */
		v->to = is_local(&t->addr) ? r->s->gateway4 : t->addr;
		v->to_port = t->port;
		return true;
	}
	at = find(r, t);
	if (!at || relays_full(r->relays)) {
		r->figures.refused++;
		return false;
	}
	v->to = r->private;
	v->to_port = (uint16_t)(FIRST_PORT + (at - r->place));
	return true;
}

/**
 * redirects_serve() - have flows served by this process
 * @r
 * @fn, @arg: gets the connections of flows for which redirects_service() was asked; called by redirects_passed()
 * Return: 0, -errno.
 */
int redirects_serve(struct redirects *r, redirect_service_fn *fn, void *arg)
{
	r->service = fn;
	r->service_arg = arg;
	return stack_unix(r->stack, r->path, &r->private, SERVICE_PORT);
}

/** redirects_service() - carry a flow to who serves it. @r: redirects_serve() was called. @v: changed. */
void redirects_service(const struct redirects *r, struct flow_verdict *v)
{
	v->redirect = true;
	v->to = r->private;
	v->to_port = SERVICE_PORT;
}

/* -- connections -- */

/* PROXY protocol, version 2: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt §2.2 */
static size_t proxy_header(uint8_t h[PROXY_HEADER], const struct flow_key *key)
{
	static const uint8_t start[16] = { "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" };

	memcpy(h, start, 16);           /* version 2, PROXY; TCP over IPv4; 12 bytes follow */
	memcpy(h + 16, key->guest.b + 12, 4);
	memcpy(h + 20, key->remote.b + 12, 4);
	put_be16(h + 24, key->guest_port);
	put_be16(h + 26, key->remote_port);
	return PROXY_HEADER;
}

static int target_socket(const struct policy_target *t, struct hostsock_addr *to)
{
	int fd;

	if (*t->path)
		hostsock_path(to, t->path);
	else
		hostsock_addr(to, &t->addr, t->port);
	fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static void connect_target(struct redirects *r, int *near, const struct policy_target *t, const struct nat_slot *slot)
{
	struct relay_plan plan = { .tag = 0 };
	struct conn *c;
	int far;

	while (plan.tag < REDIRECT_RELAYS && r->conn[plan.tag].used)
		plan.tag++;
	far = plan.tag < REDIRECT_RELAYS ? target_socket(t, &plan.to) : -1;
	if (far < 0) {
		r->figures.refused++;
		cleanup_fd(near);
		return;
	}
	c = &r->conn[plan.tag];
	c->key = (struct flow_key){ .guest = slot->guest, .remote = slot->remote, .guest_port = slot->guest_port,
				    .remote_port = slot->remote_port, .proto = PKT_PROTO_TCP };
	if (t->proxy_v2)
		plan.headlen = proxy_header(plan.head, &c->key);
	c->used = !relays_open(r->relays, near, &far, &plan);
	r->figures.refused += !c->used;
}

static void on_done(void *arg, uint32_t tag, int err)
{
	struct redirects *r = arg;
	struct conn *c = &r->conn[tag];

	c->used = false;
	if (!err)
		return;
	r->figures.failed++;
	debug("redirect: a target failed: %s", errstr(-err));
	r->cut(r->arg, &c->key);
}

/**
 * redirects_passed() - a frame of the guest was passed to the stack; call it right after each stack_input()
 * @r
 * @nat: of the filter that passed it
 * @frame, @len: as it was passed
 */
void redirects_passed(struct redirects *r, const struct nat *nat, const uint8_t *frame, size_t len)
{
	unsigned int opened = stack_opened(r->stack), i;
	const struct nat_slot *slot;
	autoclose int near = -1;

	if (opened == r->opened)
		return;
	r->opened = opened;
	near = hostsock_accept(r->listener, &r->spare);
	if (near < 0) {
		r->figures.refused += near != -EAGAIN;
		near = -1;
		return;
	}
	slot = len < PKT_ETH + PKT_IP4 + 4 ? NULL : nat_slot(nat, get_be16(frame + PKT_ETH + PKT_IP4));
	if (!slot || !addr_equal(&slot->to, &r->private))
		return;
	if (slot->to_port == SERVICE_PORT && r->service) {
		r->service(r->service_arg, &near);
		return;
	}
	i = (unsigned int)slot->to_port - FIRST_PORT;
	if (i < r->places)
		connect_target(r, &near, &r->place[i].target, slot);
}

/** redirects_address() - the address of the network that none of its guests may have. @r. Return: it. */
struct addr redirects_address(const struct redirects *r)
{
	return r->private;
}

/** redirects_figures() - what there is, and was. @r. Return: figures. */
struct redirect_figures redirects_figures(const struct redirects *r)
{
	struct redirect_figures f = r->figures;

	f.open = relays_count(r->relays);
	return f;
}

/**
 * redirects_new() - no target yet; before confinement, for a directory is made and removed
 * @l, @st, @s: borrowed for as long; /proc is needed as long, too
 * @cut, @arg: told of flows whose target failed
 * Return: it; NULL with errno: EADDRNOTAVAIL: the guest has no IPv4, or no address to spare in its network.
 */
struct redirects *redirects_new(struct loop *l, struct stack *st, const struct subnet *s,
				redirect_fn *cut, void *arg)
{
	struct redirects *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	r->loop = l;
	r->stack = st;
	r->s = s;
	r->cut = cut;
	r->arg = arg;
	r->listener = r->inode = r->spare = -1;
	r->relays = relays_new(l, REDIRECT_RELAYS, on_done, r);
	err = r->relays ? begin(r) : -errno;
	if (!err)
		return r;
	redirects_free(r);
	errno = -err;
	return NULL;
}

/** redirects_free() - close all connections. @r: may be NULL. The stack is not to be fed any more. */
void redirects_free(struct redirects *r)
{
	if (!r)
		return;
	relays_free(r->relays);
	cleanup_fd(&r->listener);
	cleanup_fd(&r->inode);
	cleanup_fd(&r->spare);
	free(r);
}

// SPDX-License-Identifier: ISC
/*
 * fwdunix.c - a UNIX socket of the host that leads to a port of the guest.
 *
 *	client --> PATH --relay--> 127.0.0.1:PRIVATE --libslirp--> filter: from our own port? --> guest
 *
 * libslirp 4.7 takes a UNIX socket's path for a forward, but aborts the process (g_error() in sotranslate_accept())
 * when it has no descriptor or no port of the loopback left for the client's stand-in, which a client that opens many
 * connections can bring about; and it has no say about who may connect. So the socket is ours, and libslirp listens at
 * a private port of the loopback. Others of this host find that port, too, but the permissions of PATH hold: a
 * connection begins for the guest only if it comes from a port that a relay of ours is bound to, see fwdunix_expects().
 *
 * PATH has mode 0600. A socket on which nobody listens is replaced, anything else is not. It is removed with the
 * forward, if it is still the one that was made.
 */
#include "fwdunix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "flow.h"
#include "log.h"
#include "loop.h"
#include "relay.h"
#include "stack.h"
#include "subnet.h"
#include "util.h"

enum { MAX_CLIENTS = 256, BURST = 16, BACKLOG = 128, ATTEMPTS = 16 };

struct fwdunix {
	struct loop *loop;
	struct stack *stack;
	const struct subnet *s;
	struct fwdspec spec;
	struct relays *relays;
	struct addr loopback;
	uint16_t port;                  /* private; 0: none yet */
	int fd, watch, spare;
	uint64_t refused;               /* clients */
	bool bound;
	dev_t dev;                      /* of the socket at the path */
	ino_t ino;
};

/**
 * fwdunix_expects() - whether a connection to the guest is of a client here
 * @u
 * @key: of the stack's SYN
 * Return: so.
 */
bool fwdunix_expects(const struct fwdunix *u, const struct flow_key *key)
{
	bool v4 = addr_is_v4(&u->loopback);

	return key->proto == PKT_PROTO_TCP && key->guest_port == u->spec.guest &&
	       addr_equal(&key->guest, v4 ? &u->s->guest4 : &u->s->guest6) &&
	       addr_equal(&key->remote, v4 ? &u->s->gateway4 : &u->s->gateway6) &&
	       relays_has(u->relays, key->remote_port);
}

static void on_client(void *arg, uint32_t events)
{
	struct relay_plan plan = { .tag = 0 };
	struct fwdunix *u = arg;
	int i, near, far;
	uint16_t port;

	(void)events;
	for (i = 0; i < BURST; i++) {
		near = hostsock_accept(u->fd, &u->spare);
		if (near < 0) {
			u->refused += near != -EAGAIN;
			return;
		}
		far = relays_full(u->relays) ? -EMFILE : hostsock_anywhere(&u->loopback, SOCK_STREAM, &port);
		if (far < 0) {
			u->refused++;
			debug("forward %s: a client is turned away: %s", u->spec.path, errstr(-far));
			cleanup_fd(&near);
			continue;
		}
		hostsock_addr(&plan.to, &u->loopback, u->port);
		plan.tag = port;
		relays_open(u->relays, &near, &far, &plan);
	}
}

/* Have libslirp listen where nobody else does. */
static int listen_private(struct fwdunix *u)
{
	const struct addr *guest = addr_is_v4(&u->loopback) ? &u->s->guest4 : &u->s->guest6;
	int fd, err = -EADDRINUSE, i;
	uint16_t port;

	for (i = 0; i < ATTEMPTS && err == -EADDRINUSE; i++) {
		fd = hostsock_anywhere(&u->loopback, SOCK_STREAM, &port);
		if (fd < 0)
			return fd;
		close(fd);
		err = stack_forward(u->stack, false, &u->loopback, port, guest, u->spec.guest);
	}
	if (!err)
		u->port = port;
	return err;
}

/* Make room at the path, if nobody listens there. Return: NULL, or what is in the way. */
static const char *clear(const struct hostsock_addr *a)
{
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;

	if (lstat(a->path.sun_path, &st) < 0)
		return NULL;
	if (!S_ISSOCK(st.st_mode))
		return "there is a file that is no socket";
	if (fd < 0 || connect(fd, &a->sa, a->len) == 0 || errno != ECONNREFUSED)
		return "somebody listens there, or may";
	if (unlink(a->path.sun_path) < 0)
		return "there is a stale socket that cannot be removed";
	return NULL;
}

static int listen_path(struct fwdunix *u, char *err, size_t errsize)
{
	struct hostsock_addr a;
	struct stat st;
	const char *why;
	int e;

	hostsock_path(&a, u->spec.path);
	why = clear(&a);
	if (why) {
		snprintf(err, errsize, "forward %s: %s", u->spec.path, why);
		return -EADDRINUSE;
	}
	u->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The mode of a socket's file is that of the descriptor, less the umask. */
	if (u->fd >= 0 && !fchmod(u->fd, 0600) && !bind(u->fd, &a.sa, a.len)) {
		u->bound = !lstat(u->spec.path, &st);
		u->dev = st.st_dev;
		u->ino = st.st_ino;
		if (!listen(u->fd, BACKLOG))
			return 0;
	}
	e = errno;
	snprintf(err, errsize, "forward %s: %s", u->spec.path, errstr(e));
	return -e;
}

/**
 * fwdunix_new() - listen
 * @l, @st, @s: borrowed for as long
 * @spec: copied; has a path
 * @err, @errsize: why not, in one line
 * Return: it; NULL with errno. After confinement there can be no new one: it makes a file.
 */
struct fwdunix *fwdunix_new(struct loop *l, struct stack *st, const struct subnet *s, const struct fwdspec *spec,
			    char *err, size_t errsize)
{
	struct fwdunix *u = calloc(1, sizeof(*u));
	int e = -ENOMEM;

	if (!u)
		goto bad;
	*u = (struct fwdunix){ .loop = l, .stack = st, .s = s, .spec = *spec, .fd = -1, .watch = -1, .spare = -1 };
	u->loopback = s->v4 ? addr_v4((const uint8_t[]){ 127, 0, 0, 1 }) : (struct addr){ .b = { [15] = 1 } };
	u->relays = relays_new(l, MAX_CLIENTS, NULL, NULL);
	u->spare = hostsock_spare();
	if (!u->relays)
		goto bad;
	e = listen_private(u);
	if (e < 0)
		goto bad;
	e = listen_path(u, err, errsize);
	if (e < 0)
		goto said;
	u->watch = loop_add(l, u->fd, EPOLLIN, on_client, u);
	e = u->watch;
	if (e >= 0)
		return u;
bad:
	snprintf(err, errsize, "forward %s: %s", spec->path, errstr(-e));
said:
	fwdunix_free(u);
	errno = -e;
	return NULL;
}

/** fwdunix_refused() - clients that were turned away for want of room. @u. Return: how many there were. */
uint64_t fwdunix_refused(const struct fwdunix *u)
{
	return u->refused;
}

/** fwdunix_free() - listen no more, and close what is open. @u: may be NULL. */
void fwdunix_free(struct fwdunix *u)
{
	struct stat st;

	if (!u)
		return;
	if (u->bound && !lstat(u->spec.path, &st) && st.st_dev == u->dev && st.st_ino == u->ino)
		unlink(u->spec.path);
	if (u->port)
		stack_unforward(u->stack, false, &u->loopback, u->port);
	loop_del(u->loop, &u->watch);
	cleanup_fd(&u->fd);
	cleanup_fd(&u->spare);
	relays_free(u->relays);
	free(u);
}

// SPDX-License-Identifier: ISC
/*
 * forward.c - ports of the host that lead to ports of the guest.
 *
 * libslirp listens (for UNIX sockets see fwdunix.c), the filter asks forwards_inbound() before a flow begins. A forward
 * listens at 127.0.0.1 and ::1 unless it names an address: nobody but this host comes in by default. It takes all of
 * its ports, or none. An IPv6 address takes IPv6 alone, and [::] leaves IPv4 to 0.0.0.0. ::1 is left out where the host
 * or the guest's network has no IPv6. TCP that was begun goes on when its forward is deleted.
 *
 * What a guest sees, with libslirp 4.7, tried by t/unit/forward_test.c:
 *	- The client's address and port as they are, but the gateway's address for 127.0.0.1 and ::1. (Another of 127/8,
 *	  which no guest can answer, is the gateway for TCP, and is dropped for UDP.)
 *	- TCP: the client is connected before the guest is asked, and sees a guest that refuses as one that hangs up.
 *	- UDP: replies go to the client that the guest sends them to, with several at once, in both families.
 * And what libslirp cannot do:
 *	- A guest's own UDP from a forwarded port leaves by the forward's socket: bound to the loopback it reaches
 *	  nothing beyond, ICMP says so to the guest. (DNS is answered before libslirp, and is not concerned.)
 *	- After a guest's datagram from that port to an address beyond its network, libslirp takes loopback clients for
 *	  what they are, which is dropped, until the guest sends to the gateway again. That is a forward of UDP at
 *	  0.0.0.0 or [::] with clients of both kinds: name two addresses in two forwards instead.
 *	- A guest's ICMP "port unreachable" does not reach the client, which waits (the filter drops what is no echo).
 *	- A client that libslirp has no descriptor for stays in the backlog, and wakes it until there is one: have
 *	  enough.
 */
#include "forward.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "fwdunix.h"
#include "hostsock.h"
#include "log.h"
#include "stack.h"
#include "subnet.h"
#include "util.h"

enum { ATTEMPTS = 16 };

struct forward {
	struct forward *next;
	struct fwdspec spec;            /* with the port that was found */
	struct addr at[2];
	unsigned int ats;
	struct fwdunix *path;           /* or NULL */
};

struct forwards {
	struct loop *loop;
	struct stack *stack;
	const struct subnet *s;
	struct forward *first;
	unsigned int ports;
	uint64_t refused;               /* clients of forwards that are gone */
};

/* -- what there is -- */

static bool same(const struct fwdspec *x, const struct fwdspec *y)
{
	return x->udp == y->udp && x->both == y->both && x->host == y->host && x->guest == y->guest &&
	       x->count == y->count && addr_equal(&x->addr, &y->addr) && !strcmp(x->path, y->path);
}

static bool listens_at(const struct forward *f, const struct addr *a)
{
	return addr_equal(&f->at[0], a) || (f->ats > 1 && addr_equal(&f->at[1], a));
}

/* Whether two take a port from each other, as far as can be said without asking the kernel. */
static bool clash(const struct forward *x, const struct forward *y)
{
	if (*x->spec.path || *y->spec.path)
		return !strcmp(x->spec.path, y->spec.path);
	if (x->spec.udp != y->spec.udp || x->spec.host >= y->spec.host + y->spec.count ||
	    y->spec.host >= x->spec.host + x->spec.count)
		return false;
	return listens_at(x, &y->at[0]) || (y->ats > 1 && listens_at(x, &y->at[1]));
}

static bool leads_to(const struct forwards *fs, const struct forward *f, const struct flow_key *key)
{
	bool v4 = addr_is_v4(&key->guest);
	unsigned int i;

	if (f->path)
		return fwdunix_expects(f->path, key);
	if (key->proto != (f->spec.udp ? PKT_PROTO_UDP : PKT_PROTO_TCP) || key->guest_port < f->spec.guest ||
	    key->guest_port - f->spec.guest >= f->spec.count ||
	    !addr_equal(&key->guest, v4 ? &fs->s->guest4 : &fs->s->guest6))
		return false;
	for (i = 0; i < f->ats; i++)
		if (addr_is_v4(&f->at[i]) == v4)
			return true;
	return false;
}

/**
 * forwards_inbound() - whether the stack may begin a flow to the guest
 * @fs
 * @key: of its first packet
 * Return: so: a forward leads there, and whoever comes is not an address of ours but the gateway's.
 */
bool forwards_inbound(const struct forwards *fs, const struct flow_key *key)
{
	const struct forward *f = fs->first;

	if (subnet_is_ours(fs->s, &key->remote) && !addr_equal(&key->remote, &fs->s->gateway4) &&
	    !addr_equal(&key->remote, &fs->s->gateway6))
		return false;
	while (f && !leads_to(fs, f, key))
		f = f->next;
	return f;
}

/** forwards_list() - tell each. @fs. @fn, @arg: called with a spec that forwards_del() takes. */
void forwards_list(const struct forwards *fs, forward_fn *fn, void *arg)
{
	const struct forward *f;
	char text[FWDSPEC_TEXT];

	for (f = fs->first; f; f = f->next)
		fn(arg, fwdspec_format(&f->spec, text));
}

/* -- listening -- */

static const struct addr *guest_for(const struct forwards *fs, const struct addr *at)
{
	return addr_is_v4(at) ? &fs->s->guest4 : &fs->s->guest6;
}

/* Listen no more at the first @n of a forward's ports, counted address by address for each. */
static void close_ports(struct forwards *fs, const struct forward *f, unsigned int n)
{
	while (n--)
		stack_unforward(fs->stack, f->spec.udp, &f->at[n % f->ats], (uint16_t)(f->spec.host + n / f->ats));
}

/* Listen at all ports, or none. Return: 0; -errno, and at which address and port. */
static int open_ports(struct forwards *fs, const struct forward *f, const struct addr **at, uint16_t *port)
{
	unsigned int n;
	int err;

	for (n = 0; n < f->spec.count * f->ats; n++) {
		*at = &f->at[n % f->ats];
		*port = (uint16_t)(f->spec.host + n / f->ats);
		err = stack_forward(fs->stack, f->spec.udp, *at, *port, guest_for(fs, *at),
				    (uint16_t)(f->spec.guest + n / f->ats));
		if (err < 0) {
			close_ports(fs, f, n);
			return err;
		}
	}
	return 0;
}

/* A port that nobody has at an address. Return: it; -errno. */
static int free_port(const struct addr *at, bool udp)
{
	uint16_t port = 0;
	autoclose int fd = hostsock_anywhere(at, udp ? SOCK_DGRAM : SOCK_STREAM, &port);

	return fd < 0 ? fd : port;
}

static int open_any(struct forwards *fs, struct forward *f, const struct addr **at, uint16_t *port)
{
	int i, n, err = -EADDRINUSE;

	for (i = 0; i < ATTEMPTS && err == -EADDRINUSE; i++) {
		*at = &f->at[0];
		n = free_port(*at, f->spec.udp);
		if (n < 0)
			return n;
		f->spec.host = (uint16_t)n;
		err = open_ports(fs, f, at, port);
	}
	return err;
}

static void choose_addresses(const struct forwards *fs, struct forward *f)
{
	static const struct addr loopback6 = { .b = { [15] = 1 } };

	if (!f->spec.both) {
		f->at[f->ats++] = f->spec.addr;
		return;
	}
	if (fs->s->v4)
		f->at[f->ats++] = addr_v4((const uint8_t[]){ 127, 0, 0, 1 });
	if (fs->s->v6 && (!f->ats || free_port(&loopback6, true) > 0))
		f->at[f->ats++] = loopback6;
}

/* -- changing -- */

/* What to do about it, if the user can. */
static const char *reason(int err, uint16_t port)
{
	if (err == -EACCES || err == -EPERM)
		return port < 1024 ? "ports below net.ipv4.ip_unprivileged_port_start are for root" : "not permitted";
	if (err == -EADDRNOTAVAIL)
		return "this host does not have that address";
	if (err == -EADDRINUSE)
		return "another program has that port";
	return errstr(-err);
}

/* Refuse in one line. Return: @e. */
__attribute__((format(printf, 5, 6)))
static int refuse(char *err, size_t errsize, const struct fwdspec *spec, int e, const char *fmt, ...)
{
	char text[FWDSPEC_TEXT], what[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(err, errsize, "forward %s: %s", fwdspec_format(spec, text), what);
	return e;
}

static int start(struct forwards *fs, struct forward *f, char *err, size_t errsize)
{
	const struct addr *at = NULL;
	char text[ADDR_TEXT];
	uint16_t port = 0;
	int e;

	if (*f->spec.path) {
		f->path = fwdunix_new(fs->loop, fs->stack, fs->s, &f->spec, err, errsize);
		return f->path ? 0 : -errno;
	}
	e = f->spec.host ? open_ports(fs, f, &at, &port) : open_any(fs, f, &at, &port);
	if (e < 0)
		refuse(err, errsize, &f->spec, e, "%s port %u: %s", addr_format(at, text), port, reason(e, port));
	return e;
}

/* What can be said against a forward before anything is opened. */
static int check(const struct forwards *fs, const struct forward *f, char *err, size_t errsize)
{
	const struct forward *other = fs->first;
	unsigned int i;

	for (i = 0; i < f->ats; i++)
		if (!(addr_is_v4(&f->at[i]) ? fs->s->v4 : fs->s->v6))
			return refuse(err, errsize, &f->spec, -EAFNOSUPPORT, "the guest has no %s, which this leads to",
				      addr_is_v4(&f->at[i]) ? "IPv4" : "IPv6");
	if (fs->ports + f->spec.count > FORWARD_PORTS)
		return refuse(err, errsize, &f->spec, -ENOSPC, "%u ports are forwarded, and %d may be", fs->ports,
			      FORWARD_PORTS);
	while (other && !((f->spec.host || *f->spec.path) && clash(f, other)))
		other = other->next;
	if (other)
		return refuse(err, errsize, &f->spec, -EEXIST, "forwarded already");
	return 0;
}

/**
 * forwards_add() - listen for the guest
 * @fs
 * @spec: see fwdspec.c
 * @told: set to the spec in canonical form, with the port that was found if it was for any
 * @err, @errsize: why not, in one line; FORWARD_ERROR holds it
 * Return: 0; -EINVAL: the spec; -EEXIST: it is forwarded; -ENOSPC: too many; another -errno: the host says no. Then
 * nothing listens that did not before.
 */
int forwards_add(struct forwards *fs, const char *spec, char told[FWDSPEC_TEXT], char *err, size_t errsize)
{
	struct forward *f = calloc(1, sizeof(*f));
	int e;

	if (!f) {
		snprintf(err, errsize, "forward: %s", errstr(ENOMEM));
		return -ENOMEM;
	}
	e = fwdspec_parse(spec, &f->spec, err, errsize);
	if (!e && !*f->spec.path)
		choose_addresses(fs, f);
	if (!e)
		e = check(fs, f, err, errsize);
	if (!e)
		e = start(fs, f, err, errsize);
	if (e < 0) {
		free(f);
		return e;
	}
	fs->ports += f->spec.count;
	f->next = fs->first;
	fs->first = f;
	fwdspec_format(&f->spec, told);
	return 0;
}

static void end(struct forwards *fs, struct forward **link)
{
	struct forward *f = *link;

	if (f->path) {
		fs->refused += fwdunix_refused(f->path);
		fwdunix_free(f->path);
	} else {
		close_ports(fs, f, f->spec.count * f->ats);
	}
	fs->ports -= f->spec.count;
	*link = f->next;
	free(f);
}

/**
 * forwards_del() - listen no more
 * @fs
 * @spec: as it was added or told
 * @err, @errsize: as for forwards_add()
 * Return: 0; -EINVAL; -ENOENT.
 */
int forwards_del(struct forwards *fs, const char *spec, char *err, size_t errsize)
{
	struct forward **link = &fs->first;
	struct fwdspec s;
	int e = fwdspec_parse(spec, &s, err, errsize);

	if (e)
		return e;
	while (*link && !same(&(*link)->spec, &s))
		link = &(*link)->next;
	if (!*link)
		return refuse(err, errsize, &s, -ENOENT, "there is no such forward");
	end(fs, link);
	return 0;
}

/** forwards_refused() - clients of UNIX sockets for which there was no room. @fs. Return: how many there were. */
uint64_t forwards_refused(const struct forwards *fs)
{
	const struct forward *f;
	uint64_t refused = fs->refused;

	for (f = fs->first; f; f = f->next)
		if (f->path)
			refused += fwdunix_refused(f->path);
	return refused;
}

/**
 * forwards_new() - none
 * @l, @st, @s: borrowed for as long
 * Return: it; NULL: no memory.
 */
struct forwards *forwards_new(struct loop *l, struct stack *st, const struct subnet *s)
{
	struct forwards *fs = calloc(1, sizeof(*fs));

	if (fs)
		*fs = (struct forwards){ .loop = l, .stack = st, .s = s };
	return fs;
}

/** forwards_clear() - listen no more. @fs. The stack is there still. */
void forwards_clear(struct forwards *fs)
{
	while (fs->first)
		end(fs, &fs->first);
}

/** forwards_free() - as forwards_clear(). @fs: may be NULL. */
void forwards_free(struct forwards *fs)
{
	if (fs)
		forwards_clear(fs);
	free(fs);
}

// SPDX-License-Identifier: ISC
/*
 * vsock_host.c - what the host's programs asked of the vsock device: dials and listeners.
 *
 * A dial asks for several connections to one port at once; it is answered when all of them are open, or with
 * the first refusal. Linux refuses with RST when a listener's queue is full, so no more than 64 requests are
 * under way to any port; the others wait for their turn in the order they came. Answers are taken from a list
 * by the thread that dialled; an eventfd tells it that there are some.
 *
 * A listener is a SOCK_SEQPACKET socket pair: every connection that the guest makes to the port arrives as one
 * packet, the guest's port in decimal, with the connection's descriptor. A listener that does not keep up
 * refuses; one that is closed is gone.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "log.h"
#include "loop.h"
#include "msg.h"
#include "vsock_conn.h"
#include "worker.h"

enum { FIRST_PORT = 0x40000000, LAST_PORT = 0x7fffffff };

static struct loop *loop_of(struct vsock *v)
{
	return worker_loop(v->dev.worker);
}

/* -- dials -- */

static void answer(struct vsock *v, uint64_t cookie, int err, const struct vsock_dialling *d)
{
	struct vsock_done *done = calloc(1, sizeof(*done));
	uint64_t one = 1;
	unsigned int i;

	if (!done) {
		warn("vsock: out of memory: a dial is not answered");
		for (i = 0; !err && i < d->count; i++)
			close(d->fd[i]);
		return;
	}
	done->result = (struct vsock_result){ .cookie = cookie, .err = err, .count = err ? 0 : d->count };
	for (i = 0; i < done->result.count; i++)
		done->result.fd[i] = d->fd[i];
	vsock_link_add(&v->done, &done->link);
	if (write(v->event, &one, sizeof(one)) < 0)
		debug("vsock: event: %s", errstr(errno));
}

/* Be done with a dial. @err: 0, its descriptors go out with the answer; or they are closed. */
static void finish(struct vsock *v, struct vsock_dialling *d, int err)
{
	unsigned int i;

	if (!d->silent)
		answer(v, d->cookie, err, d);
	for (i = 0; i < d->count; i++) {
		struct vsock_conn *c = d->conn[i];

		if (c)
			c->dial = NULL;
		if (!err)
			continue;
		cleanup_fd(&d->fd[i]);
		if (!c)
			continue;
		/* What the guest has heard of it must hear of its end. */
		if (c->state == VSOCK_OPEN || (c->state == VSOCK_CONNECTING && !(c->owes & OWES_REQUEST)))
			vsock_conn_owe(c, OWES_RST);
		else
			vsock_conn_free(c);
	}
	vsock_link_del(&d->link);
	v->dialling--;
	free(d);
}

/* How many requests are under way to @port. */
static unsigned int under_way(const struct vsock *v, uint32_t port)
{
	const struct vsock_link *l;
	unsigned int n = 0;

	for (l = v->all.next; l != &v->all; l = l->next) {
		const struct vsock_conn *c = container_of(l, struct vsock_conn, all);

		n += c->state == VSOCK_CONNECTING && c->guest_port == port;
	}
	return n;
}

/* Let connections that wait ask, as far as there is room. */
static void let_in(struct vsock *v, uint32_t port)
{
	unsigned int room = VSOCK_CONNECTING_MAX - MIN(under_way(v, port), (unsigned int)VSOCK_CONNECTING_MAX);
	struct vsock_link *l;

	for (l = v->all.next; l != &v->all && room; l = l->next) {
		struct vsock_conn *c = container_of(l, struct vsock_conn, all);

		if (c->state != VSOCK_WAITING || c->guest_port != port)
			continue;
		c->state = VSOCK_CONNECTING;
		vsock_conn_owe(c, OWES_REQUEST);
		room--;
	}
}

/** vsock_host_forget() - a connection is about to be freed. @c: its dial, if any, knows it no more. */
void vsock_host_forget(struct vsock_conn *c)
{
	unsigned int i;

	for (i = 0; c->dial && i < c->dial->count; i++)
		if (c->dial->conn[i] == c)
			c->dial->conn[i] = NULL;
	c->dial = NULL;
}

/**
 * vsock_host_answer() - a dialled connection was answered
 * @c: CONNECTING or WAITING; perhaps freed
 * @err: 0: it is to open; -errno
 */
void vsock_host_answer(struct vsock_conn *c, int err)
{
	struct vsock_dialling *d = c->dial;
	struct vsock *v = c->v;
	uint32_t port = c->guest_port;

	if (!err)
		err = vsock_conn_open(c);
	if (!d) {
		/* Nobody wants it any more. */
		if (c->state == VSOCK_OPEN)
			vsock_conn_owe(c, OWES_RST);
		else
			vsock_conn_free(c);
	} else if (err) {
		if (err != -ECONNREFUSED)       /* that was the guest's own reset */
			vsock_reset(v, c->host_port, c->guest_port, VSOCK_TYPE_STREAM);
		vsock_conn_free(c);
		finish(v, d, err);
	} else if (++d->open == d->count) {
		finish(v, d, 0);
	}
	let_in(v, port);
}

static uint32_t fresh_port(struct vsock *v, uint32_t guest_port)
{
	do {
		v->next_port = v->next_port >= LAST_PORT ? FIRST_PORT : v->next_port + 1;
	} while (vsock_find(v, v->next_port, guest_port));
	return v->next_port;
}

/* @sock: the client's own, consumed; or NULL: pairs are made. */
static int begin(struct vsock *v, struct vsock_dialling *d, int *sock)
{
	for (; d->open < d->count; d->open++) {
		struct vsock_conn *c;
		int pair[2] = { -1, -1 };

		if (!sock && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		d->fd[d->open] = pair[1];
		c = vsock_conn_new(v, fresh_port(v, d->port), d->port, sock ? sock : &pair[0]);
		if (!c)
			return -ENOMEM;
		c->greets = sock;
		c->state = VSOCK_WAITING;
		c->dial = d;
		d->conn[d->open] = c;
	}
	d->open = 0;
	return 0;
}

struct dial_call {
	struct vsock *v;
	int *sock;                      /* or NULL */
	uint64_t cookie;
	uint32_t port;
	unsigned int count;
	int err;
};

static void do_dial(void *arg)
{
	struct dial_call *call = arg;
	struct vsock *v = call->v;
	struct vsock_dialling *d;
	unsigned int i;

	if (!virtio_vq(&v->dev, 1)) {
		call->err = -ENOTCONN;
		return;
	}
	if (v->conns + call->count > VSOCK_CONNS_MAX || v->dialling == VSOCK_DIALS_MAX) {
		call->err = -EMFILE;
		return;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		call->err = -ENOMEM;
		return;
	}
	d->cookie = call->cookie;
	d->port = call->port;
	d->count = call->count;
	d->silent = call->sock;
	for (i = 0; i < VSOCK_DIAL_MAX; i++)
		d->fd[i] = -1;
	vsock_link_add(&v->dials, &d->link);
	v->dialling++;
	call->err = begin(v, d, call->sock);
	if (call->err) {
		for (i = 0; i < d->count; i++) {
			cleanup_fd(&d->fd[i]);
			if (d->conn[i])
				vsock_conn_free(d->conn[i]);
		}
		vsock_link_del(&d->link);
		v->dialling--;
		free(d);
		return;
	}
	let_in(v, call->port);
	vsock_feed(v);
}

/**
 * vsock_dial() - ask for connections to a port of the guest
 * @v: device; from any thread but its worker
 * @cookie: comes back in the result
 * @port: the guest's
 * @count: 1 to VSOCK_DIAL_MAX, all or none
 *
 * Return: 0, and a result will come; -ENOTCONN when the guest has no driver for it yet; -EMFILE when there are
 * too many; -errno.
 */
int vsock_dial(struct vsock *v, uint64_t cookie, uint32_t port, unsigned int count)
{
	struct dial_call call = { .v = v, .cookie = cookie, .port = port, .count = count };

	worker_call(v->dev.worker, do_dial, &call);
	return call.err;
}

/**
 * vsock_dial_socket() - connect a client's own socket to a port of the guest
 * @v: device; from any thread but its worker
 * @port: the guest's
 * @sock: stream socket, consumed on success: it hears "OK HOSTPORT\n" and then the guest, or is closed
 * Return: as vsock_dial(); no result will come.
 */
int vsock_dial_socket(struct vsock *v, uint32_t port, int *sock)
{
	struct dial_call call = { .v = v, .port = port, .count = 1, .sock = sock };

	worker_call(v->dev.worker, do_dial, &call);
	return call.err;
}

static void do_cancel(void *arg)
{
	struct dial_call *call = arg;
	struct vsock *v = call->v;
	struct vsock_link *l;

	for (l = v->dials.next; l != &v->dials; l = l->next) {
		struct vsock_dialling *d = container_of(l, struct vsock_dialling, link);

		if (!d->silent && d->cookie == call->cookie) {
			finish(v, d, -ECANCELED);
			break;
		}
	}
	vsock_feed(v);
}

/** vsock_cancel() - nobody waits for a dial any more; a result may come yet. @v, @cookie: as vsock_dial(). */
void vsock_cancel(struct vsock *v, uint64_t cookie)
{
	struct dial_call call = { .v = v, .cookie = cookie };

	worker_call(v->dev.worker, do_cancel, &call);
}

/** vsock_event() - what becomes readable when results wait. @v. Return: eventfd, borrowed. */
int vsock_event(struct vsock *v)
{
	return v->event;
}

struct result_call {
	struct vsock *v;
	struct vsock_result *result;
	bool found;
};

static void do_result(void *arg)
{
	struct result_call *call = arg;
	struct vsock_link *l = call->v->done.next;
	struct vsock_done *done = container_of(l, struct vsock_done, link);

	if (l == &call->v->done)
		return;
	vsock_link_del(l);
	*call->result = done->result;
	call->found = true;
	free(done);
}

/** vsock_result() - take the next result. @v. @result: filled in; its fds are the caller's. Return: whether. */
bool vsock_result(struct vsock *v, struct vsock_result *result)
{
	struct result_call call = { .v = v, .result = result };

	worker_call(v->dev.worker, do_result, &call);
	return call.found;
}

/* -- listeners -- */

static struct vsock_listener *listener_at(struct vsock *v, uint32_t port)
{
	unsigned int i;

	for (i = 0; i < VSOCK_LISTENERS_MAX; i++)
		if (v->listener[i].sock >= 0 && v->listener[i].port == port)
			return &v->listener[i];
	return NULL;
}

static void on_listener(void *arg, uint32_t events)
{
	struct vsock_listener *l = arg;

	if (!(events & (EPOLLHUP | EPOLLERR)))
		return;
	loop_del(loop_of(l->v), &l->watch);
	cleanup_fd(&l->sock);
}

struct listen_call {
	struct vsock *v;
	uint32_t port;
	int *sock;
	int err;
};

static void do_listen(void *arg)
{
	struct listen_call *call = arg;
	struct vsock *v = call->v;
	struct vsock_listener *l;
	unsigned int i;

	call->err = -EADDRINUSE;
	l = listener_at(v, call->port);
	/* One that is closed may not have been heard yet. */
	if (l && poll(&(struct pollfd){ .fd = l->sock }, 1, 0) == 1)
		on_listener(l, EPOLLHUP);
	if (listener_at(v, call->port))
		return;
	l = NULL;
	for (i = 0; i < VSOCK_LISTENERS_MAX && !l; i++)
		if (v->listener[i].sock < 0)
			l = &v->listener[i];
	call->err = -EMFILE;
	if (!l)
		return;
	l->watch = loop_add(loop_of(v), *call->sock, 0, on_listener, l);
	call->err = MIN(l->watch, 0);
	if (call->err)
		return;
	l->port = call->port;
	l->sock = steal_fd(call->sock);
}

/**
 * vsock_listen() - take the guest's connections to a port
 * @v: device; from any thread but its worker
 * @port: the host's
 * @sock: SOCK_SEQPACKET, consumed on success: each connection is sent there with the guest's port as its word
 * Return: 0; -EADDRINUSE; -EMFILE; -errno.
 */
int vsock_listen(struct vsock *v, uint32_t port, int *sock)
{
	struct listen_call call = { .v = v, .port = port, .sock = sock };

	worker_call(v->dev.worker, do_listen, &call);
	return call.err;
}

struct outward_call {
	struct vsock *v;
	vsock_outward_fn *fn;
	void *arg;
};

static void do_set_outward(void *arg)
{
	const struct outward_call *call = arg;

	call->v->outward = call->fn;
	call->v->outward_arg = call->arg;
}

/** vsock_set_outward() - where the guest's dials go that no listener takes. @v. @fn, @arg: called as the worker. */
void vsock_set_outward(struct vsock *v, vsock_outward_fn *fn, void *arg)
{
	struct outward_call call = { v, fn, arg };

	worker_call(v->dev.worker, do_set_outward, &call);
}

/* Open a connection that the guest asked for. @ours: consumed. */
static struct vsock_conn *accept_conn(struct vsock *v, const struct vsock_pkt *p, int *ours)
{
	struct vsock_conn *c = vsock_conn_new(v, p->dst_port, p->src_port, ours);

	if (c && vsock_conn_open(c)) {
		vsock_conn_free(c);
		return NULL;
	}
	if (!c)
		return NULL;
	c->peer_alloc = p->buf_alloc;
	c->peer_fwd = p->fwd_cnt;
	return c;
}

static bool request_outward(struct vsock *v, const struct vsock_pkt *p)
{
	int sock = v->outward ? v->outward(v->outward_arg, p->dst_port) : -1;
	struct vsock_conn *c = sock >= 0 ? accept_conn(v, p, &sock) : NULL;

	if (c)
		vsock_conn_owe(c, OWES_RESPONSE);
	return c;
}

/**
 * vsock_host_request() - the guest asks for a connection
 * @v: device; fewer than VSOCK_RESETS wait
 * @p: REQUEST for ports that have none
 * Return: whether it is made; refuse it otherwise.
 */
bool vsock_host_request(struct vsock *v, const struct vsock_pkt *p)
{
	struct vsock_listener *l = listener_at(v, p->dst_port);
	struct vsock_conn *c;
	struct msg m;
	int pair[2];

	if (v->conns >= VSOCK_CONNS_MAX)
		return false;
	if (!l)
		return request_outward(v, p);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	c = accept_conn(v, p, &pair[0]);
	if (!c) {
		close(pair[1]);
		return false;
	}
	msg_init(&m);
	msg_addf(&m, "%u", p->src_port);
	msg_add_fd(&m, &pair[1]);
	if (msg_send(l->sock, &m)) {
		vsock_conn_free(c);
		return false;
	}
	vsock_conn_owe(c, OWES_RESPONSE);
	return true;
}

/* -- life -- */

/** vsock_host_init() - nothing was asked for yet. @v: zeroed. */
void vsock_host_init(struct vsock *v)
{
	unsigned int i;

	vsock_link_init(&v->dials);
	vsock_link_init(&v->done);
	v->next_port = FIRST_PORT;
	for (i = 0; i < VSOCK_LISTENERS_MAX; i++)
		v->listener[i] = (struct vsock_listener){ .sock = -1, .watch = -1, .v = v };
}

/**
 * vsock_host_down() - the guest's driver went away, and every connection with it
 * @v: called as the worker
 * @err: what dials under way are answered
 */
void vsock_host_down(struct vsock *v, int err)
{
	struct vsock_link *l, *next;

	v->resets = 0;
	while (v->dials.next != &v->dials)
		finish(v, container_of(v->dials.next, struct vsock_dialling, link), err);
	for (l = v->all.next; l != &v->all; l = next) {
		struct vsock_conn *c = container_of(l, struct vsock_conn, all);

		next = l->next;
		if (c->state != VSOCK_FLUSHING)
			vsock_conn_part(c);
	}
}

/** vsock_host_freed() - a connection is gone: perhaps the last one that somebody waits for. @v. */
void vsock_host_freed(struct vsock *v)
{
	uint64_t one = 1;

	if (v->over && !v->conns && write(v->event, &one, sizeof(one)) < 0)
		debug("vsock: event: %s", errstr(errno));
}

static void do_end(void *arg)
{
	struct vsock *v = arg;

	v->over = true;
	vsock_host_down(v, -ESHUTDOWN);
}

/**
 * vsock_end() - the guest has ended: its clients get what is left, and their end
 * @v: rings stopped; from any thread but its worker
 *
 * vsock_event() tells when all of them have; see vsock_busy().
 */
void vsock_end(struct vsock *v)
{
	worker_call(v->dev.worker, do_end, v);
}

static void do_busy(void *arg)
{
	struct result_call *call = arg;

	call->found = call->v->conns;
}

/** vsock_busy() - whether a client has not taken all yet. @v: after vsock_end(). Return: so. */
bool vsock_busy(struct vsock *v)
{
	struct result_call call = { .v = v };

	worker_call(v->dev.worker, do_busy, &call);
	return call.found;
}

/** vsock_host_free() - give everything back. @v: its worker's thread is stopped. */
void vsock_host_free(struct vsock *v)
{
	struct vsock_result r;
	unsigned int i;

	while (v->all.next != &v->all)
		vsock_conn_free(container_of(v->all.next, struct vsock_conn, all));
	while (vsock_result(v, &r))
		for (i = 0; i < r.count; i++)
			close(r.fd[i]);
	for (i = 0; i < VSOCK_LISTENERS_MAX; i++) {
		loop_del(loop_of(v), &v->listener[i].watch);
		cleanup_fd(&v->listener[i].sock);
	}
}

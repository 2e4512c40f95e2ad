// SPDX-License-Identifier: ISC
/*
 * ctl.c - the control socket: one VM's verbs for its clients (vm-handle(7)).
 *
 * A client sends a packet of words, verb first, with the descriptors that the verb takes; it gets
 * a packet back: `ok` and words and the descriptors the verb gives, or `error`, an errno's name and
 * a sentence. Requests on one connection are answered in order: while an answer waits for something
 * (`ready`, `wait`, `stop`) nothing more is read from that connection.
 *
 * A packet that is cut short is answered with an error; descriptors that nobody took are closed
 * (msg.c). What the verbs are is in verbs.c.
 *
 * Connections come from three places: accepted on the listener, after a look at the peer's uid;
 * made by `dial`; or inherited. An inherited one is shared by every process that inherited it, so
 * `dial` alone is answered there, and when its last holder is gone the VM's owner has left.
 */
#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "agent.h"
#include "conn.h"
#include "fds.h"
#include "log.h"
#include "loop.h"
#include "msg.h"
#include "util.h"
#include "virtio_vsock.h"
#include "vm.h"

enum { CONNS_MAX = 256 };

struct ctl {
	struct vm *vm;
	int listener, listener_id, spare;       /* spare: see fds_accept() */
	uint64_t next_id;
	uid_t uid;
	struct conn conn[CONNS_MAX];
};

static void on_conn(void *arg, uint32_t events);

static void drop_conn(struct conn *c)
{
	if (c->waits == WAITS_DIAL)
		vsock_cancel(c->vm->vsock, c->id);
	loop_del(c->ctl->vm->loop, &c->watch);
	cleanup_fd(&c->sock);
	c->waits = WAITS_NOT;
}

/** conn_reply() - send an answer. @c: closed when it takes none. @m: emptied. */
void conn_reply(struct conn *c, struct msg *m)
{
	int err = msg_send(c->sock, m);

	/* A client that reads no replies is gone, or means harm. */
	if (err) {
		debug("control: reply: %s", errstr(err));
		drop_conn(c);
		vm_left(c->ctl->vm);
	}
}

/** conn_error() - answer with an error. @c. @err: errno, either sign. @text: for a person. */
void conn_error(struct conn *c, int err, const char *text)
{
	struct msg m;

	msg_init(&m);
	msg_add(&m, "error");
	msg_add(&m, strerrorname_np(err < 0 ? -err : err));
	msg_add(&m, text);
	conn_reply(c, &m);
}

/** conn_ok() - answer yes, with nothing more to say. @c. */
void conn_ok(struct conn *c)
{
	struct msg m;

	msg_init(&m);
	msg_add(&m, "ok");
	conn_reply(c, &m);
}

/** conn_end() - answer with how the VM ended. @c. */
void conn_end(struct conn *c)
{
	const struct vm *vm = c->ctl->vm;
	struct msg m;

	msg_init(&m);
	msg_add(&m, "ok");
	msg_add(&m, vm_cause_name(vm->cause));
	msg_addf(&m, "%d", vm->status);
	conn_reply(c, &m);
	/* Who stopped it may still wait for it: the answer to `wait` is the one that counts. */
	if (c->sock >= 0 && c->waits == WAITS_END)
		c->vm->told = true;
}

/** conn_wait_for() - leave a request unanswered and the connection unread. @c. @what: until this. */
void conn_wait_for(struct conn *c, enum waits what)
{
	c->waits = what;
	loop_mod(c->ctl->vm->loop, c->watch, EPOLLRDHUP);
}

/** conn_answered() - what was waited for was told: read on. @c: perhaps closed. */
void conn_answered(struct conn *c)
{
	c->waits = WAITS_NOT;
	if (c->sock >= 0)
		loop_mod(c->ctl->vm->loop, c->watch, EPOLLIN);
}

/**
 * conn_add() - serve one more connection
 * @ctl: server
 * @sock: SOCK_SEQPACKET socket, consumed
 * @shared: whether others hold the same end: then its end is the owner's
 * Return: the connection, NULL when there are too many.
 */
struct conn *conn_add(struct ctl *ctl, int *sock, bool shared)
{
	struct conn *c = NULL;
	int i;

	for (i = 0; i < CONNS_MAX && !c; i++)
		if (ctl->conn[i].sock < 0)
			c = &ctl->conn[i];
	if (c) {
		*c = (struct conn){ .ctl = ctl, .vm = ctl->vm, .sock = *sock, .shared = shared,
				    .id = ctl->next_id++ };
		c->watch = loop_add(ctl->vm->loop, *sock, EPOLLIN, on_conn, c);
	}
	if (!c || c->watch < 0) {
		if (c)
			c->sock = -1;
		cleanup_fd(sock);
		return NULL;
	}
	steal_fd(sock);
	return c;
}

static void gone(struct conn *c)
{
	bool owner = c->shared;

	drop_conn(c);
	if (owner)
		vm_stop(c->ctl->vm, STOP_GRACE_MSEC);
	vm_left(c->ctl->vm);
}

static void on_conn(void *arg, uint32_t events)
{
	struct conn *c = arg;
	struct msg req;
	int n;

	if (c->waits != WAITS_NOT) {
		if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
			gone(c);
		return;
	}
	n = msg_recv(c->sock, &req, false);
	if (n == -EAGAIN)
		return;
	if (n == -EBADMSG) {
		conn_error(c, EBADMSG, "malformed packet");
		return;
	}
	if (n <= 0) {
		gone(c);
		return;
	}
	verb_run(c, &req);
	msg_drop(&req);
}

/* Whether the peer may speak to us: it is us, or root. */
static bool peer_allowed(const struct ctl *ctl, int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	/* Within a user namespace root looks like everybody else; but the socket's mode, 0600 in
	 * a directory of 0700, let nobody but root and us connect. */
	return cred.uid == ctl->uid || cred.uid == 0 || ctl->vm->in_user_namespace;
}

static void on_listener(void *arg, uint32_t events)
{
	struct ctl *ctl = arg;
	autoclose int sock = fds_accept(ctl->listener, &ctl->spare);

	(void)events;
	if (sock < 0)
		return;
	if (!peer_allowed(ctl, sock)) {
		static struct log_limit limit = LOG_LIMIT_INIT;

		warn_limited(&limit, "control: a connection of another user was refused");
		return;
	}
	conn_add(ctl, &sock, false);
}

/** ctl_new() - a control server without connections. @vm: borrowed. Return: it, or NULL. */
struct ctl *ctl_new(struct vm *vm)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	int i;

	if (!ctl)
		return NULL;
	ctl->vm = vm;
	ctl->listener = ctl->listener_id = -1;
	ctl->spare = eventfd(0, EFD_CLOEXEC);
	ctl->next_id = 1;
	ctl->uid = geteuid();
	for (i = 0; i < CONNS_MAX; i++)
		ctl->conn[i] = (struct conn){ .ctl = ctl, .sock = -1, .watch = -1 };
	return ctl;
}

/** ctl_listen() - serve a listening socket. @listener: consumed. Return: 0 or -errno. */
int ctl_listen(struct ctl *ctl, int *listener)
{
	ctl->listener = steal_fd(listener);
	ctl->listener_id = loop_add(ctl->vm->loop, ctl->listener, EPOLLIN, on_listener, ctl);
	return ctl->listener_id < 0 ? ctl->listener_id : 0;
}

/** ctl_adopt() - serve an inherited connection: its end is the owner's. @shared: consumed.
 * Return: 0 or -EMFILE. */
int ctl_adopt(struct ctl *ctl, int *shared)
{
	return conn_add(ctl, shared, true) ? 0 : -EMFILE;
}

/** ctl_busy() - whether a client is still connected. @ctl: or NULL. Return: so. */
bool ctl_busy(const struct ctl *ctl)
{
	int i;

	for (i = 0; ctl && i < CONNS_MAX; i++)
		if (ctl->conn[i].sock >= 0 && !ctl->conn[i].shared)
			return true;
	return false;
}

static void tell(struct ctl *ctl, enum waits what, void (*reply)(struct conn *c))
{
	int i;

	for (i = 0; ctl && i < CONNS_MAX; i++) {
		struct conn *c = &ctl->conn[i];

		if (c->sock < 0 || c->waits != what)
			continue;
		reply(c);
		if (c->sock >= 0)
			conn_answered(c);
	}
}

static void reply_over(struct conn *c)
{
	conn_error(c, ESHUTDOWN, "the VM has ended");
}

static void reply_never(struct conn *c)
{
	conn_error(c, ESHUTDOWN, "the VM ended before it was ready");
}

/** ctl_tell_booted() - answer who waits for the boot. @ctl: may be NULL. */
void ctl_tell_booted(struct ctl *ctl)
{
	tell(ctl, WAITS_BOOT, conn_ok);
}

static void reply_agent(struct conn *c)
{
	if (agent_state(c->vm->agent) == AGENT_READY)
		conn_ok(c);
	else
		conn_error(c, ECONNRESET, agent_absence(c->vm->agent));
}

/** ctl_tell_agent() - answer who waits for the agent: it is ready, or was lost. @ctl: or NULL. */
void ctl_tell_agent(struct ctl *ctl)
{
	tell(ctl, WAITS_AGENT, reply_agent);
}

static void reply_dialled(struct conn *c, struct vsock_result *r)
{
	struct msg m;
	unsigned int i;

	if (r->err) {
		conn_error(c, r->err, r->err == -ECONNREFUSED ? "vsock: nobody in the guest listens on that port" :
			   "vsock: the guest did not take the connection");
		return;
	}
	msg_init(&m);
	msg_add(&m, "ok");
	for (i = 0; i < r->count; i++)
		msg_add_fd(&m, &r->fd[i]);
	conn_reply(c, &m);
}

/**
 * ctl_tell_dialled() - answer who dialled
 * @ctl: or NULL
 * @result: its descriptors are consumed; its cookie is a connection's id
 */
void ctl_tell_dialled(struct ctl *ctl, struct vsock_result *result)
{
	unsigned int i;
	int at;

	for (at = 0; ctl && at < CONNS_MAX; at++) {
		struct conn *c = &ctl->conn[at];

		if (c->sock < 0 || c->waits != WAITS_DIAL || c->id != result->cookie)
			continue;
		c->waits = WAITS_NOT;
		reply_dialled(c, result);
		if (c->sock >= 0)
			conn_answered(c);
	}
	for (i = 0; i < result->count; i++)
		cleanup_fd(&result->fd[i]);
}

/**
 * ctl_tell_plugged() - answer who plugged a network in
 * @ctl: or NULL
 * @id: of the connection; nothing happens when it is no more
 * @err: 0 or -errno
 * @text: an error's, for a person
 */
void ctl_tell_plugged(struct ctl *ctl, uint64_t id, int err, const char *text)
{
	int i;

	for (i = 0; ctl && i < CONNS_MAX; i++) {
		struct conn *c = &ctl->conn[i];

		if (c->sock < 0 || c->waits != WAITS_PLUG || c->id != id)
			continue;
		if (err)
			conn_error(c, err, text);
		else
			conn_ok(c);
		conn_answered(c);
	}
}

/** ctl_tell_ended() - answer who waits for the end, or for what will never be. @ctl: or NULL. */
void ctl_tell_ended(struct ctl *ctl)
{
	tell(ctl, WAITS_DIAL, reply_over);
	tell(ctl, WAITS_PLUG, reply_over);
	tell(ctl, WAITS_BOOT, reply_never);
	tell(ctl, WAITS_AGENT, reply_never);
	tell(ctl, WAITS_STOP, conn_end);
	tell(ctl, WAITS_END, conn_end);
}

/** ctl_free() - close every connection and free. @ctl: may be NULL. */
void ctl_free(struct ctl *ctl)
{
	int i;

	if (!ctl)
		return;
	for (i = 0; i < CONNS_MAX; i++)
		if (ctl->conn[i].sock >= 0)
			drop_conn(&ctl->conn[i]);
	loop_del(ctl->vm->loop, &ctl->listener_id);
	cleanup_fd(&ctl->listener);
	cleanup_fd(&ctl->spare);
	free(ctl);
}

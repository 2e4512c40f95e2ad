// SPDX-License-Identifier: ISC
/*
 * netctl.c - vm-net's control socket: packets of words and descriptors, as vm-boot's (vm-handle(7)).
 *
 * Every request is answered at once, in order. A connection is accepted on the listener of -l, after a look at the peer's
 * uid; made by `dial`; or inherited by the program that was started, whose end ends the network. What the verbs are is in
 * netverbs.c.
 */
#include "netctl.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "fds.h"
#include "log.h"
#include "loop.h"
#include "msg.h"
#include "netverbs.h"
#include "router.h"
#include "util.h"

static void drop(struct netctl_conn *c)
{
	bool shared = c->shared;

	loop_del(c->ctl->router->loop, &c->watch);
	cleanup_fd(&c->sock);
	if (shared)
		c->ctl->left(c->ctl->arg);
}

/* A client that reads no replies is gone, or means harm. */
static void reply(struct netctl_conn *c, struct msg *m)
{
	int err = msg_send(c->sock, m);

	if (!err)
		return;
	debug("control: reply: %s", errstr(err));
	drop(c);
}

static void on_conn(void *arg, uint32_t events);

static struct netctl_conn *add(struct netctl *ctl, int *sock)
{
	struct netctl_conn *c = NULL;
	int i;

	for (i = 0; i < NETCTL_CONNS && !c; i++)
		if (ctl->conn[i].sock < 0)
			c = &ctl->conn[i];
	if (c)
		c->watch = loop_add(ctl->router->loop, *sock, EPOLLIN, on_conn, c);
	if (!c || c->watch < 0) {
		ctl->router->control_refused++;
		cleanup_fd(sock);
		return NULL;
	}
	c->sock = steal_fd(sock);
	c->shared = false;
	return c;
}

static void on_conn(void *arg, uint32_t events)
{
	struct netctl_conn *c = arg;
	struct msg request, answer;
	int n = msg_recv(c->sock, &request, false), fd;

	(void)events;
	if (n == -EAGAIN)
		return;
	if (n <= 0 && n != -EBADMSG) {
		drop(c);
		return;
	}
	fd = netverb_run(c->ctl->router, c->shared, n < 0 ? NULL : &request, &answer);
	if (n > 0)
		msg_drop(&request);
	if (fd >= 0)
		add(c->ctl, &fd);       /* or its client hears the end */
	reply(c, &answer);
}

/* It is us, or root. */
static bool peer_allowed(const struct netctl *ctl, int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && (cred.uid == ctl->uid || cred.uid == 0);
}

static void on_listener(void *arg, uint32_t events)
{
	struct netctl *ctl = arg;
	autoclose int sock = fds_accept(ctl->listener, &ctl->spare);

	(void)events;
	ctl->router->control_refused += sock == -EMFILE || sock == -ENFILE;
	if (sock < 0)
		return;
	if (!peer_allowed(ctl, sock)) {
		static struct log_limit limit = LOG_LIMIT_INIT;

		ctl->router->control_refused++;
		warn_limited(&limit, "control: a connection of another user was refused");
		return;
	}
	add(ctl, &sock);
}

/** netctl_init() - nobody is connected. @ctl: filled in; left and arg are the caller's to set. @r: borrowed. */
void netctl_init(struct netctl *ctl, struct router *r)
{
	int i;

	*ctl = (struct netctl){ .router = r, .listener = -1, .watch = -1, .uid = geteuid() };
	ctl->spare = eventfd(0, EFD_CLOEXEC);
	for (i = 0; i < NETCTL_CONNS; i++)
		ctl->conn[i] = (struct netctl_conn){ .ctl = ctl, .sock = -1, .watch = -1 };
}

/** netctl_listen() - serve a listening socket. @ctl. @listener: SOCK_SEQPACKET, consumed on success. Return: 0, -errno. */
int netctl_listen(struct netctl *ctl, int *listener)
{
	ctl->watch = loop_add(ctl->router->loop, *listener, EPOLLIN, on_listener, ctl);
	if (ctl->watch < 0)
		return ctl->watch;
	ctl->listener = steal_fd(listener);
	return 0;
}

/** netctl_adopt() - serve the connection of the program that was started. @ctl. @sock: consumed. Return: 0, -EMFILE. */
int netctl_adopt(struct netctl *ctl, int *sock)
{
	struct netctl_conn *c = add(ctl, sock);

	if (c)
		c->shared = true;
	return c ? 0 : -EMFILE;
}

/** netctl_free() - close every connection. @ctl: initialized. */
void netctl_free(struct netctl *ctl)
{
	int i;

	for (i = 0; i < NETCTL_CONNS; i++) {
		loop_del(ctl->router->loop, &ctl->conn[i].watch);
		cleanup_fd(&ctl->conn[i].sock);
	}
	loop_del(ctl->router->loop, &ctl->watch);
	cleanup_fd(&ctl->listener);
	cleanup_fd(&ctl->spare);
}

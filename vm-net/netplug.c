// SPDX-License-Identifier: ISC
/*
 * netplug.c - a network that plugs itself into a VM that runs: -V.
 *
 *	found --netplug_ask()--> `net-plug` with one end of a control connection is said --the VM's answer--> done()
 *
 * The VM is found while files can be opened, and asked when all is ready. It answers when its guest has the network,
 * or after a while; the link to it is closed then, and it has us by the connection that it was given.
 */
#include "netplug.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "loop.h"
#include "msg.h"
#include "netctl.h"
#include "opts.h"
#include "util.h"

/**
 * netplug_find() - find the VM
 * @p: NETPLUG_INIT
 * @vm: as for -V
 * @handle: set to the descriptor that its handle came from, if it lives by that; else -1
 * @why, @whysize: what is wrong, in a line
 * Return: 0; not 0.
 */
int netplug_find(struct netplug *p, const char *vm, int *handle, char *why, size_t whysize)
{
	int fd;

	*handle = -1;
	if (handle_open(&p->link, vm, why, whysize))
		return -1;
	if (*p->link.handle == '/' && !strncmp(vm, "fd:", 3) && !parse_fd(vm, &fd))
		*handle = fd;
	return 0;
}

static void on_answer(void *arg, uint32_t events)
{
	struct netplug *p = arg;
	const char *why = NULL;
	struct msg m;
	int err = msg_recv(p->link.sock, &m, false);

	(void)events;
	if (err == -EAGAIN)
		return;
	if (err <= 0)
		why = "the VM has ended";
	else if (strcmp(m.word[0], "ok"))
		why = m.words > 2 ? m.word[2] : "malformed reply";
	netplug_free(p);
	p->done(p->arg, why);
	if (err > 0)
		msg_drop(&m);
}

/**
 * netplug_ask() - offer the network to the VM
 * @p: netplug_find() was content; done and arg are set
 * @loop: borrowed until done()
 * @ctl: serves the VM from now on
 * Return: 0, -errno.
 */
int netplug_ask(struct netplug *p, struct loop *loop, struct netctl *ctl)
{
	struct msg m;
	int pair[2], err;

	p->loop = loop;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	err = netctl_adopt(ctl, &pair[0]);
	msg_init(&m);
	msg_add(&m, "net-plug");
	msg_add_fd(&m, &pair[1]);
	if (err)
		msg_drop(&m);
	else
		err = msg_send(p->link.sock, &m);
	if (!err)
		err = p->watch = loop_add(loop, p->link.sock, EPOLLIN, on_answer, p);
	return MIN(err, 0);
}

/** netplug_waits() - whether the VM is still to answer. @p. Return: so. */
bool netplug_waits(const struct netplug *p)
{
	return p->link.sock >= 0;
}

/** netplug_free() - wait for no answer. @p: initialized. */
void netplug_free(struct netplug *p)
{
	if (p->watch >= 0)
		loop_del(p->loop, &p->watch);
	cleanup_fd(&p->link.sock);
}

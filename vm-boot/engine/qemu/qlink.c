// SPDX-License-Identifier: ISC
/* qlink.c - QEMU's network cards: their relays, and the state of their links, of which the monitor is told (set_link). */
#include "qlink.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "log.h"
#include "loop.h"
#include "net.h"
#include "qmp.h"
#include "qnet.h"
#include "util.h"

static void tell(struct qlink *l)
{
	char arguments[64];
	unsigned int i;

	for (i = 0; i < net_interfaces(l->net); i++) {
		bool up = qnet_up(l->card[i]);

		if (up == l->up[i])
			continue;
		l->up[i] = up;
		snprintf(arguments, sizeof(arguments), "{\"name\":\"net%u\",\"up\":%s}", i, up ? "true" : "false");
		if (qmp_send(l->qmp, "set_link", arguments) < 0)
			debug("qemu: takes no more commands");
	}
}

static void on_event(void *arg, uint32_t events)
{
	struct qlink *l = arg;
	uint64_t n;

	(void)events;
	if (read(l->event, &n, sizeof(n)) > 0 && l->qmp)
		tell(l);
}

/**
 * qlink_init() - serve QEMU's cards
 * @l: QLINK_INIT; qlink_free() it
 * @loop: main loop
 * @net: interfaces, not started; may be NULL
 * @sock: for each card a socket pair, whose first end is taken
 * Return: 0 or -errno.
 */
int qlink_init(struct qlink *l, struct loop *loop, struct net *net, int (*sock)[2])
{
	unsigned int i;

	l->loop = loop;
	l->net = net;
	if (!net)
		return 0;
	l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->event < 0)
		return -errno;
	for (i = 0; i < net_interfaces(net); i++) {
		struct net_card plug = { qnet_attach, qnet_counts, NULL };

		l->card[i] = qnet_new(net_worker(net), &sock[i][0], l->event, net_lost, net_lost_arg(net, i));
		if (!l->card[i])
			return -errno;
		l->up[i] = true;        /* as QEMU thinks */
		plug.card = l->card[i];
		net_plug(net, i, &plug);
	}
	l->id = loop_add(loop, l->event, EPOLLIN, on_event, l);
	return MIN(l->id, 0);
}

/** qlink_start() - the guest is about to run: tell QEMU what is so, and what changes. @l. @qmp: negotiated. */
void qlink_start(struct qlink *l, struct qmp *qmp)
{
	l->qmp = qmp;
	tell(l);
}

/** qlink_stop() - QEMU is no more. @l. */
void qlink_stop(struct qlink *l)
{
	l->qmp = NULL;
}

/** qlink_free() - give it up. @l: QLINK_INIT or more; the network's worker is stopped. */
void qlink_free(struct qlink *l)
{
	unsigned int i;

	loop_del(l->loop, &l->id);
	for (i = 0; i < NETCONF_MAX; i++)
		qnet_free(l->card[i]);
	cleanup_fd(&l->event);
}

/* SPDX-License-Identifier: ISC */
/* qlink.h - QEMU's network cards: their relays, and the state of their links. */
#ifndef QLINK_H
#define QLINK_H

#include <stdbool.h>

#include "netconf.h"

struct loop;
struct net;
struct qmp;
struct qnet;

struct qlink {
	struct loop *loop;
	struct net *net;
	struct qmp *qmp;                /* NULL: the guest does not run */
	struct qnet *card[NETCONF_MAX];
	bool up[NETCONF_MAX];           /* as QEMU was told */
	int event, id;                  /* eventfd: a link has changed */
};

#define QLINK_INIT { .event = -1, .id = -1 }

int qlink_init(struct qlink *l, struct loop *loop, struct net *net, int (*sock)[2]);
void qlink_start(struct qlink *l, struct qmp *qmp);
void qlink_stop(struct qlink *l);
void qlink_free(struct qlink *l);

#endif

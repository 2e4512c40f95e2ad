/* SPDX-License-Identifier: ISC */
/* netconf.h - which interfaces a VM was asked to have, and where their peers are. */
#ifndef NETCONF_H
#define NETCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sockpath.h"

struct msg;

enum { NETCONF_MAX = 4, NETCONF_GUEST = 1024, NETCONF_CALLED = 64, NETCONF_WORDS = NETCONF_GUEST + 48 };

/* Where peers come from. */
enum net_from {
	NET_FROM_FD,            /* the one that is connected, and no other */
	NET_FROM_LISTENER,      /* who connects to @listener */
	NET_FROM_PATH,          /* we connect to @name in @dir */
	NET_FROM_CONTROL,       /* we ask @control; and, with a path, connect it anew when it has ended; with neither, who
				 * is plugged in */
};

struct net_config {
	enum net_from from;
	int fd;                 /* the peer that is there, -1: none yet */
	int listener, control, dir;     /* -1: none */
	int shared;             /* of VM_NET=fd:N, which others have as well: where @control is from; or of what was
				 * plugged in, once it gave frames; -1: none */
	char name[SOCKPATH_NAME];       /* of a socket in @dir */
	char called[NETCONF_CALLED];    /* that the other guests of a control socket's network know this one by; "": nothing */
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;           /* of the card, 0: not told; no network's changes once the card is there */
	uint16_t told_mtu;      /* by the network that the card has now, 0: not; the card's is an upper bound */
	char guest[NETCONF_GUEST];      /* words for the guest's agent: addr= gateway= dns=; "" for none */
};

int netconf_parse(struct net_config *c, const char *spec, char *err, size_t errsize);
int netconf_control(struct net_config *c, const char *spec, const char *name, char *err, size_t errsize);
int netconf_reply(struct net_config *c, struct msg *m, char *err, size_t errsize);
int netconf_reply_again(struct net_config *c, struct msg *m, char *err, size_t errsize);
int netconf_ask(const struct net_config *c);
int netconf_connect(const struct net_config *c, int type);
void netconf_words(const struct net_config *c, char *text, size_t size);
int netconf_settle(struct net_config *c, unsigned int *n, const char *name, char *err, size_t errsize);
void netconf_mac(struct net_config *c, const char *name, unsigned int i);
void netconf_close(struct net_config *c);

#endif

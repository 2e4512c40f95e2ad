/* SPDX-License-Identifier: ISC */
/* net.h - the VM's network interfaces: what an engine makes cards of, and who is at their cables' ends. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netconf.h"

struct net;
struct worker;

/* What passed, as the guest sees it. */
struct net_counts {
	bool up;                /* a peer is there */
	uint64_t in, out, dropped;
};

/* What happened to an interface while the VM runs. */
struct net_news {
	unsigned int i;                 /* which */
	bool answers;                   /* a network was plugged in, or could not be: tell @asker */
	uint64_t asker;
	int err;                        /* < 0: it could not, for it gave no frames: @why */
	char why[160];
	char words[NETCONF_WORDS];      /* for the guest's agent, netconf_words() */
};

/* An engine's card. Its functions are called as the network's worker. */
struct net_card {
	int (*attach)(void *card, int *fd);     /* a peer is there; consumes @fd */
	void (*counts)(void *card, struct net_counts *counts);
	void *card;
};

struct net *net_new(const struct net_config *config, unsigned int n);
void net_free(struct net *net);
int net_start(struct net *net);
void net_stop(struct net *net);

unsigned int net_interfaces(const struct net *net);
const struct net_config *net_config(const struct net *net, unsigned int i);
struct worker *net_worker(struct net *net);
void net_plug(struct net *net, unsigned int i, const struct net_card *card);
void *net_lost_arg(struct net *net, unsigned int i);
void net_lost(void *arg);
void net_counts(struct net *net, unsigned int i, struct net_counts *counts);
bool net_dials(const struct net *net);
int net_control(struct net *net);
int net_plug_in(struct net *net, int *fd, uint64_t asker);
int net_event(const struct net *net);
bool net_next_news(struct net *net, struct net_news *news);

#endif

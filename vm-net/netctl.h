/* SPDX-License-Identifier: ISC */
/* netctl.h - vm-net's control socket: its verbs for its clients, vm-net(1). */
#ifndef NETCTL_H
#define NETCTL_H

#include <stdbool.h>
#include <sys/types.h>

struct router;

enum { NETCTL_CONNS = 192 };

struct netctl_conn {
	struct netctl *ctl;
	int sock, watch;                /* sock -1: free */
	bool shared;                    /* inherited: its end is the program's */
};

struct netctl {
	struct router *router;
	int listener, watch, spare;     /* -1: none; spare: see fds_accept() */
	uid_t uid;
	struct netctl_conn conn[NETCTL_CONNS];

	/* The program's end of the inherited socket is gone. */
	void (*left)(void *arg);
	void *arg;
};

void netctl_init(struct netctl *ctl, struct router *r);
int netctl_listen(struct netctl *ctl, int *listener);
int netctl_adopt(struct netctl *ctl, int *sock);
void netctl_free(struct netctl *ctl);

#endif

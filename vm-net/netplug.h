/* SPDX-License-Identifier: ISC */
/* netplug.h - a network that plugs itself into a VM that runs. */
#ifndef NETPLUG_H
#define NETPLUG_H

#include <stdbool.h>
#include <stddef.h>

#include "handle.h"

struct loop;
struct netctl;

struct netplug {
	struct vm_link link;            /* to the VM, until it has answered */
	int watch;
	struct loop *loop;

	/* The VM has answered, or is gone. @why: NULL: it has the network; else it has not, in a line, borrowed. */
	void (*done)(void *arg, const char *why);
	void *arg;
};

#define NETPLUG_INIT { .link = VM_LINK_INIT, .watch = -1 }

int netplug_find(struct netplug *p, const char *vm, int *handle, char *why, size_t whysize);
int netplug_ask(struct netplug *p, struct loop *loop, struct netctl *ctl);
bool netplug_waits(const struct netplug *p);
void netplug_free(struct netplug *p);

#endif

/* SPDX-License-Identifier: ISC */
/* launch.h - which process the machine is: this one, a daemon, or a program's companion. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <stdbool.h>

struct vm_config;

struct launch {
	int report;             /* to the waiting parent, -1: nobody waits */
	int prog;               /* pidfd of --with's program, -1: none */
};

void launch_split(struct launch *l, struct vm_config *c);
int launch_report(struct launch *l, const char *text);
void launch_detach(int null, int log);

#endif

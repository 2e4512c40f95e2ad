/* SPDX-License-Identifier: ISC */
/* launch.h - which process the machine is: this one, a daemon, or a program's companion. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "companion.h"

struct vm_config;

void launch_split(struct companion *l, struct vm_config *c);
void launch_detach(int null, int log);

#endif

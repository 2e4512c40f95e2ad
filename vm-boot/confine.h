/* SPDX-License-Identifier: ISC */
/* confine.h - what the machine keeps of the host once it is set up. */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>

struct companion;
struct vm;
struct vm_config;

int confine_early(const struct vm_config *c, const struct companion *l);
int confine(struct vm *vm);
int confine_calls(bool dials);

#endif

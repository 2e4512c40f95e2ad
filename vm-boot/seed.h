/* SPDX-License-Identifier: ISC */
/* seed.h - what the guest's init must know before any driver is up. */
#ifndef SEED_H
#define SEED_H

#include <stddef.h>

struct vm_config;

int seed_plant(struct vm_config *c, char *err, size_t errsize);

#endif

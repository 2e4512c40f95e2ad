/* SPDX-License-Identifier: ISC */
/* seed.h - what the guest's init must know before any driver is up. */
#ifndef SEED_H
#define SEED_H

struct vm_config;

int seed_plant(struct vm_config *c);

#endif

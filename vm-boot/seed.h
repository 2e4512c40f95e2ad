/* SPDX-License-Identifier: ISC */
/* seed.h - what the guest's init must know before any driver is up. */
#ifndef SEED_H
#define SEED_H

#include <stddef.h>

struct vm_config;
struct wire_out;

void seed_record(const struct vm_config *c, struct wire_out *w);
int seed_plant(struct vm_config *c, char *err, size_t errsize);

#endif

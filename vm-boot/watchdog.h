/* SPDX-License-Identifier: ISC */
/* watchdog.h - the end of a VM whose agent has fallen silent. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <stdint.h>

struct vm;
struct watchdog;

struct watchdog *watchdog_new(struct vm *vm);
void watchdog_answered(struct watchdog *w, uint64_t cookie);
void watchdog_free(struct watchdog *w);

#endif

/* SPDX-License-Identifier: ISC */
/* relay.h - pairs of stream sockets whose bytes are carried from each to the other. */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostsock.h"

enum { RELAY_HEAD = 64 };

struct loop;
struct relays;

/* A pair has ended; its sockets are closed. @err: 0; -errno when the far one failed and the near one could be told. */
typedef void relay_fn(void *arg, uint32_t tag, int err);

struct relay_plan {
	struct hostsock_addr to;        /* what the far socket is to be connected with */
	uint32_t tag;                   /* the caller's */
	uint8_t head[RELAY_HEAD];       /* said to the far side before all else */
	size_t headlen;
};

struct relays *relays_new(struct loop *l, unsigned int max, relay_fn *done, void *arg);
void relays_free(struct relays *rs);
bool relays_full(const struct relays *rs);
unsigned int relays_count(const struct relays *rs);
bool relays_has(const struct relays *rs, uint32_t tag);
void relays_cancel(struct relays *rs, uint32_t tag);
int relays_open(struct relays *rs, int *near, int *far, const struct relay_plan *plan);

#endif

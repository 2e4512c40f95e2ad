/* SPDX-License-Identifier: ISC */
/* inlet.h - the ways by which libslirp, and nobody else, reaches this process. */
#ifndef INLET_H
#define INLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr;
struct flow_verdict;
struct inlet;
struct loop;
struct nat;
struct nat_slot;
struct stack;
struct subnet;

/* A connection of libslirp's, consumed, and whose it is, borrowed. Called by inlet_opened(), and from the loop. */
typedef void inlet_fn(void *arg, int *fd, const struct nat *nat, const struct nat_slot *slot);

struct inlet *inlet_new(struct loop *l, struct stack *st, const struct subnet *s, inlet_fn *fn, void *arg);
void inlet_free(struct inlet *in);
bool inlet_lead(const struct inlet *in, bool v4, struct flow_verdict *v);
bool inlet_owns(const struct inlet *in, const struct addr *a, uint16_t port);
bool inlet_address(const struct inlet *in, struct addr *a);
void inlet_opened(struct inlet *in, const struct nat *nat, const uint8_t *frame, size_t len);
uint64_t inlet_refused(const struct inlet *in);

#endif

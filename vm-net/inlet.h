/* SPDX-License-Identifier: ISC */
/* inlet.h - a port of this host's loopback by which libslirp, and nobody else, reaches this process over IPv6. */
#ifndef INLET_H
#define INLET_H

#include <stdint.h>

struct inlet;
struct loop;
struct stack;

/* A connection of libslirp's: consumed. */
typedef void inlet_fn(void *arg, int *fd);

struct inlet *inlet_new(struct loop *loop, const struct stack *st, inlet_fn *fn, void *arg);
void inlet_free(struct inlet *in);
uint16_t inlet_port(const struct inlet *in);

#endif

/* SPDX-License-Identifier: ISC */
/* stack.h - libslirp, which carries TCP, UDP and echo out by ordinary sockets. */
#ifndef STACK_H
#define STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "subnet.h"

enum { STACK_NEIGHBOURS = 16 };        /* that libslirp knows at a time, of either family */

struct loop;
struct mirror_mark;
struct stack;

/* A frame for the guest, borrowed until the return. It may be called whenever a function here is. */
typedef void stack_fn(void *arg, const uint8_t *frame, size_t len);

struct stack *stack_new(struct loop *l, const struct subnet *s, stack_fn *output, void (*settled)(void *arg), void *arg);
void stack_free(struct stack *st);
bool stack_input(struct stack *st, const uint8_t *frame, size_t len);
void stack_settle(struct stack *st);
void stack_nudge(struct stack *st);
int stack_forward(struct stack *st, bool udp, const struct addr *host, uint16_t port,
		  const struct addr *guest, uint16_t guest_port);
int stack_unforward(struct stack *st, bool udp, const struct addr *host, uint16_t port);
int stack_unix(struct stack *st, const char *path, const struct addr *to, uint16_t port);
bool stack_pings(void);
void stack_mark(struct stack *st, const struct mirror_mark *mark);
bool stack_made(struct stack *st, int fd, struct mirror_mark *mark);
unsigned int stack_changes(const struct stack *st);

#endif

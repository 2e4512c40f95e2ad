/* SPDX-License-Identifier: ISC */
/* forward.h - ports of the host that lead to ports of the guest. */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "fwdspec.h"

enum { FORWARD_PORTS = 1024, FORWARD_ERROR = 256 };

struct flow_key;
struct forwards;
struct loop;
struct stack;
struct subnet;

typedef void forward_fn(void *arg, const char *spec);

struct forwards *forwards_new(struct loop *l, struct stack *st, const struct subnet *s);
void forwards_clear(struct forwards *fs);
void forwards_free(struct forwards *fs);
int forwards_add(struct forwards *fs, const char *spec, char told[FWDSPEC_TEXT], char *err, size_t errsize);
int forwards_del(struct forwards *fs, const char *spec, char *err, size_t errsize);
void forwards_list(const struct forwards *fs, forward_fn *fn, void *arg);
uint64_t forwards_refused(const struct forwards *fs);
bool forwards_inbound(const struct forwards *fs, const struct flow_key *key);

#endif

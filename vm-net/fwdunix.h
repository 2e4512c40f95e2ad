/* SPDX-License-Identifier: ISC */
/* fwdunix.h - a UNIX socket of the host that leads to a port of the guest. */
#ifndef FWDUNIX_H
#define FWDUNIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fwdspec.h"

struct flow_key;
struct fwdunix;
struct loop;
struct stack;
struct subnet;

struct fwdunix *fwdunix_new(struct loop *l, struct stack *st, const struct subnet *s, const struct fwdspec *spec,
			    char *err, size_t errsize);
void fwdunix_free(struct fwdunix *u);
uint64_t fwdunix_refused(const struct fwdunix *u);
bool fwdunix_expects(const struct fwdunix *u, const struct flow_key *key);

#endif

/* SPDX-License-Identifier: ISC */
/* hostaddr.h - the addresses of this host, as the kernel has them now. */
#ifndef HOSTADDR_H
#define HOSTADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

struct hostaddr;
struct loop;

typedef void hostaddr_fn(void *arg);

struct hostaddr *hostaddr_new(void);
void hostaddr_free(struct hostaddr *h);
int hostaddr_follow(struct hostaddr *h, struct loop *loop, hostaddr_fn *fn, void *arg);
void hostaddr_feed(struct hostaddr *h, const void *bytes, size_t len);

bool hostaddr_has(const struct hostaddr *h, const struct addr *a);
size_t hostaddr_count(const struct hostaddr *h);

#endif

/* SPDX-License-Identifier: ISC */
/* netverbs.h - what vm-net's control socket can be asked. */
#ifndef NETVERBS_H
#define NETVERBS_H

#include <stdbool.h>

struct msg;
struct router;

int netverb_run(struct router *r, bool shared, struct msg *request, struct msg *answer);

#endif

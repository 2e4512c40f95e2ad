/* SPDX-License-Identifier: ISC */
/* netverbs.h - what vm-net's control socket can be asked. */
#ifndef NETVERBS_H
#define NETVERBS_H

struct msg;
struct router;

int netverb_run(struct router *r, struct msg *request, struct msg *answer);

#endif

/* SPDX-License-Identifier: ISC */
/* router.h - the virtual network as a whole: the guest's cable, the filter, the stack, DNS, the policy over them. */
#ifndef ROUTER_H
#define ROUTER_H

#include "cable.h"
#include "dns.h"
#include "dnstcp.h"
#include "filter.h"
#include "forward.h"
#include "journal.h"
#include "pcap.h"
#include "policy.h"
#include "redirect.h"
#include "space.h"
#include "stack.h"
#include "subnet.h"

struct loop;

enum { ROUTER_NAMES = 65536 };          /* pairs of name and address that are remembered at a time */

struct router {
	struct loop *loop;
	struct subnet subnet;
	struct cable cable;
	struct filter filter;
	struct stack *stack;
	struct forwards *forwards;
	struct redirects *redirects;    /* NULL: there can be none */
	struct dns *dns;
	struct dnstcp *dnstcp;
	struct names *names;
	struct space space;
	struct policy *policy;
	struct journal journal;
	struct pcap pcap;
	int timer;
	unsigned int taken;             /* how often a guest was plugged in */

	/* The guest's end is gone; NULL: nobody wants to know. */
	void (*gone)(void *arg);
	void *arg;
};

struct router *router_new(struct loop *loop, const struct subnet *s, struct policy *p);
void router_free(struct router *r);
int router_plug(struct router *r, int *fd);
int router_use(struct router *r, struct policy *p, bool live);
uint64_t router_now(void);

/* judge.c */
void judge_name(struct router *r, const char *name, struct policy_verdict *v);
bool judge_flow(struct router *r, const struct flow_key *key, struct flow_verdict *v);
bool judge_named(struct router *r, const struct flow *f, const char *name, struct flow_verdict *v);
bool judge_told(const struct router *r, const struct addr *a);

#endif

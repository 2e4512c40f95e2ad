/* SPDX-License-Identifier: ISC */
/* router.h - the virtual network as a whole: its guests, the stack, DNS, the policy over them. */
#ifndef ROUTER_H
#define ROUTER_H

#include "dns.h"
#include "dnstcp.h"
#include "forward.h"
#include "journal.h"
#include "lan.h"
#include "member.h"
#include "pcap.h"
#include "policy.h"
#include "redirect.h"
#include "space.h"
#include "stack.h"
#include "subnet.h"

struct loop;

enum {
	ROUTER_NAMES = 65536,           /* pairs of name and address that are remembered at a time */
	ROUTER_FLOWS = 2048,            /* of one guest of several */
	ROUTER_QUESTIONS = 256,         /* of the stack in one turn */
	ROUTER_QUESTION = 128,          /* bytes of one */
};

/* The stack asked who has an address, and has the answer; what it asked for waits for a nudge. */
struct router_question {
	unsigned int port;              /* whose it is */
	size_t len;
	uint8_t frame[ROUTER_QUESTION];
};

struct router {
	struct loop *loop;
	struct subnet subnet;
	struct lan *lan;                /* NULL: no switch, and one guest */
	struct member *member[LAN_PORTS];       /* by port; NULL: nobody was there yet; without a switch: the first */
	struct router_question question[ROUTER_QUESTIONS];      /* with a switch: of this turn */
	unsigned int questions;
	uint64_t questions_refused;     /* that wait for the stack to ask again */
	struct stack *stack;
	struct forwards *forwards;
	struct redirects *redirects;
	struct dns *dns;
	struct dnstcp *dnstcp;
	struct names *names;
	struct space space;
	struct policy *policy;
	struct journal journal;
	struct pcap pcap;
	int timer;
	uint64_t rate;                  /* bytes a second of each guest, either way; 0: no limit */
	uint64_t control_refused;       /* connections of the control socket, see netctl.c */
	unsigned int taken;             /* how often a guest was plugged in */
};

struct router *router_new(struct loop *loop, const struct subnet *s, struct policy *p, bool several);
void router_free(struct router *r);
int router_plug(struct router *r, const char *name, int *fd);
int router_limit(struct router *r, uint64_t rate);
void router_left(struct router *r, struct member *m);
int router_use(struct router *r, struct policy *p, bool live);
uint64_t router_now(void);

/* judge.c */
void judge_name(struct router *r, const char *name, struct policy_verdict *v);
bool judge_flow(struct router *r, const struct flow_key *key, struct flow_verdict *v);
bool judge_named(struct router *r, const struct flow *f, const char *name, struct flow_verdict *v);
bool judge_told(const struct router *r, const struct addr *a);

#endif

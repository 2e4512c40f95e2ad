/* SPDX-License-Identifier: ISC */
/* policy.h - what a guest may reach: judging flows and names by vm-policy(5). */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "names.h"

enum { POLICY_PATH = 108 };             /* bytes that hold a socket's path, as in struct sockaddr_un */

enum policy_proto { POLICY_TCP, POLICY_UDP, POLICY_ICMP, POLICY_DNS, POLICY_PROTOS };

struct policy;
struct space;

/* Where a `redirect` rule hands its flows to. */
struct policy_target {
	char path[POLICY_PATH];         /* of a socket, or empty */
	struct addr addr;
	uint16_t port;
	bool proxy_v2;                  /* begins with a PROXY protocol header, version 2 */
};

/* A flow by its first packet. */
struct policy_flow {
	enum policy_proto proto;        /* not POLICY_DNS */
	struct addr to;
	uint16_t port;                  /* 0 for icmp */
};

/* What a judgement looks at beside the rules; all borrowed. */
struct policy_view {
	const struct space *space;
	const struct names *names;
	uint64_t now_ms;                /* of the clock that names_learn() is told */
};

struct policy_verdict {
	bool allow;
	bool protected;                 /* denied because no rule opens this protected address */
	bool sni;                       /* hold back what the guest says until its name is judged: policy_judge_as() */
	unsigned int line;              /* of the rule; 0: protected, default, or our own DNS */
	unsigned int log_line;          /* of the first `log` rule that matched before; 0: none */
	const struct policy_target *redirect; /* the policy's; NULL: to where it was going */
	char name[NAMES_TEXT];          /* by which the rule matched; empty: by address */
};

struct policy *policy_open(void);
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p);
const struct policy_target *policy_targets(const struct policy *p, size_t *count);

void policy_judge(const struct policy *p, const struct policy_flow *f, const struct policy_view *view,
		  struct policy_verdict *v);
void policy_judge_as(const struct policy *p, const struct policy_flow *f, const struct policy_view *view,
		     const char *name, struct policy_verdict *v);
void policy_judge_name(const struct policy *p, const char *name, const struct space *space, struct policy_verdict *v);

#endif

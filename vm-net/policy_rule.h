/* SPDX-License-Identifier: ISC */
/* policy_rule.h - a policy in memory: its rules, and from destinations to them. For policy*.c alone. */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include "policy.h"
#include "policy_index.h"

enum { POLICY_RULES_MAX = POLICY_INDEX_RULES };

enum policy_action { POLICY_ALLOW, POLICY_DENY, POLICY_LOG, POLICY_REDIRECT, POLICY_ACTIONS };

struct policy_ports {
	uint16_t first, last;
};

struct policy_rule {
	enum policy_action action;
	unsigned int protos;            /* 1 << enum policy_proto */
	bool sni;
	unsigned int line;
	size_t port, ports;             /* policy->port[port .. port + ports); none: all of them */
	size_t target;                  /* policy->target[], of a redirect */
};

struct policy {
	unsigned int refs;
	bool allow;                     /* the default */
	struct policy_rule *rule;
	size_t rules;
	struct policy_ports *port;
	size_t ports;
	struct policy_target *target;
	size_t targets;
	struct policy_index index;
};

struct policy *policy_rule_new(void);
int policy_rule_add(struct policy *p, const struct policy_rule *r);
int policy_rule_add_ports(struct policy *p, const struct policy_ports *ports);
int policy_rule_add_target(struct policy *p, const struct policy_target *t);
bool policy_rule_fits(const struct policy *p, const struct policy_rule *r, const struct policy_flow *f);

#endif

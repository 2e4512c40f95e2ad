// SPDX-License-Identifier: ISC
/*
 * policy_rule.c - a policy in memory: its rules, and from destinations to them.
 *
 * It is built once, by policy_parse.c, and never changes then: a reload makes another, and who uses the old one keeps it
 * by a reference. One thread.
 */
#include "policy_rule.h"

#include <errno.h>
#include <stdlib.h>

/** policy_rule_new() - a policy without rules that denies all. Return: it, with one reference; NULL with errno. */
struct policy *policy_rule_new(void)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (p)
		p->refs = 1;
	return p;
}

/** policy_rule_add() - add a rule. @p: not indexed yet. @r: copied. Return: 0; -ENOSPC; -ENOMEM. */
int policy_rule_add(struct policy *p, const struct policy_rule *r)
{
	struct policy_rule *more;

	if (p->rules == POLICY_RULES_MAX)
		return -ENOSPC;
	more = policy_index_grow(p->rule, p->rules, sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->rule = more;
	p->rule[p->rules++] = *r;
	return 0;
}

/** policy_rule_add_ports() - add ports, to be the newest rule's. @p. @ports: copied. Return: 0; -ENOMEM. */
int policy_rule_add_ports(struct policy *p, const struct policy_ports *ports)
{
	struct policy_ports *more = policy_index_grow(p->port, p->ports, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->port = more;
	p->port[p->ports++] = *ports;
	return 0;
}

/** policy_rule_add_target() - add a target, to be the newest rule's. @p. @t: copied. Return: 0; -ENOMEM. */
int policy_rule_add_target(struct policy *p, const struct policy_target *t)
{
	struct policy_target *more = policy_index_grow(p->target, p->targets, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->target = more;
	p->target[p->targets++] = *t;
	return 0;
}

/** policy_rule_fits() - whether a rule is about a flow's protocol and port. @p. @r: of @p. @f. Return: so. */
bool policy_rule_fits(const struct policy *p, const struct policy_rule *r, const struct policy_flow *f)
{
	bool quic = r->sni && f->proto == POLICY_UDP && f->port == 443;
	size_t i;

	/* A rule that checks names denies what it could not look into. */
	if (!(r->protos & 1u << f->proto) && !quic)
		return false;
	for (i = 0; i < r->ports; i++) {
		const struct policy_ports *port = &p->port[r->port + i];

		if (f->port >= port->first && f->port <= port->last)
			return true;
	}
	return !r->ports;
}

/** policy_open() - what holds without a policy: all is allowed but what is protected. Return: it; NULL with errno. */
struct policy *policy_open(void)
{
	struct policy *p = policy_rule_new();

	if (p)
		p->allow = true;
	return p;
}

/** policy_ref() - use a policy for longer. @p. Return: @p, to be given to policy_unref(). */
struct policy *policy_ref(struct policy *p)
{
	p->refs++;
	return p;
}

/** policy_unref() - end the use of a policy; the last one frees it. @p: may be NULL. */
void policy_unref(struct policy *p)
{
	if (!p || --p->refs)
		return;
	policy_index_free(&p->index);
	free(p->rule);
	free(p->port);
	free(p->target);
	free(p);
}

/** policy_targets() - all targets of redirects, each rule's own. @p. @count: set. Return: @p's. */
const struct policy_target *policy_targets(const struct policy *p, size_t *count)
{
	*count = p->targets;
	return p->target;
}

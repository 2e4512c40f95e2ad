// SPDX-License-Identifier: ISC
/*
 * policy.c - what a guest may reach: judging flows and names by vm-policy(5).
 *
 * The first rule that matches decides. What may match is found by the index, in two sets of rules: `any` matches the
 * address or one of its names, `open` does so in a way that opens protected space, too:
 *
 *	by				any	open
 *	an address or a range		yes	yes, but for a range that merely has the virtual network in it
 *	host				yes	yes
 *	a name that was mapped		yes	yes
 *	a name that DNS told		yes	no
 *	*, 0.0.0.0/0, ::/0, default	yes	only what was mapped
 *
 * To a protected address, only a rule of `open` allows or redirects; one of `any` denies and logs. So no DNS server leads
 * a guest to this host, whatever it answers.
 */
#include "policy.h"

#include <stdint.h>
#include <string.h>

#include "policy_rule.h"
#include "space.h"

enum { DNS_PORT = 53 };

struct matches {
	struct policy_set any, open;
	bool shut;                      /* only `open` allows */
	bool mapped;                    /* ... and the default */
};

/* Collect the rules that may match. @as: the only name; NULL: all that the address has. @m: `shut` is set. */
static void collect(const struct policy *p, const struct policy_flow *f, const struct policy_view *view, const char *as,
		    struct matches *m)
{
	const struct policy_index *x = &p->index;
	const struct names_entry *entry = NULL;
	const char *name;
	size_t at = 0;

	m->mapped = false;
	policy_index_clear(x, &m->open);
	policy_index_clear(x, &m->any);
	while ((name = space_mapped(view->space, &f->to, &at))) {
		if (!as || !strcmp(name, as))
			policy_index_name(x, name, &m->open);
		m->mapped = true;
	}
	/* Ranges of `any` are those of `open` and others: who does not ask for the difference is spared a search. */
	if (m->shut)
		policy_index_address(x, &f->to, m->mapped ? POLICY_INDEX_ANY : POLICY_INDEX_PART,
				     space_virtual(view->space, &f->to), &m->open);
	if (space_host(view->space, &f->to))
		policy_index_join(x, &m->open, &x->host);
	policy_index_join(x, m->mapped ? &m->open : &m->any, &x->star);
	policy_index_address(x, &f->to, POLICY_INDEX_ANY, NULL, &m->any);
	policy_index_join(x, &m->any, &m->open);
	if (as)
		policy_index_name(x, as, &m->any);
	else
		while ((name = names_next(view->names, &f->to, view->now_ms, &entry)))
			policy_index_name(x, name, &m->any);
}

/* The name by which a rule matched. Return: NULL when it was by address. */
static const char *find_name(const struct policy *p, const struct policy_flow *f, const struct policy_view *view,
			     const char *as, uint32_t rule)
{
	const struct names_entry *entry = NULL;
	const char *name;
	size_t at = 0;

	if (as)
		return policy_index_matches(&p->index, as, rule) ? as : NULL;
	while ((name = space_mapped(view->space, &f->to, &at)))
		if (policy_index_matches(&p->index, name, rule))
			return name;
	while ((name = names_next(view->names, &f->to, view->now_ms, &entry)))
		if (policy_index_matches(&p->index, name, rule))
			return name;
	return NULL;
}

static bool in(const struct policy_set *s, size_t rule)
{
	return s->word[rule / 64] >> rule % 64 & 1;
}

/* Find the rule that decides, and note what is to be logged. Return: its number; SIZE_MAX for none. */
static size_t decide(const struct policy *p, const struct policy_flow *f, const struct matches *m, struct policy_verdict *v)
{
	size_t i;

	for (i = 0; (i = policy_index_next(&p->index, &m->any, i)) != SIZE_MAX; i++) {
		const struct policy_rule *r = &p->rule[i];

		if (!policy_rule_fits(p, r, f))
			continue;
		if (r->action == POLICY_LOG)
			v->log_line = v->log_line ? v->log_line : r->line;
		else if (r->action == POLICY_DENY || !m->shut || in(&m->open, i))
			return i;
	}
	return SIZE_MAX;
}

static void judge(const struct policy *p, const struct policy_flow *f, const struct policy_view *view, const char *as,
		  struct policy_verdict *v)
{
	enum space_role role = space_role(view->space, &f->to);
	struct matches m;
	size_t i;

	*v = (struct policy_verdict){ 0 };
	/* Our own forwarder, which judges every name. */
	if (role == SPACE_DNS && f->proto != POLICY_ICMP && f->port == DNS_PORT) {
		v->allow = true;
		return;
	}
	/* The virtual router answers echo itself; anything else at its addresses is this host's loopback. */
	m.shut = role ? f->proto != POLICY_ICMP : space_protected(view->space, &f->to);
	collect(p, f, view, as, &m);
	i = decide(p, f, &m, v);
	if (i != SIZE_MAX) {
		const struct policy_rule *r = &p->rule[i];
		const char *name;

		v->line = r->line;
		/* The check of names is for TCP: a flow of UDP that such a rule is about is QUIC. */
		v->allow = r->action != POLICY_DENY && !(r->sni && f->proto != POLICY_TCP);
		v->sni = r->sni && v->allow;
		v->redirect = r->action == POLICY_REDIRECT ? &p->target[r->target] : NULL;
		name = find_name(p, f, view, as, (uint32_t)i);
		if (name)
			strcpy(v->name, name);
	} else {
		v->protected = m.shut && !m.mapped;
		v->allow = p->allow && !v->protected;
	}
}

/**
 * policy_judge() - judge a flow by its first packet
 * @p: policy
 * @f: flow; icmp is for echo
 * @view: what is known of its address
 * @v: filled in; holds for the flow's life, whatever becomes of names
 */
void policy_judge(const struct policy *p, const struct policy_flow *f, const struct policy_view *view,
		  struct policy_verdict *v)
{
	judge(p, f, view, NULL, v);
}

/**
 * policy_judge_as() - judge a flow as if its address had one name alone
 *
 * For a flow whose verdict says `sni`, with the name that its client asks the server for; and for flows that live on when
 * a policy is reloaded, with the name by which they were allowed, which may have expired.
 *
 * @p, @f, @view, @v: as for policy_judge(); @v's `sni` means nothing more to do
 * @name: any text; what is no name matches none
 */
void policy_judge_as(const struct policy *p, const struct policy_flow *f, const struct policy_view *view,
		     const char *name, struct policy_verdict *v)
{
	char canonical[NAMES_TEXT];

	if (names_canonical(name, canonical))
		*canonical = '\0';
	judge(p, f, view, canonical, v);
}

/* Whether a rule decides about resolving a name that it matches. @named: by a name, not by a star. */
static bool resolves(const struct policy_rule *r, bool named)
{
	bool dns = r->protos & 1u << POLICY_DNS;

	if (r->action == POLICY_ALLOW || r->action == POLICY_REDIRECT)
		return dns || named;
	return dns;
}

/**
 * policy_judge_name() - judge whether a name may be resolved
 * @p: policy
 * @name: any text; "." or "" is the root, which only a star matches; what is no name is denied
 * @space: its mapped names may be resolved unless a rule denies it
 * @v: filled in; `redirect`, `sni` and `protected` are not set
 */
void policy_judge_name(const struct policy *p, const char *name, const struct space *space, struct policy_verdict *v)
{
	const struct policy_index *x = &p->index;
	struct policy_set any;
	size_t i;

	*v = (struct policy_verdict){ 0 };
	if (names_canonical(name, v->name) && *name && strcmp(name, ".") != 0) {
		*v->name = '\0';
		return;
	}
	if (!*name || !strcmp(name, "."))
		*v->name = '\0';
	policy_index_clear(x, &any);
	policy_index_join(x, &any, &x->star);
	policy_index_name(x, v->name, &any);
	for (i = 0; (i = policy_index_next(x, &any, i)) != SIZE_MAX; i++) {
		const struct policy_rule *r = &p->rule[i];

		if (!resolves(r, policy_index_matches(x, v->name, (uint32_t)i)))
			continue;
		if (r->action == POLICY_LOG) {
			v->log_line = v->log_line ? v->log_line : r->line;
			continue;
		}
		v->line = r->line;
		v->allow = r->action != POLICY_DENY;
		return;
	}
	v->allow = p->allow || space_knows(space, v->name);
}

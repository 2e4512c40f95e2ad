// SPDX-License-Identifier: ISC
/*
 * judge.c - the policy's answers to what the filter and the forwarder ask, and the log of them.
 *
 * A guest's queries by UDP are the filter's. By TCP they are flows, which are carried to our own server (dnstcp.h) as
 * redirects are. Whatever else goes to the server's address libslirp would take to the host's loopback: it is denied, and
 * so is what goes to where flows are led.
 */
#include "router.h"

#include <errno.h>

#include "log.h"
#include "util.h"

enum { DNS_PORT = 53 };

static bool to_forwarder(const struct subnet *s, const struct addr *a)
{
	return (s->v4 && addr_equal(a, &s->dns4)) || (s->v6 && addr_equal(a, &s->dns6));
}

static enum policy_proto proto_of(const struct flow_key *key)
{
	return key->proto == PKT_PROTO_TCP ? POLICY_TCP : key->proto == PKT_PROTO_UDP ? POLICY_UDP : POLICY_ICMP;
}

/* A flow to our own server. Return: whether there is a way to it; then @v says which. */
static bool carry_to_server(struct router *r, const struct flow_key *key, struct flow_verdict *v)
{
	return key->proto == PKT_PROTO_TCP && key->remote_port == DNS_PORT && to_forwarder(&r->subnet, &key->remote) &&
	       redirects_service(r->redirects, addr_is_v4(&key->remote), v);
}

/* Addresses, and a port, that are for what the filter carries there. */
static bool is_private(const struct router *r, const struct flow_key *key)
{
	return to_forwarder(&r->subnet, &key->remote) || redirects_private(r->redirects, &key->remote, key->remote_port);
}

/* Whether echo can be carried out at all. */
static bool can_ping(void)
{
	static bool told;

	if (stack_pings())
		return true;
	if (errno == EACCES && !told) {
		warn("ping: denied beyond the gateway: %s: none of our groups is in this host's sysctl net.ipv4.ping_group_range",
		     errstr(errno));
		told = true;
	}
	return false;
}

/**
 * judge_flow() - whether the guest may begin a flow, or go on with one
 * @r, @key.
 * @v: filled in when so
 * Return: so.
 */
bool judge_flow(struct router *r, const struct flow_key *key, struct flow_verdict *v)
{
	struct policy_flow f = { proto_of(key), key->remote, key->remote_port };
	struct policy_view view = { &r->space, r->names, router_now() };
	struct policy_verdict verdict;

	if (f.proto == POLICY_ICMP)
		f.port = 0;
	policy_judge(r->policy, &f, &view, &verdict);
	*v = (struct flow_verdict){ .rule = verdict.line, .sni = verdict.sni };
	if (carry_to_server(r, key, v))
		return true;
	if (is_private(r, key))
		verdict.allow = false;
	if (verdict.allow && f.proto == POLICY_ICMP && !can_ping())
		verdict.allow = false;
	journal_flow(&r->journal, key, &verdict);
	if (!verdict.allow || !verdict.redirect)
		return verdict.allow;
	return redirects_verdict(r->redirects, verdict.redirect, key, v);
}

/**
 * judge_named() - whether a flow may go on whose client has said which server it wants
 * @r
 * @f: allowed by a rule with `sni`
 * @name: canonical
 * @v: filled in when so
 * Return: so.
 */
bool judge_named(struct router *r, const struct flow *f, const char *name, struct flow_verdict *v)
{
	struct policy_flow flow = { proto_of(&f->key), f->key.remote, f->key.remote_port };
	struct policy_view view = { &r->space, r->names, router_now() };
	struct policy_verdict verdict;

	policy_judge_as(r->policy, &flow, &view, name, &verdict);
	journal_flow(&r->journal, &f->key, &verdict);
	*v = (struct flow_verdict){ .rule = verdict.line, .redirect = verdict.redirect };
	return verdict.allow;
}

/** judge_name() - whether a name may be asked for. @r. @name: as it was asked. @v: filled in. */
void judge_name(struct router *r, const char *name, struct policy_verdict *v)
{
	policy_judge_name(r->policy, name, &r->space, v);
	journal_name(&r->journal, name, v);
}

/**
 * judge_told() - whether an address that DNS gave may be told
 * @r, @a.
 *
 * One that no name can open is not, but for the host's own: rules for `host` have them.
 * Return: so.
 */
bool judge_told(const struct router *r, const struct addr *a)
{
	return !space_protected(&r->space, a) || space_host(&r->space, a);
}

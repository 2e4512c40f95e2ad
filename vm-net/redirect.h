/* SPDX-License-Identifier: ISC */
/* redirect.h - flows that a policy hands to a program of the host. */
#ifndef REDIRECT_H
#define REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr;
struct flow_key;
struct flow_verdict;
struct loop;
struct nat;
struct nat_slot;
struct policy;
struct policy_target;
struct redirects;
struct stack;
struct subnet;

enum { REDIRECT_TARGETS = 1024, REDIRECT_RELAYS = 1024 };

struct redirect_ops {
	/* The target of a flow, which @nat carries, refused or reset it: filter_cut(). Called from the loop. */
	void (*cut)(void *arg, const struct nat *nat, const struct flow_key *key);

	/* The connection of a flow for which redirects_service() was asked: consumed. As inlet_fn. */
	void (*serve)(void *arg, int *fd);
};

struct redirect_figures {
	unsigned int open;              /* connections to targets now */
	uint64_t refused;               /* flows that found no room */
	uint64_t failed;                /* targets that could not be reached, or reset */
};

struct redirects *redirects_new(struct loop *l, struct stack *st, const struct subnet *s, const struct redirect_ops *ops,
				void *arg);
void redirects_free(struct redirects *r);
int redirects_use(struct redirects *r, const struct policy *p);
bool redirects_private(const struct redirects *r, const struct addr *a, uint16_t port);
bool redirects_verdict(struct redirects *r, const struct policy_target *t, const struct flow_key *key,
		       struct flow_verdict *v);
bool redirects_service(const struct redirects *r, bool v4, struct flow_verdict *v);
void redirects_opened(struct redirects *r, const struct nat *nat, const uint8_t *frame, size_t len);
void redirects_ended(struct redirects *r, const struct nat_slot *slot, bool closed);
bool redirects_address(const struct redirects *r, struct addr *a);
struct redirect_figures redirects_figures(const struct redirects *r);

#endif

/* SPDX-License-Identifier: ISC */
/* policy_dest.h - the words of a policy's rule that need more than a comparison. For policy_parse.c alone. */
#ifndef POLICY_DEST_H
#define POLICY_DEST_H

#include <stdbool.h>
#include <stdint.h>

#include "policy_rule.h"

/* What a destination was, for rules that take some kinds only. */
enum policy_dest { POLICY_DEST_ADDRESS, POLICY_DEST_NAME, POLICY_DEST_STAR, POLICY_DEST_HOST };

int policy_dest_add(struct policy_index *x, uint32_t rule, const char *text, enum policy_dest *kind, const char **why);
int policy_dest_ports(const char *text, struct policy_ports *ports);
int policy_dest_target(const char *text, struct policy_target *t, const char **why);

#endif

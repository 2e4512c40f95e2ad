/* SPDX-License-Identifier: ISC */
/* filter_flow.h - flows that the filter judges again, speaks in and ends. */
#ifndef FILTER_FLOW_H
#define FILTER_FLOW_H

#include "build.h"
#include "filter.h"

enum { FILTER_FLOW_DATA = 4096 };       /* bytes of a segment of ours */

struct build_path filter_flow_path(const struct filter *f, const struct flow_key *key, bool to_guest);
void filter_flow_tell(struct filter *f, const struct flow_key *key, const struct built *b);
void filter_flow_pass(struct filter *f, uint16_t nat, const struct built *b);
bool filter_flow_named(struct filter *f, struct flow *fl);
bool filter_flow_allowed(struct filter *f, struct flow *fl);
void filter_flow_cut(struct filter *f, struct flow *fl, enum flow_end why);

#endif

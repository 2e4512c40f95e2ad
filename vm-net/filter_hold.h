/* SPDX-License-Identifier: ISC */
/* filter_hold.h - where flows are held until it is known which server they are for. */
#ifndef FILTER_HOLD_H
#define FILTER_HOLD_H

#include "filter.h"

bool filter_hold(struct filter *f, struct flow *fl, const struct pkt *p, enum pkt_drop *why);
void filter_hold_tick(struct filter *f);

#endif

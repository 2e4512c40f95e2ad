/* SPDX-License-Identifier: ISC */
/* flow.h - the bytes between a command and its client. */
#ifndef FLOW_H
#define FLOW_H

#include "plumbing.h"
#include "proto.h"
#include "pump.h"

struct flow {
	struct plumbing plumbing;	/* its fds go to the pumps, but for the master */
	struct pump input, output, errors;
	bool tty;
	void (*over)(void *arg);
	void *arg;
};

#define FLOW_INIT { .plumbing = PLUMBING_INIT, \
		    .input = PUMP_INIT, .output = PUMP_INIT, .errors = PUMP_INIT }

int flow_start(struct flow *f, struct loop *l, int streams[PROTO_STREAMS],
	       void (*over)(void *arg), void *arg);
void flow_drain(struct flow *f);
void flow_end_wait(struct flow *f);
void flow_drop(struct flow *f);
bool flow_is_over(const struct flow *f);
void flow_size(struct flow *f, const struct winsize *size);
void flow_hang_up(struct flow *f);
void flow_stop(struct flow *f);

#endif

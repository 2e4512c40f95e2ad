/* SPDX-License-Identifier: ISC */
/* agent.h - the connections to the agent in the guest. */
#ifndef AGENT_H
#define AGENT_H

#include "handle.h"
#include "options.h"
#include "proto.h"
#include "tty.h"
#include "wire.h"

struct agent {
	struct vm_link link;
	int stream[PROTO_STREAMS];      /* by enum proto_stream; -1: none */
};

void agent_init(struct agent *a);
int agent_open(struct agent *a, const struct config *c, char *err, size_t errsize);
void agent_request(struct wire_out *w, const struct config *c, const struct winsize_cells *size);

#endif

/* SPDX-License-Identifier: ISC */
/* agent.h - an agent for tests: honest (agent.c) and not (modes.c). */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>

#include "proto.h"
#include "wire.h"

struct request {
	int stream[PROTO_STREAMS];      /* -1: not there */
	struct wire_in in;              /* of the control connection, the request at its head */
	struct wire_record record;
	uint32_t streams, flags;
};

bool is_mode(const char *mode, const char *word);
int agent_main(int *fd, int count, const char *mode, const char *log_path);
int agent_run(struct request *q);
int agent_misbehave(const struct request *q, const char *mode);
void agent_send(int fd, struct wire_out *w);
void agent_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool agent_next(struct request *q);

#endif

/* SPDX-License-Identifier: ISC */
/* life.h - the life-cycle link to the host. */
#ifndef LIFE_H
#define LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto.h"

struct life;
struct loop;

/* What the agent and pid 1 tell each other, one packet each. */
enum life_word {
	LIFE_EXITED,			/* pid 1: the main command ended; value: of waitpid(2) */
	LIFE_TOLD,			/* agent: the host knows, or there is no host that would */
	LIFE_STOP,			/* agent: the host wants the machine to end */
	LIFE_SIZE,			/* agent: of the console; value: rows << 16 | columns */
};

struct life_packet {
	uint32_t word;			/* enum life_word */
	int32_t value;
};

struct life_config {
	bool has_token;
	uint8_t token[PROTO_ID];
	int init;			/* socket to pid 1, -1: it is none of ours */
};

struct life *life_start(struct loop *l, const struct life_config *config);
void life_free(struct life *life);

#endif

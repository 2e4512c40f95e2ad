/* SPDX-License-Identifier: ISC */
/* agent.h - the life-cycle link to vm-agent in the guest. */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct vm;

enum agent_state {
	AGENT_ABSENT,           /* nobody has dialled yet */
	AGENT_GREETED,          /* it is who it says it is */
	AGENT_READY,            /* and takes commands */
	AGENT_LOST,             /* it was there */
	AGENT_BROKEN,           /* it was, and sent what it must not */
	AGENT_STATES
};

struct agent *agent_new(struct vm *vm);
void agent_free(struct agent *a);
enum agent_state agent_state(const struct agent *a);
const char *agent_state_name(enum agent_state s);
const char *agent_absence(const struct agent *a);
bool agent_broken(const struct agent *a);
bool agent_exited(const struct agent *a, int *status);
bool agent_stop(struct agent *a);
void agent_ping(struct agent *a, uint64_t cookie);
void agent_net(struct agent *a, unsigned int i, const char *words, const uint64_t *asker);
void agent_size(struct agent *a, uint16_t cols, uint16_t rows);

#endif

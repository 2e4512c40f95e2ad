/* SPDX-License-Identifier: ISC */
/* host.h - what pid 1 and the host tell each other, through the agent. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>

#include "life.h"

struct config;
struct session;

struct host {
	struct session *session;	/* which has the agent and the socket to it */
	struct life_config life;	/* for the agent */
	bool said, told;		/* of the main process's end: to this agent; the host */
	bool renewed;			/* the agent was replaced for that */
	unsigned int steps;		/* of time that have passed */
	long long since;		/* of clock_ms(): the last one began; 0: none did */
};

/* Of time, while host_tell() wants to be called again. */
enum { HOST_STEP_MS = 1000 };

void host_start(struct host *h, struct session *s, const struct config *config);
bool host_says_stop(struct host *h, int console, short revents);
bool host_tell(struct host *h);
bool host_untold(const struct host *h);

#endif

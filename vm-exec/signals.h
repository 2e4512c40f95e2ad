/* SPDX-License-Identifier: ISC */
/* signals.h - signals that reach us and are meant for the command. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "session.h"

struct signals {
	struct session *session;
	int fd, watch;
	bool stopping;          /* as soon as the agent was told */
};

int signals_init(struct signals *g, struct session *s);
int signals_take(struct signals *g, bool raw);
void signals_flushed(struct signals *g);

#endif

/* SPDX-License-Identifier: ISC */
/* outcome.h - how it ended, and how that is told. */
#ifndef OUTCOME_H
#define OUTCOME_H

#include "options.h"

enum outcome_kind {
	OUTCOME_NONE,
	OUTCOME_EXIT,           /* the command's, @number: status */
	OUTCOME_SIGNAL,         /* the command was killed, @number: signal */
	OUTCOME_INTERRUPT,      /* ... by the SIGINT that we passed on */
	OUTCOME_STARTED,        /* detached, @number: its pid */
	OUTCOME_REFUSED,        /* the agent could not start it, @number: status; @text */
	OUTCOME_FAILED,         /* ours; @text */
	OUTCOME_TIMEOUT,
	OUTCOME_PIPE,           /* nobody reads our stdout */
	OUTCOME_LEFT,           /* by the escape */
	OUTCOME_KINDS
};

struct outcome {
	enum outcome_kind kind;
	unsigned int number;
	char text[768];         /* object: what: reason */
};

int outcome_tell(const struct outcome *o, int status_fd);

#endif

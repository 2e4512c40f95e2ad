/* SPDX-License-Identifier: ISC */
/* script.h - automation: the steps of the command line, in their order. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "console.h"
#include "regex.h"

enum step_kind { STEP_SEND, STEP_WAIT_FOR, STEP_RUN };

struct step {
	enum step_kind kind;
	const char *text;       /* as given */
	char *bytes;            /* STEP_SEND: what to send */
	size_t len;
	struct regex *re;       /* STEP_WAIT_FOR */
};

int script_run(struct console *con, const struct step *steps, size_t count, uint64_t deadline);

#endif

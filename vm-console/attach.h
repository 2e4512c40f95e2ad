/* SPDX-License-Identifier: ISC */
/* attach.h - a person, or a stream, on the console. */
#ifndef ATTACH_H
#define ATTACH_H

#include "console.h"
#include "fdio.h"

struct attach {
	struct console *con;
	struct fdio keys;       /* keyboard, or stdin to be forwarded; none: output alone */
	int terminal;           /* descriptor of the terminal to take and to measure, or -1 */
	int escape;             /* the byte that detaches, or -1 */
	uint64_t deadline;      /* on now_msec()'s clock; 0: none */
};

int attach_run(struct attach *a);

#endif

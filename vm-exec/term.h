/* SPDX-License-Identifier: ISC */
/* term.h - the terminal on this side: its keys, its size. */
#ifndef TERM_H
#define TERM_H

#include "options.h"
#include "tty.h"

struct term {
	int keys;               /* where stdin comes from: 0, or /dev/tty; -1: nowhere */
	int size;               /* a terminal to measure, or -1 */
	bool raw;               /* keys are a terminal's, to be taken raw */
};

int term_open(struct term *t, const struct config *c, bool stdin_is_handle, char *err, size_t errsize);
void term_measure(const struct term *t, struct winsize_cells *size);

#endif

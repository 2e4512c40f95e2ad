/* SPDX-License-Identifier: ISC */
/* control.h - the control connection of a command: records both ways. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

#include "loop.h"
#include "tty.h"
#include "wire.h"

enum { CONTROL_SIGNALS = 16 };

struct control {
	struct loop *loop;
	int fd, watch;
	struct wire_in in;
	struct wire_out out;            /* the record on its way */
	size_t sent;                    /* bytes of it */
	const char *due[CONTROL_SIGNALS];       /* names of signals to be passed on, each once */
	unsigned int count;
	struct winsize_cells size;      /* to be told; 0 columns: nothing is */
	int (*record)(void *arg, const struct wire_record *r);
	void (*ended)(void *arg, int err);
	void (*flushed)(void *arg);
	void *arg;
};

int control_start(struct control *c);
void control_stop(struct control *c);
void control_look(struct control *c);
void control_signal(struct control *c, const char *name);
void control_resize(struct control *c, const struct winsize_cells *size);
bool control_idle(const struct control *c);
bool control_more(const struct control *c);

#endif

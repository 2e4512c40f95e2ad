/* SPDX-License-Identifier: ISC */
/* console.h - a VM's console as its control socket hands it out. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "handle.h"
#include "tty.h"

enum { EXIT_OURS = 125, EXIT_TIMEOUT = 124 };

struct console {
	struct vm_link link;
	int stream;             /* connected socket: console output in, console input out */
	int replies;            /* answers to console-size that are still to come */
	char tty[16];           /* the device's name in the guest */
	char err[512];          /* why the last call failed */
};

#define CONSOLE_INIT { .link = VM_LINK_INIT, .stream = -1 }

enum console_mode {
	CONSOLE_REPLAY = 1,     /* begin with what the VM remembers */
	CONSOLE_READ_ONLY = 2,
	CONSOLE_HOLD = 4,       /* be the one reader that the guest waits for */
};

int console_open(struct console *c, unsigned int mode);
void console_resize(struct console *c, const struct winsize_cells *size);
int console_drain(struct console *c, bool wait);
uint64_t console_lost(struct console *c);
int console_cause(struct console *c, const char **cause);
uint64_t now_msec(void);

#endif

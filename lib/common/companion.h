/* SPDX-License-Identifier: ISC */
/* companion.h - a process that serves the program it started, over a socket that the program inherits. */
#ifndef COMPANION_H
#define COMPANION_H

#include <stddef.h>

struct companion {
	int prog;               /* pidfd of the program */
	int sock;               /* SOCK_SEQPACKET; the program's end is VAR=fd:N */
	int report;             /* written to once: ready, see companion_report() */
};

#define COMPANION_INIT { .prog = -1, .sock = -1, .report = -1 }

size_t companion_read_report(int fd, char *buf, size_t size);
int companion_report(struct companion *c, const char *text);
void companion_split(struct companion *c, const char *what, const char *var, char *const argv[]);

#endif

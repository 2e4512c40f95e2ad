/* SPDX-License-Identifier: ISC
 * The processes that make the lab: one virtiofsd per share, one QEMU. No names in any filesystem; each process is in a
 * group of its own (the terminal's Ctrl-C is not for it) and dies with its parent. */
#ifndef LAB_MACHINE_H
#define LAB_MACHINE_H

#include <stddef.h>
#include <sys/types.h>

#define MACHINE_SHARES	8

struct machine {
	const char *virtiofsd;		/* program */
	char **qemu;			/* argv, completed with the devices that need our fds */
	const char *dirs[MACHINE_SHARES];	/* writable shares */
	size_t ndirs;
	int port, console, monitor, log;	/* our ends; log: stderr of all the programs */
	pid_t pids[MACHINE_SHARES + 2];
	size_t npids;
};

/* Start everything; what is not set above is filled in. Return: 0, or -errno with *what naming what failed;
 * machine_end is due in both cases. */
int machine_start(struct machine *m, const char **what);

/* Ask QEMU where its processors are: a line each on stderr; for a lab that is silent. Blocks until the answer is there, or
 * nothing of it has come for 3 s. */
void machine_processors(struct machine *m);

/* Kill and wait for every process. */
void machine_end(struct machine *m);

#endif

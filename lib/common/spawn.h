/* SPDX-License-Identifier: ISC */
/* spawn.h - start a program that holds exactly the descriptors it is given and dies with us. */
#ifndef SPAWN_H
#define SPAWN_H

#include <stddef.h>

/* The child's descriptor @as is our @fd. What is not in the map is closed, 0 to 2 included. */
struct spawn_fd {
	int fd;
	int as;
};

enum { SPAWN_FDS = 16 };

struct spawned {
	int pid;
	int pidfd;              /* readable when it has ended */
};

#define SPAWNED_INIT { .pid = -1, .pidfd = -1 }

int spawn(struct spawned *child, char *const argv[], const struct spawn_fd *map, size_t n);
int spawn_kill(struct spawned *child, int sig);
int spawn_reap(struct spawned *child, int msec, int *status);

#endif

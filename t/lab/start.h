/* SPDX-License-Identifier: ISC
 * How the lab's process 1 starts its command: START (wire.h) to mounts, a root, streams and a process. */
#ifndef LAB_START_H
#define LAB_START_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define START_WORDS	65536

struct start {
	char *argv[START_WORDS], *envp[START_WORDS];
	const char *cwd;
	int argc, envc;
	bool input, tty;
};

struct streams {
	int in, out, err;	/* our ends, non-blocking, -1 where there is none; a terminal has no err */
	uint8_t why[2];		/* step (c chdir, x exec, l the lab itself) and errno when it did not start */
	pid_t pid;
};

/* Take the n bytes of START apart into s (words point into data) and make directories, shares and the root it asks
 * for; afterwards this process is in the lab's root. Return: 0, -errno when a word cannot be done, or -EPROTO. */
int start_prepare(struct start *s, char *data, size_t n);

/* Start s's command in a session of its own. Return: 0 and io filled in, or -1 and io->why. */
int start_spawn(const struct start *s, struct streams *io);

#endif

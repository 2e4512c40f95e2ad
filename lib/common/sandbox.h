/* SPDX-License-Identifier: ISC */
/* sandbox.h - how a process gives away what it does not need. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Landlock rights of one directory. */
enum {
	SANDBOX_REMOVE = 1,     /* remove files and directories beneath */
};

/* What Landlock leaves to a process. */
enum {
	SANDBOX_SIGNALS = 1,    /* signals to processes outside: children made before */
	SANDBOX_TCP = 2,        /* sockets that connect and listen */
};

struct sandbox_dir {
	int fd;                 /* -1: none */
	unsigned int rights;
};

/* One system call that stays allowed; with @mask, only if (argument @arg & @mask) == @value. */
struct sandbox_call {
	int nr;
	uint8_t arg;
	uint32_t mask, value;
	int denied;             /* 0, or: refuse it with this errno instead */
};

int sandbox_close_others(const int *keep, size_t n);
int sandbox_drop_capabilities(void);
int sandbox_ids(bool *user_namespace);
int sandbox_files(const struct sandbox_dir *dirs, size_t n, unsigned int keep);
int sandbox_calls(const struct sandbox_call *calls, size_t n);
int sandbox_landlock_abi(void);

#endif

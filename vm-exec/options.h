/* SPDX-License-Identifier: ISC */
/* options.h - what the command line asks for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "env.h"

enum { EXIT_TIMEOUT = 124, EXIT_OURS = 125 };

struct config {
	const char *spec;               /* of the VM, or NULL */
	bool interactive, tty, detach, verbose;
	const char *dir, *user;         /* NULL: the guest's choice */
	struct env env;
	uint64_t timeout;               /* ms; 0: none */
	int status_fd;                  /* -1: none */
	int escape;                     /* the byte that leaves, -1: none */
	char *const *command;           /* ends with NULL, has one word at least */
};

#define CONFIG_INIT { .status_fd = -1, .escape = -1 }

void options_parse(struct config *c, int argc, char *argv[]);

#endif

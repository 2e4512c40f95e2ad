/* SPDX-License-Identifier: ISC */
/* args.h - QEMU's command line. */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct vm_config;

/* QEMU's descriptors, from its standard ones on. */
enum {
	ARGS_FD_MONITOR = 3,
	ARGS_FD_CONSOLE,
	ARGS_FD_LOG,
	ARGS_FD_KERNEL,
	ARGS_FD_INITRD,
	ARGS_FD_VSOCK,
	ARGS_FD_NET,            /* and the next ones, one a card */
};

enum { ARGS_MAX = 96, ARGS_TEXT = 8192 };

struct args {
	char *argv[ARGS_MAX + 1];
	int n;
	bool overflow;
	size_t used;
	char text[ARGS_TEXT];
};

int args_build(struct args *a, const struct vm_config *cfg, bool log);

#endif

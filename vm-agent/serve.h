/* SPDX-License-Identifier: ISC */
/* serve.h - the exec server as a process. */
#ifndef SERVE_H
#define SERVE_H

#include <sys/types.h>

struct life_config;

/* The status of serve_fork()'s child where the kernel has no vsock. */
enum { SERVE_ABSENT = 3 };

pid_t serve_fork(const struct life_config *life);
int serve_command(int argc, char **argv);

#endif

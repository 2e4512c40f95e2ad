/* SPDX-License-Identifier: ISC */
/* serve.h - the exec server as a process. */
#ifndef SERVE_H
#define SERVE_H

#include <sys/types.h>

pid_t serve_fork(void);
int serve_command(int argc, char **argv);

#endif

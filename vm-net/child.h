/* SPDX-License-Identifier: ISC */
/* child.h - a confined process that does for vm-net what vm-net itself may not do any more. */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "sandbox.h"

pid_t child_fork(int *sock, const char *name, const struct sandbox_call *calls, size_t n);
void child_end(int *sock, pid_t pid);

#endif

/* SPDX-License-Identifier: ISC */
/* netconfine.h - what vm-net keeps of the host once it is set up. */
#ifndef NETCONFINE_H
#define NETCONFINE_H

#include <stddef.h>

enum { NETCONFINE_DIRS = 16 };

int netconfine_early(const int *keep, size_t n);
int netconfine(const int *dir, size_t n);

#endif

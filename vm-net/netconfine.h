/* SPDX-License-Identifier: ISC */
/* netconfine.h - what vm-net keeps of the host once it is set up. */
#ifndef NETCONFINE_H
#define NETCONFINE_H

#include <stddef.h>

int netconfine_early(const int *keep, size_t n);
int netconfine(int socket_dir);

#endif

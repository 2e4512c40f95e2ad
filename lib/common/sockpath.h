/* SPDX-License-Identifier: ISC */
/* sockpath.h - a UNIX socket at a path that a user gave, of any length. */
#ifndef SOCKPATH_H
#define SOCKPATH_H

#include <stddef.h>

enum { SOCKPATH_NAME = 108 };           /* bytes that hold a socket's name in its directory */

int sockpath_open(const char *path, char name[SOCKPATH_NAME]);
int sockpath_listen(int dir, const char *name, int type);

#endif

/* SPDX-License-Identifier: ISC */
/* netchoose.h - a network for the guest that the host does not have itself. */
#ifndef NETCHOOSE_H
#define NETCHOOSE_H

#include <stdbool.h>

struct subnet;

const char *netchoose(struct subnet *s, bool given4, bool given6);

#endif

/* SPDX-License-Identifier: ISC */
/* env.h - the environment that the command gets beside the guest's own. */
#ifndef ENV_H
#define ENV_H

#include <stddef.h>

struct env {
	char **list;            /* "NAME=VALUE", each name once */
	size_t count;
};

int env_set(struct env *e, const char *word);
int env_file(struct env *e, const char *path, char *err, size_t errsize);

#endif

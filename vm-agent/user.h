/* SPDX-License-Identifier: ISC */
/* user.h - who runs a command: /etc/passwd and /etc/group. */
#ifndef USER_H
#define USER_H

#include <stddef.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t *groups;			/* supplementary */
	size_t group_count;
	char *home;
	char *home_variable, *user_variable, *logname_variable, *shell_variable;
};

int user_lookup(struct identity *id, const char *spec, char *why, size_t size);
void user_free(struct identity *id);

#endif

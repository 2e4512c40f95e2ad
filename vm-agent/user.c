// SPDX-License-Identifier: ISC
/*
 * user.c - who runs a command: /etc/passwd and /etc/group.
 *
 * Read by ourselves: NSS would load libraries into a static program, and ask daemons that may
 * not answer. The rules are podman's (moby/sys/user, GetExecUser):
 *
 *	USER		name or uid. A uid need not be in /etc/passwd: then its group is 0, its home /
 *	USER:GROUP	group by name or gid, which need not exist either; and no supplementary groups
 *	(none)		the server's own user
 *
 * Without GROUP, a user with a name has the groups of /etc/group that list it.
 */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "util.h"

enum { GROUPS_MAX = 65536 };

/* A name or number that is looked for. */
struct wanted {
	const char *name;
	bool numeric;
	uint32_t number;
};

static struct wanted want(const char *text)
{
	struct wanted w = { .name = text };
	uint64_t n = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 10; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	/* The largest is -1, by which setuid(2) and its like mean none. */
	w.numeric = i && !text[i] && n < UINT32_MAX;
	w.number = (uint32_t)n;
	return w;
}

static bool is_wanted(const struct wanted *w, const char *name, uint32_t number)
{
	return w->numeric ? number == w->number : !strcmp(name, w->name);
}

/* "NAME=VALUE", or NULL when there is no memory. */
static char *variable(const char *name, const char *value)
{
	char *s;

	return asprintf(&s, "%s=%s", name, value) < 0 ? NULL : s;
}

static int describe(struct identity *id, const char *name, const char *home, const char *shell)
{
	id->home = strdup(home && *home ? home : "/");
	id->home_variable = variable("HOME", home && *home ? home : "/");
	id->user_variable = variable("USER", name);
	id->logname_variable = variable("LOGNAME", name);
	id->shell_variable = variable("SHELL", shell && *shell ? shell : "/bin/sh");
	return id->home && id->home_variable && id->user_variable && id->logname_variable &&
	       id->shell_variable ? 0 : -ENOMEM;
}

/* Fill @id in from /etc/passwd. @name: set to a copy of the user's name, where it has one.
 * Return: 0, -ENOENT, -ENOMEM or that of opening the file. */
static int find_user(struct identity *id, const struct wanted *w, char **name)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p = NULL;
	char number[16];
	int err = f ? 0 : -errno;

	while (f && (p = fgetpwent(f)) != NULL && !is_wanted(w, p->pw_name, p->pw_uid))
		;
	if (p) {
		id->uid = p->pw_uid;
		id->gid = p->pw_gid;
		*name = strdup(p->pw_name);
		err = *name ? describe(id, p->pw_name, p->pw_dir, p->pw_shell) : -ENOMEM;
	} else if (w->numeric) {
		id->uid = w->number;
		id->gid = 0;
		snprintf(number, sizeof(number), "%u", w->number);
		err = describe(id, number, NULL, NULL);
	} else if (!err) {
		err = -ENOENT;
	}
	if (f)
		fclose(f);
	return err;
}

static bool is_member(const struct group *g, const char *name)
{
	char **m;

	for (m = g->gr_mem; *m; m++)
		if (!strcmp(*m, name))
			return true;
	return false;
}

static int add_group(struct identity *id, gid_t gid)
{
	gid_t *more;

	if (id->group_count >= GROUPS_MAX)
		return 0;
	more = reallocarray(id->groups, id->group_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	id->groups = more;
	more[id->group_count++] = gid;
	return 0;
}

/* The groups that list @name. A system without /etc/group has none. Return: 0 or -ENOMEM. */
static int find_memberships(struct identity *id, const char *name)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *g;
	int err = 0;

	if (!f)
		return 0;
	while (!err && (g = fgetgrent(f)) != NULL)
		if (is_member(g, name))
			err = add_group(id, g->gr_gid);
	fclose(f);
	return err;
}

/* The group that was asked for. Return: 0 or -ENOENT. */
static int find_group(struct identity *id, const struct wanted *w)
{
	FILE *f;
	struct group *g;
	int err = -ENOENT;

	if (w->numeric) {
		id->gid = w->number;
		return 0;
	}
	f = fopen("/etc/group", "re");
	if (!f)
		return err;
	while (err && (g = fgetgrent(f)) != NULL)
		if (is_wanted(w, g->gr_name, g->gr_gid)) {
			id->gid = g->gr_gid;
			err = 0;
		}
	fclose(f);
	return err;
}

/**
 * user_lookup() - find out who shall run a command
 * @id: filled in; user_free() it, on failure too
 * @spec: USER[:GROUP], where either may be empty; NULL: the server's own user
 * @why, @size: set to a text on failure
 *
 * Return: 0; -ENOENT: there is no such user or group; -ENOMEM, -EMFILE and other -errno.
 */
int user_lookup(struct identity *id, const char *spec, char *why, size_t size)
{
	char own[16];
	autofree char *text = strdup(spec ? spec : ""), *name = NULL;
	char *group = text ? strchr(text, ':') : NULL;
	struct wanted u, g;
	int err;

	*id = (struct identity){ 0 };
	snprintf(own, sizeof(own), "%u", geteuid());
	if (!text) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	if (group)
		*group++ = '\0';
	u = want(*text ? text : own);
	err = find_user(id, &u, &name);
	if (err < 0) {
		snprintf(why, size, "user %.200s: %s", u.name,
			 err == -ENOENT ? "no such user" : strerror(-err));
		return err;
	}
	if (group && *group) {
		g = want(group);
		err = find_group(id, &g);
	} else if (name) {
		err = find_memberships(id, name);
	}
	if (err < 0)
		snprintf(why, size, "group %.200s: %s", group ? group : "",
			 err == -ENOENT ? "no such group" : strerror(-err));
	return err;
}

/** user_free() - free what user_lookup() filled in. @id: all zero afterwards. */
void user_free(struct identity *id)
{
	free(id->groups);
	free(id->home);
	free(id->home_variable);
	free(id->user_variable);
	free(id->logname_variable);
	free(id->shell_variable);
	*id = (struct identity){ 0 };
}

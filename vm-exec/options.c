// SPDX-License-Identifier: ISC
/* options.c - what the command line asks for: docker-exec(1)'s letters, with their meaning there. */
#include "options.h"

#include <errno.h>
#include <fcntl.h>

#include "log.h"
#include "opts.h"
#include "util.h"

enum {
	OPT_ENV_FILE = OPT_LONG,
	OPT_TIMEOUT,
	OPT_STATUS_FD,
	OPT_ESCAPE,
};

static const struct opt table[] = {
	{ 'V', NULL, "SPEC", "the VM: a handle, a name, fd:N, or - for a handle on stdin" },
	{ 'v', "verbose", NULL, "tell what is going on" },
	{ 'i', "interactive", NULL, "pass stdin on, and its end" },
	{ 't', "tty", NULL, "give the command a terminal" },
	{ 'd', "detach", NULL, "return when the command has started" },
	{ 'e', "env", "NAME[=VALUE]", "set a variable; without a value, inherit it" },
	{ OPT_ENV_FILE, "env-file", "FILE", "set the variables in FILE, one a line" },
	{ 'w', "workdir", "DIR", "run it in this directory of the guest" },
	{ 'u', "user", "USER[:GROUP]", "run it as this user, by name or number" },
	{ OPT_TIMEOUT, "timeout", "SEC", "kill it after SEC seconds, with status 124" },
	{ OPT_STATUS_FD, "status-fd", "N", "tell how it ended there, as JSON" },
	{ OPT_ESCAPE, "escape", "CHAR", "key that leaves, with -i and -t: ^X or a character (none)" },
};

static const struct opts opts = {
	.tool = "vm-exec",
	.synopsis = "[-d] [-i] [-t] [-v] [-V SPEC] [-e NAME[=VALUE]]... [--env-file FILE]...\n"
		    "               [-w DIR] [-u USER[:GROUP]] [--timeout SEC] [--status-fd N]\n"
		    "               [--escape CHAR] [--] COMMAND [ARG]...",
	.about = "Run a command in a VM's guest: its output, its exit status.",
	.epilog = "Without -i stdin is never read.",
	.table = table,
	.count = ARRAY_SIZE(table),
	.usage_status = EXIT_OURS,
};

static void take_status_fd(struct config *c, const char *arg)
{
	if (parse_fd(arg, &c->status_fd) || fcntl(c->status_fd, F_GETFD) < 0)
		opts_usage(&opts, "--status-fd %s: is not an open descriptor", arg);
	if (c->status_fd > STDERR_FILENO)
		fcntl(c->status_fd, F_SETFD, FD_CLOEXEC);
}

static void take_env_file(struct config *c, const char *path)
{
	char err[512] = "out of memory";

	if (env_file(&c->env, path, err, sizeof(err)))
		die(EXIT_OURS, "--env-file: %s", err);
}

static void take(struct config *c, int id, const char *arg)
{
	switch (id) {
	case 'V':
		if (!*arg)
			opts_usage(&opts, "-V: needs a VM");
		c->spec = arg;
		break;
	case 'v':
		c->verbose = true;
		break;
	case 'i':
		c->interactive = true;
		break;
	case 't':
		c->tty = true;
		break;
	case 'd':
		c->detach = true;
		break;
	case 'w':
		if (*arg != '/')
			opts_usage(&opts, "-w %s: is not an absolute path", arg);
		c->dir = arg;
		break;
	case 'u':
		if (!*arg || *arg == ':' || arg[strlen(arg) - 1] == ':')
			opts_usage(&opts, "-u %s: is not USER or USER:GROUP", arg);
		c->user = arg;
		break;
	case OPT_ENV_FILE:
		take_env_file(c, arg);
		break;
	case OPT_TIMEOUT:
		if (parse_msec(arg, &c->timeout) || !c->timeout)
			opts_usage(&opts, "--timeout %s: is not a time in seconds", arg);
		break;
	case OPT_STATUS_FD:
		take_status_fd(c, arg);
		break;
	case OPT_ESCAPE:
		if (parse_key(arg, &c->escape))
			opts_usage(&opts, "--escape %s: is not ^X, a character, or empty", arg);
		break;
	}
}

static void check(const struct config *c)
{
	if (!c->command[0])
		opts_usage(&opts, "COMMAND is missing");
	if (c->detach && (c->interactive || c->tty))
		opts_usage(&opts, "-d: a detached command has no stdin and no terminal: not with -i, -t");
	if (c->detach && c->timeout)
		opts_usage(&opts, "-d: nobody waits for a detached command: not with --timeout");
	if (c->escape >= 0 && !(c->interactive && c->tty))
		opts_usage(&opts, "--escape: goes with -it");
}

/**
 * options_parse() - parse the command line; exits when it is wrong
 * @c: CONFIG_INIT; filled in, pointing into @argv
 * @argc, @argv: main's
 *
 * As with docker, -e goes over --env-file whatever their order.
 */
void options_parse(struct config *c, int argc, char *argv[])
{
	const char **env = calloc((size_t)argc, sizeof(*env)), *arg;
	size_t count = 0, i;
	int id;

	if (!env)
		die(EXIT_OURS, "out of memory");
	while ((id = opts_next(&opts, argc, argv, &arg)) != -1) {
		if (id == 'e')
			env[count++] = arg;
		else
			take(c, id, arg);
	}
	for (i = 0; i < count; i++) {
		int e = env_set(&c->env, env[i]);

		if (e == -EINVAL)
			opts_usage(&opts, "-e %s: has no name", env[i]);
		if (e)
			die(EXIT_OURS, "out of memory");
	}
	free(env);
	c->command = argv + opts_end();
	check(c);
}

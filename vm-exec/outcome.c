// SPDX-License-Identifier: ISC
/* outcome.c - how it ended, and how that is told: a line on stderr, JSON on --status-fd, a status. */
#include "outcome.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "json.h"
#include "log.h"
#include "tty.h"
#include "util.h"

enum { SIGNALLED = 128 };

static void write_json(int fd, const char *text, int len)
{
	if (fd >= 0 && write(fd, text, (size_t)len) < 0)
		warn("--status-fd: it cannot be written");
}

static void tell_number(int fd, const char *key, unsigned int number)
{
	char json[64];

	write_json(fd, json, snprintf(json, sizeof(json), "{\"%s\":%u}\n", key, number));
}

static void tell_signal(int fd, unsigned int sig)
{
	const char *name = sigabbrev_np((int)sig);
	char json[64];

	if (name)
		write_json(fd, json, snprintf(json, sizeof(json), "{\"signal\":\"%s\"}\n", name));
	else
		write_json(fd, json, snprintf(json, sizeof(json), "{\"signal\":\"%u\"}\n", sig));
}

static void tell_error(int fd, const char *text)
{
	char quoted[sizeof(((struct outcome *)NULL)->text) * 6 + 3], json[sizeof(quoted) + 16];

	if (json_quote(quoted, sizeof(quoted), text, strlen(text)) >= 0)
		write_json(fd, json, snprintf(json, sizeof(json), "{\"error\":%s}\n", quoted));
}

/**
 * outcome_tell() - say how it ended; may die of the signal that says it
 * @o: outcome, the terminal is restored
 * @status_fd: -1 for none
 * Return: the exit status.
 */
int outcome_tell(const struct outcome *o, int status_fd)
{
	switch (o->kind) {
	case OUTCOME_EXIT:
		tell_number(status_fd, "exit", o->number);
		return (int)o->number;
	case OUTCOME_STARTED:
		tell_number(status_fd, "started", o->number);
		return 0;
	case OUTCOME_SIGNAL:
		tell_signal(status_fd, o->number);
		return SIGNALLED + (int)o->number;
	case OUTCOME_INTERRUPT:
		tell_signal(status_fd, SIGINT);
		tty_die(SIGINT);        /* so that a loop in the shell stops */
	case OUTCOME_LEFT:
		tell_signal(status_fd, SIGHUP);
		return SIGNALLED + SIGHUP;
	case OUTCOME_PIPE:
		tell_error(status_fd, "stdout: Broken pipe");
		tty_die(SIGPIPE);
	case OUTCOME_TIMEOUT:
		warn("%s", o->text);
		tell_error(status_fd, "timeout");
		return EXIT_TIMEOUT;
	case OUTCOME_REFUSED:
		warn("%s", o->text);
		tell_error(status_fd, o->text);
		return (int)o->number;
	case OUTCOME_NONE:
	case OUTCOME_FAILED:
	case OUTCOME_KINDS:
		break;
	}
	warn("%s", o->text);
	tell_error(status_fd, o->text);
	return EXIT_OURS;
}

// SPDX-License-Identifier: ISC
/*
 * qerr.c - what QEMU says on its stderr.
 *
 * Before the machine is set up it is why there will be none; afterwards each line becomes one of
 * ours, up to a limit, since a guest may be able to make QEMU talk.
 */
#include "qerr.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "loop.h"
#include "util.h"

static char *without_prefix(char *line)
{
	static const char prefix[] = "qemu-system-x86_64: ";

	return strncmp(line, prefix, sizeof(prefix) - 1) ? line : line + sizeof(prefix) - 1;
}

static void say(struct qerr *e)
{
	const char *text;

	e->line[e->len] = 0;
	e->len = 0;
	text = without_prefix(e->line);
	if (*text)
		warn_limited(&e->limit, "qemu: %s", text);
}

/* Return: whether there may be more. */
static bool read_some(struct qerr *e)
{
	char buf[1024];
	ssize_t n = read(e->fd, buf, sizeof(buf)), i;

	for (i = 0; i < n; i++) {
		if (buf[i] == '\n')
			say(e);
		else if (e->len < sizeof(e->line) - 1)
			e->line[e->len++] = buf[i];
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		loop_del(e->loop, &e->id);
	return n > 0;
}

static void on_readable(void *arg, uint32_t events)
{
	(void)events;
	read_some(arg);
}

/**
 * qerr_first() - why QEMU ended before it was ready: the first thing it said but for warnings
 * @e: not watched; QEMU is dead, so what it said is in the pipe
 * @err, @errsize: the line
 */
void qerr_first(struct qerr *e, char *err, size_t errsize)
{
	char buf[4096], *line, *save = NULL;
	ssize_t n = read(e->fd, buf, sizeof(buf) - 1);

	buf[n < 0 ? 0 : n] = 0;
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line = without_prefix(line);
		if (*line && strncmp(line, "warning: ", 9)) {
			snprintf(err, errsize, "qemu: %s", line);
			return;
		}
	}
	snprintf(err, errsize, "qemu: ended before it was ready and did not say why");
}

/** qerr_watch() - say its lines as they come. @e. @loop: borrowed. Return: 0 or -errno. */
int qerr_watch(struct qerr *e, struct loop *loop)
{
	e->loop = loop;
	e->id = loop_add(loop, e->fd, EPOLLIN, on_readable, e);
	return e->id < 0 ? e->id : 0;
}

/** qerr_finish() - say the rest. @e: watched; QEMU is dead. */
void qerr_finish(struct qerr *e)
{
	while (e->id >= 0 && read_some(e))
		continue;
	if (e->len)
		say(e);
	loop_del(e->loop, &e->id);
}

/** qerr_free() - give it up. @e: QERR_INIT or more. */
void qerr_free(struct qerr *e)
{
	loop_del(e->loop, &e->id);
	cleanup_fd(&e->fd);
}

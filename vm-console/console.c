// SPDX-License-Identifier: ISC
/*
 * console.c - a VM's console as its control socket hands it out.
 *
 * The bytes travel on a socket of their own, which is what `console` answers with. The control
 * connection stays for what is not bytes: the size, how much was lost, why the VM ended. Sizes are
 * posted without waiting, so that a VM that does not answer cannot freeze the keyboard; their answers
 * are counted and taken off when they come.
 */
#include "console.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "opts.h"
#include "util.h"

/** now_msec() - a clock that only goes forward. Return: milliseconds. */
uint64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int call(struct console *c, struct msg *request, struct msg *reply)
{
	int e = console_drain(c, true);

	if (!e)
		return ctl_call(c->link.sock, request, reply, c->err, sizeof(c->err));
	msg_drop(request);
	msg_init(reply);
	snprintf(c->err, sizeof(c->err), "the VM has ended");
	return e;
}

/**
 * console_open() - get the byte stream
 * @c: link open; stream and tty are set
 * @mode: CONSOLE_ bits
 * Return: 0; -EBUSY when another reader holds it; -errno with c->err filled in.
 */
int console_open(struct console *c, unsigned int mode)
{
	struct msg request, reply;
	struct stat st;
	int e;

	msg_init(&request);
	msg_add(&request, "console");
	if (mode & CONSOLE_REPLAY)
		msg_add(&request, "replay");
	if (mode & CONSOLE_READ_ONLY)
		msg_add(&request, "ro");
	if (mode & CONSOLE_HOLD)
		msg_add(&request, "hold");
	e = call(c, &request, &reply);
	if (!e) {
		c->stream = msg_take_fd(&reply, 0);
		if (reply.words > 1)
			snprintf(c->tty, sizeof(c->tty), "%s", reply.word[1]);
		if (c->stream < 0 || fstat(c->stream, &st) < 0 || !S_ISSOCK(st.st_mode)) {
			snprintf(c->err, sizeof(c->err), "malformed reply to console");
			e = -EPROTO;
		}
	}
	msg_drop(&reply);
	return e;
}

/**
 * console_resize() - tell the guest the size of its terminal; nothing is waited for
 * @c: link open
 * @size: not 0x0
 *
 * A console that cannot be resized says so in its answer, which is no error of ours.
 */
void console_resize(struct console *c, const struct winsize_cells *size)
{
	struct msg m;

	msg_init(&m);
	msg_add(&m, "console-size");
	msg_addf(&m, "%u", size->cols);
	msg_addf(&m, "%u", size->rows);
	if (msg_send(c->link.sock, &m) == 0)
		c->replies++;
}

/**
 * console_drain() - take off the answers that are owed
 * @c: link open
 * @wait: for all of them, instead of those that are there
 * Return: 0, or -ECONNRESET when the VM went away.
 */
int console_drain(struct console *c, bool wait)
{
	while (c->replies) {
		struct msg m;
		int e = msg_recv(c->link.sock, &m, wait);

		if (e == -EAGAIN)
			return 0;
		if (e <= 0) {
			c->replies = 0;
			return -ECONNRESET;
		}
		msg_drop(&m);
		c->replies--;
	}
	return 0;
}

/**
 * console_lost() - how many bytes of output did not reach us
 * @c: link open
 * Return: that number; 0 too when the VM is gone and cannot be asked.
 */
uint64_t console_lost(struct console *c)
{
	struct msg request, reply;
	uint64_t n = 0;

	msg_init(&request);
	msg_add(&request, "console-lost");
	if (call(c, &request, &reply) == 0 && reply.words > 1)
		parse_u64(reply.word[1], 0, UINT64_MAX, &n);
	msg_drop(&reply);
	return n;
}

/**
 * console_cause() - why the VM ended; blocks until it has
 * @c: link open, at the end of the stream
 * @cause: set to a static word, "killed" when vm-boot vanished
 * Return: the VM's exit status, 0-255; EXIT_OURS for everything but an orderly end.
 */
int console_cause(struct console *c, const char **cause)
{
	static const char *const orderly[] = { "poweroff", "exited", "stopped" };
	static char word[32];
	struct msg request, reply;
	uint64_t status = EXIT_OURS;
	size_t i;
	int e;

	msg_init(&request);
	msg_add(&request, "wait");
	e = call(c, &request, &reply);
	snprintf(word, sizeof(word), "%s", "vm-boot was killed");
	if (!e && (reply.words < 3 || parse_u64(reply.word[2], 0, 255, &status)))
		e = -EPROTO;
	if (!e)
		snprintf(word, sizeof(word), "%s", reply.word[1]);
	msg_drop(&reply);
	*cause = word;
	for (i = 0; !e && i < ARRAY_SIZE(orderly); i++)
		if (!strcmp(word, orderly[i]))
			return (int)status;
	return EXIT_OURS;
}

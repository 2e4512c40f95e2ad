// SPDX-License-Identifier: ISC
/*
 * term.c - the terminal on this side: its keys, its size.
 *
 * Behind a handle pipe stdin is not ours: it is held open by vm-boot, and a command that waited for
 * its end would wait for ever. With a terminal of its own the command hears the keyboard, /dev/tty.
 */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util.h"

static int choose_keys(struct term *t, const struct config *c, int tty, bool stdin_is_handle, char *err,
		       size_t errsize)
{
	if (!c->interactive)
		return 0;
	if (stdin_is_handle && !c->tty) {
		snprintf(err, errsize, "-i: stdin is the handle's pipe, which never ends: name the VM with -V "
			 "or VM, or run `vm-boot --with vm-exec -i ...`");
		return -EINVAL;
	}
	if (stdin_is_handle && tty < 0) {
		snprintf(err, errsize, "-it: stdin is the handle's pipe and there is no terminal (/dev/tty): "
			 "name the VM with -V or VM");
		return -ENOTTY;
	}
	t->keys = stdin_is_handle ? tty : STDIN_FILENO;
	t->raw = c->tty && isatty(t->keys);
	return 0;
}

/**
 * term_open() - find out what is a terminal here
 * @t: filled in
 * @c: what is wanted
 * @stdin_is_handle: stdin is no input of ours
 * @err, @errsize: what is wrong and what to do about it
 *
 * /dev/tty stays open until exit. Return: 0 or -errno with @err filled in.
 */
int term_open(struct term *t, const struct config *c, bool stdin_is_handle, char *err, size_t errsize)
{
	int tty = c->tty ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
	const int candidates[] = { STDOUT_FILENO, STDIN_FILENO, tty };
	size_t i;

	*t = (struct term){ .keys = -1, .size = -1 };
	for (i = 0; c->tty && t->size < 0 && i < ARRAY_SIZE(candidates); i++)
		if (isatty(candidates[i]))
			t->size = candidates[i];
	return choose_keys(t, c, tty, stdin_is_handle, err, errsize);
}

/** term_measure() - its size. @t: open. @size: set; 0x0 when there is none or it does not know. */
void term_measure(const struct term *t, struct winsize_cells *size)
{
	*size = (struct winsize_cells){ 0, 0 };
	if (t->size >= 0)
		tty_size(t->size, size);
}

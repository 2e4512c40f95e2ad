/* SPDX-License-Identifier: ISC
 * The lab's console and the errors of its programs: see watch.h. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

static bool fatal(const char *line)
{
	static const char *const signs[] = {
		"*soft lockup*", "*hard LOCKUP*", "*rcu*stall*", "*Kernel panic*", "*Oops:*", "*lab init: *", "*lab guest: *"
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (!fnmatch(signs[i], line, 0))
			return true;
	return false;
}

/* Return: w->last when the line just ended is a sign, else NULL. */
static const char *end_line(struct watch *w)
{
	w->line[w->len] = '\0';
	w->len = 0;
	if (!*w->line)
		return NULL;
	memcpy(w->last, w->line, sizeof(w->last));
	return fatal(w->last) ? w->last : NULL;
}

const char *watch_read(struct watch *w, int fd)
{
	const char *found = NULL;
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? NULL : "";
	if (w->verbose && write(STDERR_FILENO, text, n) < 0)
		w->verbose = false;
	for (ssize_t i = 0; i < n && !found; i++) {
		if (text[i] == '\n')
			found = end_line(w);
		else if (text[i] >= ' ' && w->len < sizeof(w->line) - 1)
			w->line[w->len++] = text[i];
	}
	return found;
}

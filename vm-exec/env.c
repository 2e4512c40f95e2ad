// SPDX-License-Identifier: ISC
/*
 * env.c - the environment that the command gets beside the guest's own.
 *
 * What docker-exec(1) does: NAME=VALUE sets, a bare NAME inherits ours, and is not set at all, whatever
 * set it before, when we have none of that name. A file has one of these on a line; blanks in front are
 * skipped, and so are empty lines and those that begin with #; everything behind the = is the value as
 * it stands: quotes, blanks and # too.
 */
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "log.h"
#include "opts.h"
#include "util.h"
#include "wire.h"

static const char blanks[] = " \t\v\f\r";

static void unset(struct env *e, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < e->count; i++) {
		if (strncmp(e->list[i], name, len) || e->list[i][len] != '=')
			continue;
		free(e->list[i]);
		e->list[i] = e->list[--e->count];
		return;
	}
}

/**
 * env_set() - set one variable, or inherit it
 * @e: environment; what the same name had before is replaced
 * @word: "NAME=VALUE" or "NAME"
 * Return: 0; -EINVAL when there is no name; -ENOMEM.
 */
int env_set(struct env *e, const char *word)
{
	size_t len = strcspn(word, "=");
	const char *value = word[len] ? word + len + 1 : getenv(word);
	char *entry, **more;

	if (!len)
		return -EINVAL;
	unset(e, word, len);
	if (!value)
		return 0;
	more = realloc(e->list, (e->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->list = more;
	if (asprintf(&entry, "%.*s=%s", (int)len, word, value) < 0)
		return -ENOMEM;
	e->list[e->count++] = entry;
	return 0;
}

static int take_line(struct env *e, const char *line, const char **what)
{
	size_t name;

	line += strspn(line, blanks);
	if (!*line || *line == '#')
		return 0;
	name = strcspn(line, "=");
	*what = "a name has a blank in it";
	if (strcspn(line, blanks) < name)
		return -EINVAL;
	*what = "there is no name before the =";
	return env_set(e, line);
}

/* The whole of a file, with a NUL behind it; it may be endless. Return its length or -errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, text + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len == size)
			return -EFBIG;
		if (n)
			continue;
		text[len] = 0;
		return (ssize_t)len;
	}
}

static int open_path(const char *path)
{
	int fd;

	if (strncmp(path, "fd:", 3))
		return open(path, O_RDONLY | O_CLOEXEC);
	if (parse_fd(path, &fd)) {
		errno = EBADF;
		return -1;
	}
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/**
 * env_file() - set the variables of a file
 * @e: environment, those before an error stay set
 * @path: of the file, or "fd:N"
 * @err, @errsize: what is wrong, with the line's number
 * Return: 0 or -errno.
 */
int env_file(struct env *e, const char *path, char *err, size_t errsize)
{
	autoclose int fd = open_path(path);
	autofree char *text = malloc(WIRE_LARGE);
	unsigned int number = 1;
	const char *what;
	char *line, *end;
	ssize_t len;
	int bad;

	if (!text)
		return -ENOMEM;
	len = fd < 0 ? -errno : read_all(fd, text, WIRE_LARGE);
	if (len < 0) {
		snprintf(err, errsize, "%s: %s", path, errstr((int)len));
		return (int)len;
	}
	if (memchr(text, 0, (size_t)len)) {
		snprintf(err, errsize, "%s: has a NUL in it: it is no text", path);
		return -EINVAL;
	}
	line = text + (strncmp(text, "\xef\xbb\xbf", 3) ? 0 : 3);
	for (; *line; line = end, number++) {
		end = line + strcspn(line, "\n");
		if (end > line && end[-1] == '\r')
			end[-1] = 0;
		if (*end)
			*end++ = 0;
		bad = take_line(e, line, &what);
		if (bad) {
			snprintf(err, errsize, "%s: line %u: %s", path, number,
				 bad == -EINVAL ? what : errstr(bad));
			return bad;
		}
	}
	return 0;
}

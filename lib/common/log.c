// SPDX-License-Identifier: ISC
/*
 * log.c - one line to stderr, `tool: object: what failed: reason`.
 *
 * A line is built on the stack and leaves in one write(2), so that lines of several processes and
 * threads on one stderr do not interleave, and so that logging works after the sandbox is shut:
 * nothing here allocates, opens a file or takes a lock.
 */
#include "log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

static const char *tool_name = "pipevm";
static bool be_verbose;
static size_t bytes_left = SIZE_MAX;

/**
 * log_init() - name the tool whose lines these are
 * @tool: program name, kept by reference
 * @verbose: whether debug() prints
 */
void log_init(const char *tool, bool verbose)
{
	tool_name = tool;
	be_verbose = verbose;
}

/** log_bound() - say no more than so much from now on. @bytes: for a log that nobody rotates. */
void log_bound(size_t bytes)
{
	bytes_left = bytes;
}

/** log_tool() - the name given to log_init(). Return: that string. */
const char *log_tool(void)
{
	return tool_name;
}

/**
 * errstr() - words for an errno
 * @err: errno value, positive or negative
 *
 * strerror(3) may open message catalogues, which a confined process cannot.
 * Return: a static string, never NULL.
 */
const char *errstr(int err)
{
	const char *s = strerrordesc_np(err < 0 ? -err : err);

	return s ? s : "Unknown error";
}

static void line(const char *fmt, va_list ap)
{
	char buf[1024];
	int n = snprintf(buf, sizeof(buf), "%s: ", tool_name);
	int m = vsnprintf(buf + n, sizeof(buf) - (size_t)n - 1, fmt, ap);
	size_t len = MIN((size_t)n + (m < 0 ? 0 : (size_t)m), sizeof(buf) - 2);
	size_t i;

	/* What a guest or a peer said must not drive the terminal or forge a second line. */
	for (i = 0; i < len; i++)
		if ((unsigned char)buf[i] < 0x20 || buf[i] == 0x7f)
			buf[i] = '?';
	buf[len++] = '\n';
	if (bytes_left != SIZE_MAX) {
		if (len > bytes_left)
			return;
		bytes_left -= len;
	}
	if (write(STDERR_FILENO, buf, len) < 0) {
		/* stderr is gone: there is nobody left to tell. */
	}
}

/** warn() - say one line. @fmt: as printf(3), without a newline. */
void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}

/** debug() - say one line when verbose. @fmt: as printf(3), without a newline. */
void debug(const char *fmt, ...)
{
	va_list ap;

	if (!be_verbose)
		return;
	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}

/**
 * die() - say one line and exit; for main.c and start-up only
 * @status: exit status
 * @fmt: as printf(3), without a newline
 */
void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
	exit(status);
}

/**
 * warn_limited() - say one line, unless this call site has spent its budget
 * @limit: the call site's budget; may be shared by threads, a race costs one line more or less
 * @fmt: as printf(3), without a newline
 */
void warn_limited(struct log_limit *limit, const char *fmt, ...)
{
	va_list ap;

	if (!limit->left)
		return;
	limit->left--;
	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
	if (!limit->left)
		warn("further messages of this kind are dropped");
}

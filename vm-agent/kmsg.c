// SPDX-License-Identifier: ISC
/*
 * kmsg.c - pid 1 and its exec server speak through the kernel's log; `vm-agent serve` on stderr.
 *
 * It is there before any driver and in order with what the kernel has to say, dmesg(1) shows
 * it, and writing to it never blocks, which a console may. It is opened for each line: that is
 * rare, it holds across a change of what is mounted on /dev, and the kernel's rate limit (10
 * lines in 5 s) counts per open file and must not swallow a last word.
 */
#include "kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

#define FACILITY_DAEMON (3 << 3)	/* the kernel allows no user to claim facility 0 */

static bool to_stderr;

/** kmsg_to_stderr() - say everything on stderr from now on: this is no part of an init. */
void kmsg_to_stderr(void)
{
	to_stderr = true;
}

/* What a client sent must not drive a terminal or forge a line. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/**
 * kmsg() - log one line.
 * @level: how much it matters
 * @fmt: printf(3) format; no prefix, no newline; cut at 300 bytes
 *
 * Where there is no /dev/kmsg (yet) the line goes to stderr, which in a fresh pid 1 is the
 * kernel's console. errno is left as it was.
 */
void kmsg(enum kmsg_level level, const char *fmt, ...)
{
	char line[320];
	int saved = errno, len, head;
	va_list ap;
	autoclose int fd = to_stderr ? -1 : open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

	head = snprintf(line, sizeof(line), "<%d>", FACILITY_DAEMON | (int)level);
	len = head + snprintf(line + head, sizeof(line) - (size_t)head, "vm-agent: ");
	va_start(ap, fmt);
	len += vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	make_plain(line);
	line[len++] = '\n';
	/* One write is one record. There is nobody left to tell when it fails. */
	if (fd >= 0 ? write(fd, line, (size_t)len) < 0
		    : write(STDERR_FILENO, line + head, (size_t)(len - head)) < 0)
		errno = 0;
	errno = saved;
}

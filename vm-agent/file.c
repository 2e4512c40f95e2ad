// SPDX-License-Identifier: ISC
/* file.c - read a small file whole: /proc, /sys, configuration. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util.h"

/**
 * file_read() - read a file into memory and end it with a NUL.
 * @path: what to read
 * @buf: where to, @size bytes, at least 1
 *
 * Return: the length without the NUL; -E2BIG when it did not fit (@buf then holds its
 * beginning, NUL-terminated); -errno when it cannot be read (@buf is then the empty string).
 */
ssize_t file_read(const char *path, char *buf, size_t size)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;
	ssize_t n;
	char more;

	buf[0] = '\0';
	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			buf[0] = '\0';
			return n;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	if (len == size - 1 && read(fd, &more, 1) > 0)
		return -E2BIG;
	return (ssize_t)len;
}

// SPDX-License-Identifier: ISC
/*
 * fdio.c - read and write descriptors of others without blocking and without changing them.
 *
 * O_NONBLOCK belongs to the open file description, which stdin and stdout share with the shell and
 * its other children: setting it there breaks them. So a pipe or terminal is opened once more through
 * /proc/self/fd, which gives a description of our own; a socket is used with MSG_DONTWAIT; a file is
 * always ready. Where opening again is not allowed (another user's terminal after su(1)), each call
 * follows a poll(2) and moves at most PIPE_BUF bytes, which a pipe that polled writable takes whole.
 *
 * Callers poll, then read or write once; -EAGAIN sends them back to poll.
 */
#include "fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "util.h"

/**
 * fdio_std() - see that descriptors 0 to 2 are open
 *
 * Call first of all: with one of them closed, a socket of ours would take its number, and the tool
 * would print into it. What is put there reads as end of file and fails to write.
 */
void fdio_std(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/**
 * fdio_open() - make ready for reading or writing a descriptor
 * @io: filled in; fdio_close() it
 * @fd: borrowed and left as it is, until fdio_close()
 * @writing: for writing, else for reading
 * Return: 0 or -errno.
 */
int fdio_open(struct fdio *io, int fd, bool writing)
{
	struct stat st;
	char path[32];
	int own = -1;

	if (fstat(fd, &st) < 0)
		return -errno;
	*io = (struct fdio){ .fd = fd, .socket = S_ISSOCK(st.st_mode) };
	if (!S_ISFIFO(st.st_mode) && !isatty(fd))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, (writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own >= 0) {
		io->fd = own;
		io->reopened = true;
	}
	return 0;
}

/** fdio_close() - give up what fdio_open() made; the borrowed descriptor stays open. @io: set to none. */
void fdio_close(struct fdio *io)
{
	if (io->reopened)
		close(io->fd);
	*io = (struct fdio)FDIO_INIT;
}

static size_t bounded(const struct fdio *io, size_t len)
{
	return io->reopened || io->socket ? len : MIN(len, (size_t)PIPE_BUF);
}

/**
 * fdio_read() - read what is there, after poll(2) said so
 * @io: for reading
 * @buf, @len: room
 * Return: bytes; 0 at end of file; -EAGAIN; -errno.
 */
ssize_t fdio_read(const struct fdio *io, void *buf, size_t len)
{
	ssize_t n;

	do
		n = io->socket ? recv(io->fd, buf, len, MSG_DONTWAIT) : read(io->fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/**
 * fdio_write() - write what goes, after poll(2) said so
 * @io: for writing
 * @buf, @len: what
 *
 * A pipe without readers raises SIGPIPE unless that is ignored; a socket never does.
 * Return: bytes, perhaps fewer; -EAGAIN; -EPIPE; -errno.
 */
ssize_t fdio_write(const struct fdio *io, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = io->socket ? send(io->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
				 write(io->fd, buf, bounded(io, len));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* SPDX-License-Identifier: ISC */
/* fdio.h - read and write descriptors of others without blocking and without changing them. */
#ifndef FDIO_H
#define FDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fdio {
	int fd;                 /* to poll; -1: none */
	bool socket;
	bool reopened;          /* fd is a description of our own and does not block */
};

#define FDIO_INIT { .fd = -1 }

void fdio_std(void);
int fdio_open(struct fdio *io, int fd, bool writing);
void fdio_close(struct fdio *io);
ssize_t fdio_read(const struct fdio *io, void *buf, size_t len);
ssize_t fdio_write(const struct fdio *io, const void *buf, size_t len);

#endif

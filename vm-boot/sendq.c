// SPDX-License-Identifier: ISC
/* sendq.c - bytes on their way to a peer that takes them when it likes. */
#include "sendq.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "util.h"

/**
 * sendq_flush() - send what waits, as far as it is taken
 * @q: any
 * @fd: socket, borrowed
 * Return: 0, see whether data is left; -errno: the peer is gone.
 */
int sendq_flush(struct sendq *q, int fd)
{
	ssize_t n;

	while (q->data) {
		n = send(fd, q->data + q->at, q->len - q->at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		q->at += (size_t)n;
		if (q->at == q->len)
			sendq_drop(q);
	}
	return 0;
}

/**
 * sendq_put() - send bytes behind those that wait
 * @q: any
 * @fd: socket, borrowed
 * @data, @len: copied
 * @most: so many may wait afterwards
 * Return: 0; -ENOBUFS: the peer does not take what it is sent; -ENOMEM; -errno: it is gone.
 */
int sendq_put(struct sendq *q, int fd, const void *data, size_t len, size_t most)
{
	size_t waits = q->len - q->at;
	uint8_t *all = malloc(waits + len);
	int err;

	if (!all)
		return -ENOMEM;
	if (waits)
		memcpy(all, q->data + q->at, waits);
	memcpy(all + waits, data, len);
	sendq_drop(q);
	*q = (struct sendq){ .data = all, .len = waits + len };
	err = sendq_flush(q, fd);
	return err ? err : q->len - q->at > most ? -ENOBUFS : 0;
}

/** sendq_drop() - forget what waits. @q: any. */
void sendq_drop(struct sendq *q)
{
	free(q->data);
	*q = (struct sendq){ 0 };
}

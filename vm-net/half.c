// SPDX-License-Identifier: ISC
/* half.c - one direction of a relay: bytes on their way from one stream socket to another. */
#include "half.h"

#include <errno.h>
#include <sys/socket.h>

/** half_pull() - take what the source has, if there is room. @h, @source. Return: 0; -errno: the source failed. */
int half_pull(struct half *h, int source)
{
	ssize_t n;

	if (!half_wants(h))
		return 0;
	n = recv(source, h->buf, HALF_BUFFER, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	h->eof = !n;
	h->at = 0;
	h->len = (size_t)n;
	return 0;
}

/** half_push() - give the sink what it takes, at last the end. @h, @sink. Return: 0; -errno: the sink failed. */
int half_push(struct half *h, int sink)
{
	ssize_t n = 0;

	if (h->done)
		return 0;
	if (h->len)
		n = send(sink, h->buf + h->at, h->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	h->at += (size_t)n;
	h->len -= (size_t)n;
	h->moved += (uint64_t)n;
	if (h->eof && !h->len) {
		shutdown(sink, SHUT_WR);
		h->done = true;
	}
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * ring.c - a bounded byte ring that many readers follow, each at its own pace.
 *
 * A writer never waits: it overwrites the oldest bytes. Readers keep positions of their own (see
 * ring.h), so that one who is slow, or gone, costs the others nothing. Who wants back-pressure
 * instead compares positions before writing. Not thread-safe: the owner locks.
 */
#include "ring.h"

#include <assert.h>
#include <errno.h>

#include "util.h"

/** ring_init() - an empty ring. @r: filled in. @size: bytes, a power of two. Return: 0, -ENOMEM. */
int ring_init(struct ring *r, size_t size)
{
	assert(size && !(size & (size - 1)));
	r->head = 0;
	r->size = size;
	r->data = malloc(size);
	return r->data ? 0 : -ENOMEM;
}

/** ring_free() - free a ring's memory. @r: ring. */
void ring_free(struct ring *r)
{
	free(r->data);
	r->data = NULL;
}

/** ring_start() - the oldest position still held. @r: ring. Return: that position. */
uint64_t ring_start(const struct ring *r)
{
	return r->head > r->size ? r->head - r->size : 0;
}

/** ring_write() - append, over the oldest bytes. @r: ring. @buf, @len: what. */
void ring_write(struct ring *r, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	if (len > r->size) {
		r->head += len - r->size;
		p += len - r->size;
		len = r->size;
	}
	while (len) {
		size_t at = r->head & (r->size - 1);
		size_t n = MIN(len, r->size - at);

		memcpy(r->data + at, p, n);
		r->head += n;
		p += n;
		len -= n;
	}
}

/**
 * ring_peek() - where the bytes from a position on are
 * @r: ring
 * @pos: not older than ring_start(), not newer than @r->head
 * @iov: set to at most two pieces, valid until the next write
 * Return: bytes in all.
 */
size_t ring_peek(const struct ring *r, uint64_t pos, struct iovec iov[2])
{
	size_t len = (size_t)(r->head - pos);
	size_t at = pos & (r->size - 1);
	size_t first = MIN(len, r->size - at);

	assert(pos >= ring_start(r) && pos <= r->head);
	iov[0] = (struct iovec){ r->data + at, first };
	iov[1] = (struct iovec){ r->data, len - first };
	return len;
}

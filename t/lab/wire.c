/* SPDX-License-Identifier: ISC
 * The lab's wire: see wire.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire.h"

static int reserve(struct wire_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 4096;
	uint8_t *data;

	if (b->cap - b->head - b->len >= n)
		return 0;
	if (b->head)
		memmove(b->data, b->data + b->head, b->len);
	b->head = 0;
	while (cap - b->len < n)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int wire_add(struct wire_buf *b, const void *data, size_t n)
{
	int r = reserve(b, n);

	if (r < 0 || !n)
		return r;
	memcpy(b->data + b->head + b->len, data, n);
	b->len += n;
	return 0;
}

int wire_frame(struct wire_buf *b, enum lab_type type, const void *data, size_t n)
{
	uint8_t head[WIRE_HEADER] = { type, n & 0xff, n >> 8 & 0xff, n >> 16 & 0xff, n >> 24 & 0xff };
	int r = reserve(b, sizeof(head) + n);

	if (r < 0)
		return r;
	wire_add(b, head, sizeof(head));
	return wire_add(b, data, n);
}

void wire_drop(struct wire_buf *b, size_t n)
{
	b->len -= n;
	b->head = b->len ? b->head + n : 0;
}

int wire_next(const struct wire_buf *b, uint8_t **p, size_t *n)
{
	const uint8_t *h = b->data + b->head;

	if (b->len < WIRE_HEADER)
		return -EAGAIN;
	*p = b->data + b->head + WIRE_HEADER;
	*n = h[1] | h[2] << 8 | h[3] << 16 | (size_t)h[4] << 24;
	if (h[0] >= LAB_TYPES || *n > WIRE_MAX)
		return -EPROTO;
	return b->len - WIRE_HEADER < *n ? -EAGAIN : h[0];
}

int wire_fill(struct wire_buf *b, int fd, size_t room)
{
	int r = reserve(b, room);
	ssize_t n;

	if (r < 0)
		return r;
	n = read(fd, b->data + b->head + b->len, room);
	if (n < 0)
		return -errno;
	b->len += n;
	return n;
}

int wire_flush(struct wire_buf *b, int fd, size_t max)
{
	ssize_t n = write(fd, b->data + b->head, b->len < max ? b->len : max);

	if (n < 0)
		return -errno;
	wire_drop(b, n);
	return n;
}

/* SPDX-License-Identifier: ISC */
/* ring.h - a bounded byte ring that many readers follow, each at its own pace. */
#ifndef RING_H
#define RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Positions count every byte ever written and never wrap. The ring holds the bytes from
 * ring_start() to @head; a reader whose position is older has lost what lies between.
 */
struct ring {
	uint64_t head;
	size_t size;            /* a power of two */
	uint8_t *data;
};

int ring_init(struct ring *r, size_t size);
void ring_free(struct ring *r);
uint64_t ring_start(const struct ring *r);
void ring_write(struct ring *r, const void *buf, size_t len);
size_t ring_peek(const struct ring *r, uint64_t pos, struct iovec iov[2]);

#endif

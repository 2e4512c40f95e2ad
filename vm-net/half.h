/* SPDX-License-Identifier: ISC */
/* half.h - one direction of a relay: bytes on their way from one stream socket to another. */
#ifndef HALF_H
#define HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HALF_BUFFER = 32768 };

struct half {
	uint8_t *buf;                   /* HALF_BUFFER bytes */
	size_t at, len;                 /* what is in it */
	uint64_t moved;                 /* bytes that were passed on, ever */
	bool eof;                       /* its source says no more */
	bool done;                      /* and that was passed on; or its sink is gone */
};

int half_pull(struct half *h, int source);
int half_push(struct half *h, int sink);

/** half_wants() - whether it could take more. @h. Return: so. */
static inline bool half_wants(const struct half *h)
{
	return !h->eof && !h->done && !h->len;
}

/** half_drop() - its sink takes nothing any more. @h. */
static inline void half_drop(struct half *h)
{
	h->len = 0;
	h->done = true;
}

#endif

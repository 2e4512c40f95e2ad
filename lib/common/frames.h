/* SPDX-License-Identifier: ISC */
/* frames.h - Ethernet frames over a stream socket, each after its length as a big-endian u32. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
	FRAMES_HEADER = 4,
	FRAMES_MAX = 65536 + 18,        /* an IP packet of any length, Ethernet and one VLAN tag */
};

/* What comes. All fields but the counters are frames.c's. */
struct frames_in {
	uint8_t *data;
	size_t head, tail;              /* data[head..tail) was read and not taken */
	bool more;                      /* the last read took all that there was room for */
	uint64_t frames, bytes;         /* taken; bytes without lengths */
};

/* What goes: a ring of bytes that only holds whole frames, but for the first, of which some bytes may be sent. */
struct frames_out {
	uint8_t *data;
	size_t size, head, len;
	uint64_t frames, bytes;         /* accepted */
	uint64_t dropped;               /* refused for want of room, or for their length */
};

int frames_in_init(struct frames_in *in);
void frames_in_free(struct frames_in *in);
void frames_in_reset(struct frames_in *in);
ssize_t frames_in_fill(struct frames_in *in, int fd);
int frames_in_next(struct frames_in *in, const uint8_t **frame, size_t *len);

int frames_out_init(struct frames_out *out, size_t size);
void frames_out_free(struct frames_out *out);
void frames_out_reset(struct frames_out *out);
int frames_out_put(struct frames_out *out, const struct iovec *iov, unsigned int n);
int frames_out_send(struct frames_out *out, int fd, const struct iovec *iov, unsigned int n);
int frames_out_flush(struct frames_out *out, int fd);

/* Whether another frames_in_fill() is worth it: the last one may have left something. */
static inline bool frames_in_more(const struct frames_in *in)
{
	return in->more;
}

/* Whether something waits for room in the socket: then wait for EPOLLOUT, and call frames_out_flush(). */
static inline bool frames_out_pending(const struct frames_out *out)
{
	return out->len != 0;
}

/* Whether a frame of any length would be accepted. A sender that can wait stops its source when not. */
static inline bool frames_out_room(const struct frames_out *out)
{
	return out->size - out->len >= FRAMES_HEADER + FRAMES_MAX;
}

#endif

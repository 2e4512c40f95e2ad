/* SPDX-License-Identifier: ISC */
/* virtq.h - split virtqueues, device side (virtio 1.2 §2.7). */
#ifndef VIRTQ_H
#define VIRTQ_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gmem.h"

enum {
	VIRTQ_SIZE_MAX = 1024,          /* entries of any ring of ours */
	VIRTQ_CHAIN_MAX = 256,          /* buffers of one request */
};

#define VIRTIO_F_INDIRECT_DESC (1ULL << 28)
#define VIRTIO_F_EVENT_IDX (1ULL << 29)
#define VIRTIO_F_VERSION_1 (1ULL << 32)

/* Where the driver put a ring: guest addresses, unchecked. */
struct virtq_layout {
	uint16_t size;
	uint64_t desc, avail, used;
};

struct virtq {
	const struct gmem *mem;
	struct virtq_layout at;
	uint64_t features;
	uint16_t next_avail;            /* ring index of the next request to take */
	uint16_t next_used;             /* ring index of the next completion to write */
	uint16_t signalled;             /* next_used when the driver was last interrupted */
	bool signalled_valid;
	bool broken;                    /* the driver broke a rule: nothing is taken any more */
	const char *why;                /* what it did */
};

/* One request: first what the device reads, then what it writes. */
struct virtq_chain {
	uint16_t head;
	uint16_t out, in;               /* iov[0..out) is readable, iov[out..out+in) writable */
	uint64_t out_len, in_len;       /* bytes of each */
	struct iovec iov[VIRTQ_CHAIN_MAX];
};

int virtq_start(struct virtq *vq, const struct gmem *mem, const struct virtq_layout *at,
		uint64_t features, uint16_t base);
int virtq_pop(struct virtq *vq, struct virtq_chain *chain);
void virtq_unpop(struct virtq *vq);
void virtq_fill(struct virtq *vq, uint16_t head, uint32_t len);
void virtq_publish(struct virtq *vq);
void virtq_push(struct virtq *vq, uint16_t head, uint32_t len);
bool virtq_needs_call(struct virtq *vq);
void virtq_want_kick(struct virtq *vq, bool wanted);
bool virtq_empty(struct virtq *vq);

#endif

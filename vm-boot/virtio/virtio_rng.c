// SPDX-License-Identifier: ISC
/*
 * virtio_rng.c - virtio-rng: entropy from the host (virtio 1.2 §5.4).
 *
 * One ring of buffers to fill. What a guest declares is not what it gets: a request is answered with
 * at most 4 KiB, and one turn serves at most 16 requests, so that a guest that asks for ever
 * does not keep the worker from its other devices.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "virtio_rng.h"
#include "util.h"
#include "virtio.h"
#include "worker.h"

enum { REQUEST_MAX = 4096, TURN_REQUESTS = 16 };

static size_t fill(const struct virtq_chain *chain)
{
	size_t left = MIN(chain->in_len, (uint64_t)REQUEST_MAX), done = 0;
	unsigned int i;

	for (i = chain->out; i < (unsigned int)chain->out + chain->in && left; i++) {
		size_t want = MIN(left, chain->iov[i].iov_len), at = 0;

		while (at < want) {
			ssize_t n = getrandom((uint8_t *)chain->iov[i].iov_base + at, want - at, 0);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return done;
			at += (size_t)n;
		}
		done += want;
		left -= want;
	}
	return done;
}

static void kicked(struct virtio_dev *dev, unsigned int ring)
{
	struct virtq *vq = virtio_vq(dev, ring);
	struct virtq_chain chain;
	unsigned int turn = 0;

	while (turn < TURN_REQUESTS && virtio_pop(dev, ring, &chain)) {
		virtq_push(vq, chain.head, (uint32_t)fill(&chain));
		turn++;
	}
	virtq_want_kick(vq, true);
	if (!virtq_empty(vq)) {
		uint64_t one = 1;

		if (write(dev->ring[ring].kick, &one, sizeof(one)) < 0) {
			/* the counter is full: it is readable already */
		}
	}
	if (turn)
		virtio_call(dev, ring);
}

static const struct virtio_ops rng_ops = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.pci_class = { 0x10, 0x00, 0x00 },      /* encryption controller, as QEMU's says */
	.rings = 1,
	.direct = 1,
	.ring_size = { 64 },
	.kicked = kicked,
};

/** virtio_rng_new() - an entropy device. @mem, @w: borrowed. Return: the device, or NULL. */
struct virtio_dev *virtio_rng_new(const struct gmem *mem, struct worker *w)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));

	if (dev)
		virtio_init(dev, &rng_ops, mem, w);
	return dev;
}

/** virtio_rng_free() - free an entropy device whose ring is stopped. @dev: may be NULL. */
void virtio_rng_free(struct virtio_dev *dev)
{
	free(dev);
}

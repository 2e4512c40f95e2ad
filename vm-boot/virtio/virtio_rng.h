/* SPDX-License-Identifier: ISC */
/* virtio_rng.h - virtio-rng: entropy from the host (virtio 1.2 §5.4). */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

struct virtio_dev;
struct gmem;
struct worker;

struct virtio_dev *virtio_rng_new(const struct gmem *mem, struct worker *w);
void virtio_rng_free(struct virtio_dev *dev);

#endif

/* SPDX-License-Identifier: ISC */
/* virtio.h - what a device model is, for any engine. */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtq.h"

struct virtio_dev;
struct worker;

enum { VIRTIO_RINGS_MAX = 4 };

/* Device ids, virtio 1.2 §5. */
enum { VIRTIO_ID_NET = 1, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_VSOCK = 19 };

/* A model's callbacks. All but config_read and config_write run as the device's worker. */
struct virtio_ops {
	const char *name;
	uint16_t id;
	uint8_t pci_class[3];                   /* base, sub, interface */
	unsigned int rings;
	unsigned int direct;                    /* bit set: rings to be kicked with virtio_kick() */
	uint16_t ring_size[VIRTIO_RINGS_MAX];   /* largest */
	uint64_t features;                      /* the device's own; the ring's are added */
	size_t config_len;
	/* Offset and length lie within config_len. From any thread. */
	void (*config_read)(struct virtio_dev *dev, size_t off, void *buf, size_t len);
	void (*config_write)(struct virtio_dev *dev, size_t off, const void *buf, size_t len);
	void (*started)(struct virtio_dev *dev, unsigned int ring);
	void (*kicked)(struct virtio_dev *dev, unsigned int ring);
	/* Finish what is there; nothing may be in flight afterwards. */
	void (*stopping)(struct virtio_dev *dev, unsigned int ring);
	/* The driver went away: forget what it was told. Its rings are stopped. */
	void (*reset)(struct virtio_dev *dev);
};

/* What a front end (virtio-pci, vhost-user) gives with a ring. */
struct virtio_ring_setup {
	struct virtq_layout at;
	uint16_t base;
	int kick;                               /* eventfd, borrowed until the ring is stopped */
};

struct virtio_dev {
	const struct virtio_ops *ops;
	const struct gmem *mem;
	struct worker *worker;
	uint64_t features;                      /* negotiated; set while no ring runs */
	/* The front end's side: interrupt for a ring, configuration changed, driver broke a rule. */
	void (*call)(void *arg, unsigned int ring);
	void (*config_changed)(void *arg);
	void (*broken)(void *arg, const char *why);
	void *front;
	struct {
		bool running;
		int kick, watch;
		struct virtq vq;
	} ring[VIRTIO_RINGS_MAX];
};

void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops, const struct gmem *mem,
		 struct worker *w);
uint64_t virtio_features(const struct virtio_dev *dev);
int virtio_ring_start(struct virtio_dev *dev, unsigned int ring,
		      const struct virtio_ring_setup *setup);
uint16_t virtio_ring_stop(struct virtio_dev *dev, unsigned int ring);
void virtio_reset(struct virtio_dev *dev);
void virtio_kick(struct virtio_dev *dev, unsigned int ring);

struct virtq *virtio_vq(struct virtio_dev *dev, unsigned int ring);
int virtio_pop(struct virtio_dev *dev, unsigned int ring, struct virtq_chain *chain);
void virtio_broke(struct virtio_dev *dev, unsigned int ring, const char *why);
void virtio_call(struct virtio_dev *dev, unsigned int ring);

#endif

/* SPDX-License-Identifier: ISC */
/* vhost_ring.h - a vhost-user device's memory and rings: what they are put together from. */
#ifndef VHOST_RING_H
#define VHOST_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost_mem.h"
#include "virtio.h"

struct vhost_msg;

struct vhost_ring {
	unsigned int has;               /* what of it is known */
	bool enabled;
	uint16_t num, base;             /* base: where it goes on when it starts */
	uint16_t left_at;               /* base when it was stopped last */
	uint64_t desc, avail, used;     /* QEMU's own addresses */
	int kick, call, err;            /* eventfds, -1: none */
};

struct vhost_rings {
	struct virtio_dev *dev;
	const struct gmem *dev_mem;     /* what the model had before us */
	bool always_enabled;
	struct vhost_mem mem;
	struct vhost_ring ring[VIRTIO_RINGS_MAX];
};

void vhost_rings_init(struct vhost_rings *v, struct virtio_dev *dev);
void vhost_rings_end(struct vhost_rings *v);
void vhost_rings_detach(struct vhost_rings *v);
bool vhost_rings_run(const struct vhost_rings *v);
int vhost_rings_update(struct vhost_rings *v, struct vhost_msg *m);
void vhost_rings_disable(struct vhost_rings *v);

/* Messages; each returns 0, or -errno as vhost_msg_bad() when QEMU broke a rule. */
int vhost_rings_set_memory(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_set_num(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_set_addr(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_set_base(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_get_base(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_set_enable(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_set_kick(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_set_call(struct vhost_rings *v, struct vhost_msg *m);
int vhost_ring_set_err(struct vhost_rings *v, struct vhost_msg *m);

#endif

/* SPDX-License-Identifier: ISC */
/* virtio_net.h - virtio-net: a network card whose cable is a frames socket (virtio 1.2 §5.1). */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include <stdint.h>

struct gmem;
struct net_counts;
struct virtio_dev;
struct virtio_net;
struct worker;

/* What of it the guest is told. */
struct virtio_net_card {
	uint8_t mac[6];
	uint16_t mtu;           /* 0: not told */
};

struct virtio_net *virtio_net_new(const struct gmem *mem, struct worker *w, const struct virtio_net_card *card,
				  void (*lost)(void *arg), void *arg);
void virtio_net_free(struct virtio_net *n);
struct virtio_dev *virtio_net_dev(struct virtio_net *n);
int virtio_net_attach(void *net, int *fd);
void virtio_net_counts(void *net, struct net_counts *counts);

#endif

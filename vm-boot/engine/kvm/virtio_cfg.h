/* SPDX-License-Identifier: ISC */
/* virtio_cfg.h - the registers of a virtio device behind PCI, as virtio_pci.c and virtio_cfg.c see them. */
#ifndef VIRTIO_CFG_H
#define VIRTIO_CFG_H

#include <pthread.h>
#include <stdint.h>

#include "msix.h"
#include "pci.h"
#include "virtio.h"

/* Where in BAR 0 the driver notifies a queue. */
enum { VIRTIO_NOTIFY = 0x3000, VIRTIO_NOTIFY_STEP = 4, VIRTIO_COMMON_SIZE = 56 };

struct virtio_queue {
	struct virtq_layout at;
	uint16_t vector, base;
	bool enabled;
	int kick;
	uint64_t notify;                /* where its ioeventfd is, 0: nowhere */
};

struct virtio_pci {
	struct pci_dev pci;
	struct msix msix;
	pthread_mutex_t lock;
	struct virtio_dev *dev;
	int vm;
	uint8_t pci_cap;                /* the VIRTIO_PCI_CAP_PCI_CFG capability */
	uint8_t status;                 /* atomic */
	uint8_t isr;                    /* atomic */
	uint8_t generation;             /* atomic */
	uint16_t config_vector;         /* atomic */
	uint32_t df_select, gf_select;
	uint64_t features;              /* as the driver writes them */
	uint16_t q_select;
	struct virtio_queue queue[VIRTIO_RINGS_MAX];
};

void virtio_cfg_init(struct virtio_pci *p);
void virtio_cfg_read(struct virtio_pci *p, uint32_t off, void *buf, size_t len);
void virtio_cfg_write(struct virtio_pci *p, uint32_t off, const void *buf, size_t len);
void virtio_cfg_stop(struct virtio_pci *p);
void virtio_cfg_start(struct virtio_pci *p);

#endif

/* SPDX-License-Identifier: ISC */
/* msix.h - MSI-X: a table of messages that are interrupts (PCI 3.0 §6.8.2). */
#ifndef MSIX_H
#define MSIX_H

#include <pthread.h>
#include <stdint.h>

#include "pci.h"

enum { MSIX_VECTORS_MAX = 8, MSIX_NO_VECTOR = 0xffff };

struct msix {
	pthread_mutex_t lock;
	int vm;                         /* KVM VM that is signalled, borrowed */
	struct pci_dev *dev;
	uint8_t cap;                    /* where the capability is */
	uint16_t vectors;
	uint8_t table[MSIX_VECTORS_MAX * 16];
	uint64_t pending;
};

void msix_init(struct msix *m, int vm, struct pci_dev *dev, uint16_t vectors, uint32_t table_off,
	       uint32_t pba_off);
void msix_signal(struct msix *m, uint16_t vector);
void msix_control_written(struct msix *m);
void msix_table_read(struct msix *m, uint32_t off, void *buf, size_t len);
void msix_table_write(struct msix *m, uint32_t off, const void *buf, size_t len);
void msix_pba_read(struct msix *m, uint32_t off, void *buf, size_t len);

#endif

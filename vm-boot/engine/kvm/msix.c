// SPDX-License-Identifier: ISC
/*
 * msix.c - MSI-X: a table of messages that are interrupts (PCI 3.0 §6.8.2).
 *
 * Each vector's message is handed to KVM as it stands in the table when the interrupt is raised
 * (KVM_SIGNAL_MSI): cheaper than an irqfd, and no routing table to keep in step with the guest's
 * writes. A vector that is masked, or masked with all others, is noted as pending and raised when
 * the mask goes.
 */
#include "msix.h"

#include <linux/kvm.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util.h"

enum { ENTRY_MASKED = 1, CONTROL_MASK_ALL = 0x40, CONTROL_ENABLE = 0x80 };

/**
 * msix_init() - add the capability to a device
 * @m: filled in
 * @vm: KVM VM, borrowed
 * @dev: device whose BAR 0 holds table and pending bits
 * @vectors: at most MSIX_VECTORS_MAX
 * @table_off, @pba_off: offsets in BAR 0, multiples of 8
 */
void msix_init(struct msix *m, int vm, struct pci_dev *dev, uint16_t vectors, uint32_t table_off,
	       uint32_t pba_off)
{
	uint8_t body[10];
	uint16_t i;

	memset(m, 0, sizeof(*m));
	pthread_mutex_init(&m->lock, NULL);
	m->vm = vm;
	m->dev = dev;
	m->vectors = vectors;
	for (i = 0; i < vectors; i++)
		put_le32(m->table + 16 * i + 12, ENTRY_MASKED);
	put_le16(body, (uint16_t)(vectors - 1));
	put_le32(body + 2, table_off);
	put_le32(body + 6, pba_off);
	m->cap = pci_add_cap(dev, 0x11, body, sizeof(body));
	dev->writable[m->cap + 3] = CONTROL_ENABLE | CONTROL_MASK_ALL;
}

/* With the lock held: raise @vector or leave it pending. */
static void raise_or_pend(struct msix *m, uint16_t vector)
{
	const uint8_t *e = m->table + 16 * vector;
	uint8_t control = __atomic_load_n(&m->dev->config[m->cap + 3], __ATOMIC_RELAXED);
	struct kvm_msi msi = {
		.address_lo = get_le32(e),
		.address_hi = get_le32(e + 4),
		.data = get_le32(e + 8),
	};

	if (!(control & CONTROL_ENABLE))
		return;
	if ((control & CONTROL_MASK_ALL) || (get_le32(e + 12) & ENTRY_MASKED)) {
		m->pending |= 1ULL << vector;
		return;
	}
	m->pending &= ~(1ULL << vector);
	/* A message that no CPU takes is the guest's own mistake. */
	ioctl(m->vm, KVM_SIGNAL_MSI, &msi);
}

/** msix_signal() - raise a vector. @m. @vector: from the guest, any value. From any thread. */
void msix_signal(struct msix *m, uint16_t vector)
{
	if (vector >= m->vectors)
		return;
	pthread_mutex_lock(&m->lock);
	raise_or_pend(m, vector);
	pthread_mutex_unlock(&m->lock);
}

static void retry_pending(struct msix *m)
{
	uint16_t i;

	for (i = 0; i < m->vectors; i++)
		if (m->pending & 1ULL << i)
			raise_or_pend(m, i);
}

/** msix_control_written() - the capability's control word changed. @m. */
void msix_control_written(struct msix *m)
{
	pthread_mutex_lock(&m->lock);
	retry_pending(m);
	pthread_mutex_unlock(&m->lock);
}

/** msix_table_read() - a vCPU reads the table. @off: any; beyond the table reads 0. */
void msix_table_read(struct msix *m, uint32_t off, void *buf, size_t len)
{
	memset(buf, 0, len);
	if (off + len > 16u * m->vectors)
		return;
	pthread_mutex_lock(&m->lock);
	memcpy(buf, m->table + off, len);
	pthread_mutex_unlock(&m->lock);
}

/** msix_table_write() - a vCPU writes the table. @off: any; beyond the table is ignored. */
void msix_table_write(struct msix *m, uint32_t off, const void *buf, size_t len)
{
	if (off + len > 16u * m->vectors || (len != 4 && len != 8))
		return;
	pthread_mutex_lock(&m->lock);
	memcpy(m->table + off, buf, len);
	retry_pending(m);
	pthread_mutex_unlock(&m->lock);
}

/** msix_pba_read() - a vCPU reads the pending bits. @off: any. */
void msix_pba_read(struct msix *m, uint32_t off, void *buf, size_t len)
{
	memset(buf, 0, len);
	pthread_mutex_lock(&m->lock);
	if (off + len <= sizeof(m->pending))
		memcpy(buf, (uint8_t *)&m->pending + off, len);
	pthread_mutex_unlock(&m->lock);
}

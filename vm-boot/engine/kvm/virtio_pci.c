// SPDX-License-Identifier: ISC
/*
 * virtio_pci.c - a device model behind PCI (virtio 1.2 §4.1), modern only, MSI-X only.
 *
 *	BAR 0	0x0000	common configuration (virtio_cfg.c)
 *		0x1000	ISR status
 *		0x2000	device configuration
 *		0x3000	notifications, 4 bytes a queue; while it runs an ioeventfd, unless it is direct
 *		0x4000	MSI-X table
 *		0x5000	MSI-X pending bits
 */
#include "virtio_pci.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "log.h"
#include "util.h"
#include "virtio_cfg.h"

enum {
	OFF_COMMON = 0x0000,
	OFF_ISR = 0x1000,
	OFF_DEVICE = 0x2000,
	OFF_TABLE = 0x4000,
	OFF_PBA = 0x5000,
	BAR_SIZE = 0x8000,
	WINDOW = 0x1000,
};

static struct virtio_pci *of(struct pci_dev *pci)
{
	return container_of(pci, struct virtio_pci, pci);
}

/* -- the BAR; on a vCPU's thread -- */

static void mem_read(struct pci_dev *pci, uint32_t off, void *buf, size_t len)
{
	struct virtio_pci *p = of(pci);
	uint32_t in = off & (WINDOW - 1);

	switch (off & ~(uint32_t)(WINDOW - 1)) {
	case OFF_COMMON:
		virtio_cfg_read(p, in, buf, len);
		break;
	case OFF_ISR:
		*(uint8_t *)buf = __atomic_exchange_n(&p->isr, 0, __ATOMIC_RELAXED);
		break;
	case OFF_DEVICE:
		if (in + len <= p->dev->ops->config_len)
			p->dev->ops->config_read(p->dev, in, buf, len);
		break;
	case OFF_TABLE:
		msix_table_read(&p->msix, in, buf, len);
		break;
	case OFF_PBA:
		msix_pba_read(&p->msix, in, buf, len);
		break;
	}
}

static void kick(struct virtio_pci *p, unsigned int ring)
{
	uint64_t one = 1;

	if (p->dev->ops->direct & 1u << ring)
		virtio_kick(p->dev, ring);
	else if (write(p->queue[ring].kick, &one, sizeof(one)) < 0)
		debug("%s: kick: %s", p->dev->ops->name, errstr(errno));
}

static void mem_write(struct pci_dev *pci, uint32_t off, const void *buf, size_t len)
{
	struct virtio_pci *p = of(pci);
	uint32_t in = off & (WINDOW - 1);

	switch (off & ~(uint32_t)(WINDOW - 1)) {
	case OFF_COMMON:
		virtio_cfg_write(p, in, buf, len);
		break;
	case OFF_DEVICE:
		if (p->dev->ops->config_write && in + len <= p->dev->ops->config_len)
			p->dev->ops->config_write(p->dev, in, buf, len);
		break;
	case VIRTIO_NOTIFY:
		if (in / VIRTIO_NOTIFY_STEP < p->dev->ops->rings)
			kick(p, in / VIRTIO_NOTIFY_STEP);
		break;
	case OFF_TABLE:
		msix_table_write(&p->msix, in, buf, len);
		break;
	}
}

/*
 * §4.1.4.9: a window through configuration space to any of the BAR's. In the capability, after its
 * head of 16 bytes: four bytes of data; bar, offset and length are written by the driver. The bus's
 * lock is held; the registers' own comes after it, never before.
 */
static bool window_target(struct virtio_pci *p, uint32_t off, size_t len, uint32_t *target,
			  uint32_t *size)
{
	const uint8_t *cap = p->pci.config + p->pci_cap;

	*target = get_le32(cap + 8);
	*size = get_le32(cap + 12);
	return off <= p->pci_cap + 16u && off + len > p->pci_cap + 16u && cap[4] == 0 &&
	       (*size == 1 || *size == 2 || *size == 4) && *target <= BAR_SIZE - 4 &&
	       !(*target & (*size - 1));
}

static void config_written(struct pci_dev *pci, uint32_t off, size_t len)
{
	struct virtio_pci *p = of(pci);
	uint32_t target, size;

	if (off <= p->msix.cap + 3u && off + len > p->msix.cap + 3u)
		msix_control_written(&p->msix);
	if (window_target(p, off, len, &target, &size))
		mem_write(pci, target, pci->config + p->pci_cap + 16, size);
}

static void config_reading(struct pci_dev *pci, uint32_t off, size_t len)
{
	struct virtio_pci *p = of(pci);
	uint32_t target, size;

	if (!window_target(p, off, len, &target, &size))
		return;
	memset(pci->config + p->pci_cap + 16, 0, 4);
	mem_read(pci, target, pci->config + p->pci_cap + 16, size);
}

static const struct pci_ops virtio_pci_ops = {
	.mem_read = mem_read,
	.mem_write = mem_write,
	.config_written = config_written,
	.config_reading = config_reading,
};

/* struct virtio_pci_cap, §4.1.4, without its first two bytes. */
static uint8_t add_cap(struct virtio_pci *p, uint8_t type, uint32_t off, uint32_t len, bool notify,
		       bool window)
{
	uint8_t body[18] = { 0 };
	size_t n = notify || window ? 18 : 14;

	body[0] = (uint8_t)(n + 2);
	body[1] = type;
	put_le32(body + 6, off);
	put_le32(body + 10, len);
	if (notify)
		put_le32(body + 14, VIRTIO_NOTIFY_STEP);
	return pci_add_cap(&p->pci, 0x09, body, n);
}

/**
 * virtio_pci_new() - put a device model on a PCI bus
 * @bus: bus
 * @vm: KVM VM, borrowed
 * @dev: the model, borrowed
 * Return: the device, freed with virtio_pci_free(); NULL with errno.
 */
struct virtio_pci *virtio_pci_new(struct pci_bus *bus, int vm, struct virtio_dev *dev)
{
	struct virtio_pci *p = calloc(1, sizeof(*p));
	const struct virtio_ops *ops = dev->ops;
	struct pci_id id = {
		.vendor = 0x1af4,
		.device = (uint16_t)(0x1040 + ops->id),
		.subvendor = 0x1af4,
		.subdevice = 0x1100,
		.revision = 1,
	};
	unsigned int i;

	if (!p)
		return NULL;
	memcpy(id.class, ops->pci_class, sizeof(id.class));
	pci_dev_init(&p->pci, &virtio_pci_ops, &id);
	pthread_mutex_init(&p->lock, NULL);
	p->vm = vm;
	p->dev = dev;
	for (i = 0; i < VIRTIO_RINGS_MAX; i++)
		p->queue[i].kick = -1;
	for (i = 0; i < ops->rings; i++) {
		p->queue[i].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (p->queue[i].kick < 0)
			goto fail;
	}
	if (pci_add_bar(bus, &p->pci, BAR_SIZE) < 0)
		goto fail;
	add_cap(p, 1, OFF_COMMON, VIRTIO_COMMON_SIZE, false, false);
	add_cap(p, 2, VIRTIO_NOTIFY, VIRTIO_NOTIFY_STEP * ops->rings, true, false);
	add_cap(p, 3, OFF_ISR, 1, false, false);
	if (ops->config_len)
		add_cap(p, 4, OFF_DEVICE, (uint32_t)ops->config_len, false, false);
	p->pci_cap = add_cap(p, 5, 0, 0, false, true);
	memset(p->pci.writable + p->pci_cap + 4, 0xff, 1);
	memset(p->pci.writable + p->pci_cap + 8, 0xff, 12);
	/* One vector a queue, one for the configuration. */
	msix_init(&p->msix, vm, &p->pci, (uint16_t)(ops->rings + 1), OFF_TABLE, OFF_PBA);
	virtio_cfg_init(p);
	if (pci_plug(bus, &p->pci) < 0)
		goto fail;
	return p;
fail:
	virtio_pci_free(p);
	return NULL;
}

/** virtio_pci_pause() - stop the device where it is. @p: no vCPU runs. */
void virtio_pci_pause(struct virtio_pci *p)
{
	virtio_cfg_stop(p);
}

/** virtio_pci_resume() - go on after virtio_pci_pause(). @p: no vCPU runs yet. */
void virtio_pci_resume(struct virtio_pci *p)
{
	virtio_cfg_start(p);
}

/** virtio_pci_free() - free the front end; its model stays the caller's. @p: may be NULL. */
void virtio_pci_free(struct virtio_pci *p)
{
	unsigned int i;

	if (!p)
		return;
	for (i = 0; i < VIRTIO_RINGS_MAX; i++)
		cleanup_fd(&p->queue[i].kick);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

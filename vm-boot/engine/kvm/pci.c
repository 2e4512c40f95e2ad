// SPDX-License-Identifier: ISC
/*
 * pci.c - one PCI bus: configuration space and memory BARs.
 *
 * Conventional configuration space of 256 bytes a function (nothing here needs more, and Linux reads
 * what it finds), reached through CF8/CFC and through ECAM; at most one 32-bit memory BAR a device,
 * placed by us as firmware would, movable by the guest; no I/O BARs, no interrupt pins, no bridges
 * but the host's own. Functions of one slot other than 0 do not exist.
 *
 * vCPUs come here at the same time: @lock guards configuration space and the address latch. A
 * device's memory callbacks run without it and lock for themselves.
 */
#include "pci.h"

#include <errno.h>
#include <string.h>

#include "util.h"
#include "x86/layout.h"

enum {
	CFG_VENDOR = 0x00,
	CFG_COMMAND = 0x04,
	CFG_STATUS = 0x06,
	CFG_REVISION = 0x08,
	CFG_BAR0 = 0x10,
	CFG_SUBVENDOR = 0x2c,
	CFG_CAP = 0x34,
	CFG_LINE = 0x3c,
	COMMAND_MEMORY = 2,
	COMMAND_MASTER = 4,
	COMMAND_NO_INTX = 0x400,
	STATUS_CAP = 0x10,
	FIRST_CAP = 0x40,
};

/** pci_bus_init() - a bus without devices. @bus: filled in. */
void pci_bus_init(struct pci_bus *bus)
{
	memset(bus, 0, sizeof(*bus));
	pthread_mutex_init(&bus->lock, NULL);
	bus->next_bar = (uint32_t)PCI_MEM;
}

/**
 * pci_dev_init() - a function's configuration space
 * @dev: filled in
 * @ops: its callbacks, kept
 * @id: what it says it is
 */
void pci_dev_init(struct pci_dev *dev, const struct pci_ops *ops, const struct pci_id *id)
{
	memset(dev, 0, sizeof(*dev));
	dev->ops = ops;
	put_le16(dev->config + CFG_VENDOR, id->vendor);
	put_le16(dev->config + CFG_VENDOR + 2, id->device);
	dev->config[CFG_REVISION] = id->revision;
	dev->config[CFG_REVISION + 1] = id->class[2];
	dev->config[CFG_REVISION + 2] = id->class[1];
	dev->config[CFG_REVISION + 3] = id->class[0];
	put_le16(dev->config + CFG_SUBVENDOR, id->subvendor);
	put_le16(dev->config + CFG_SUBVENDOR + 2, id->subdevice);
	put_le16(dev->writable + CFG_COMMAND, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
	dev->writable[CFG_LINE] = 0xff;
	dev->next_cap = FIRST_CAP;
}

/**
 * pci_add_bar() - give a device BAR 0
 * @bus: bus whose memory window it takes from
 * @dev: device
 * @size: bytes, a power of two of at least 4096
 * Return: 0 or -ENOSPC.
 */
int pci_add_bar(struct pci_bus *bus, struct pci_dev *dev, uint32_t size)
{
	uint32_t at = (uint32_t)align_up(bus->next_bar, size);

	if (at + size > PCI_MEM + PCI_MEM_SIZE)
		return -ENOSPC;
	bus->next_bar = at + size;
	dev->bar_size = size;
	put_le32(dev->config + CFG_BAR0, at);
	put_le32(dev->writable + CFG_BAR0, ~(size - 1));
	dev->config[CFG_COMMAND] |= COMMAND_MEMORY;
	return 0;
}

/**
 * pci_add_cap() - append a capability
 * @dev: device
 * @id: capability id
 * @body, @len: what follows id and next pointer
 * Return: where it begins in configuration space.
 */
uint8_t pci_add_cap(struct pci_dev *dev, uint8_t id, const void *body, size_t len)
{
	uint8_t at = dev->next_cap;

	dev->config[at] = id;
	dev->config[at + 1] = 0;
	memcpy(dev->config + at + 2, body, len);
	dev->config[dev->last_cap ? dev->last_cap + 1 : CFG_CAP] = at;
	dev->config[CFG_STATUS] |= STATUS_CAP;
	dev->last_cap = at;
	dev->next_cap = (uint8_t)align_up(at + 2 + len, 4);
	return at;
}

/** pci_plug() - put a device in the next slot. @bus, @dev: kept. Return: the slot, or -ENOSPC. */
int pci_plug(struct pci_bus *bus, struct pci_dev *dev)
{
	int i;

	for (i = 0; i < PCI_SLOTS; i++) {
		if (!bus->slot[i]) {
			bus->slot[i] = dev;
			return i;
		}
	}
	return -ENOSPC;
}

/** pci_bar() - where BAR 0 decodes now. @dev: device. Return: guest address; 0 when it does not. */
uint64_t pci_bar(const struct pci_dev *dev)
{
	if (!dev->bar_size || !(dev->config[CFG_COMMAND] & COMMAND_MEMORY))
		return 0;
	return get_le32(dev->config + CFG_BAR0);
}

/**
 * pci_mem_access() - a vCPU touches PCI memory
 * @bus: bus
 * @addr, @len: guest address, 1-8 bytes
 * @buf: what is written, or where what is read goes
 * @write: which of the two
 * Return: whether a device is there; reads elsewhere give all ones.
 */
bool pci_mem_access(struct pci_bus *bus, uint64_t addr, void *buf, size_t len, bool write)
{
	struct pci_dev *dev = NULL;
	uint32_t off = 0;
	int i;

	pthread_mutex_lock(&bus->lock);
	for (i = 0; i < PCI_SLOTS && bus->slot[i]; i++) {
		uint64_t bar = pci_bar(bus->slot[i]);

		if (bar && addr >= bar && addr - bar <= bus->slot[i]->bar_size - len) {
			dev = bus->slot[i];
			off = (uint32_t)(addr - bar);
			break;
		}
	}
	pthread_mutex_unlock(&bus->lock);
	if (!write)
		memset(buf, dev ? 0 : 0xff, len);
	if (!dev)
		return false;
	if (write)
		dev->ops->mem_write(dev, off, buf, len);
	else
		dev->ops->mem_read(dev, off, buf, len);
	return true;
}

static void config_access(struct pci_bus *bus, unsigned int devfn, uint32_t off, void *buf,
			  size_t len, bool write)
{
	struct pci_dev *dev = devfn & 7 ? NULL : bus->slot[devfn >> 3 & 31];
	uint8_t *b = buf;
	size_t i;

	if (!dev || off + len > PCI_CONFIG_SIZE) {
		if (!write)     /* extended space that is not there reads as 0, no device as ones */
			memset(buf, dev ? 0 : 0xff, len);
		return;
	}
	pthread_mutex_lock(&bus->lock);
	if (!write) {
		if (dev->ops->config_reading)
			dev->ops->config_reading(dev, off, len);
		memcpy(buf, dev->config + off, len);
	} else {
		for (i = 0; i < len; i++) {
			uint8_t mask = dev->writable[off + i];

			dev->config[off + i] = (uint8_t)((dev->config[off + i] & ~mask) |
							 (b[i] & mask));
		}
		if (dev->ops->config_written)
			dev->ops->config_written(dev, off, len);
	}
	pthread_mutex_unlock(&bus->lock);
}

/** pci_ecam_access() - a vCPU touches ECAM. @off: within bus 0's 1 MiB. Else as pci_mem_access(). */
void pci_ecam_access(struct pci_bus *bus, uint64_t off, void *buf, size_t len, bool write)
{
	config_access(bus, (unsigned int)(off >> 12), off & 0xfff, buf, len, write);
}

/**
 * pci_port_access() - a vCPU touches CF8-CFF
 * @bus: bus
 * @port: the port
 * @buf, @len: 1, 2 or 4 bytes
 * @write: direction
 */
void pci_port_access(struct pci_bus *bus, uint16_t port, void *buf, size_t len, bool write)
{
	uint32_t address;

	pthread_mutex_lock(&bus->lock);
	if (port == PORT_PCI_ADDR && len == 4) {
		if (write)
			bus->address = get_le32(buf);
		else
			put_le32(buf, bus->address);
	}
	address = bus->address;
	pthread_mutex_unlock(&bus->lock);
	if (port < PORT_PCI_DATA) {
		if (!write && len != 4)
			memset(buf, 0xff, len);
		return;
	}
	/* Enabled, and bus 0: there is no other. */
	if (!(address & 1u << 31) || (address >> 16 & 0xff)) {
		if (!write)
			memset(buf, 0xff, len);
		return;
	}
	config_access(bus, address >> 8 & 0xff, (address & 0xfc) + (port & 3u), buf, len, write);
}

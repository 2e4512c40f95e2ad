/* SPDX-License-Identifier: ISC */
/* pci.h - one PCI bus: configuration space and memory BARs. */
#ifndef PCI_H
#define PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PCI_CONFIG_SIZE = 256, PCI_SLOTS = 32 };

struct pci_dev;

/* A device's memory, behind its one BAR: offset and length lie within it. On a vCPU's thread. */
struct pci_ops {
	void (*mem_read)(struct pci_dev *dev, uint32_t off, void *buf, size_t len);
	void (*mem_write)(struct pci_dev *dev, uint32_t off, const void *buf, size_t len);
	/* After bytes of its configuration space changed, resp. before they are read; or NULL. */
	void (*config_written)(struct pci_dev *dev, uint32_t off, size_t len);
	void (*config_reading)(struct pci_dev *dev, uint32_t off, size_t len);
};

struct pci_dev {
	const struct pci_ops *ops;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];      /* mask of what the guest may change */
	uint32_t bar_size;                      /* of BAR 0; 0: none */
	uint8_t next_cap, last_cap;
};

struct pci_id {
	uint16_t vendor, device, subvendor, subdevice;
	uint8_t class[3];                       /* base, sub, interface */
	uint8_t revision;
};

struct pci_bus {
	pthread_mutex_t lock;
	uint32_t address;                       /* CF8 */
	uint32_t next_bar;
	struct pci_dev *slot[PCI_SLOTS];
};

void pci_bus_init(struct pci_bus *bus);
void pci_dev_init(struct pci_dev *dev, const struct pci_ops *ops, const struct pci_id *id);
int pci_add_bar(struct pci_bus *bus, struct pci_dev *dev, uint32_t size);
uint8_t pci_add_cap(struct pci_dev *dev, uint8_t id, const void *body, size_t len);
int pci_plug(struct pci_bus *bus, struct pci_dev *dev);
uint64_t pci_bar(const struct pci_dev *dev);

bool pci_mem_access(struct pci_bus *bus, uint64_t addr, void *buf, size_t len, bool write);
void pci_ecam_access(struct pci_bus *bus, uint64_t off, void *buf, size_t len, bool write);
void pci_port_access(struct pci_bus *bus, uint16_t port, void *buf, size_t len, bool write);

#endif

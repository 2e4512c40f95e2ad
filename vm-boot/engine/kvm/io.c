// SPDX-License-Identifier: ISC
/*
 * io.c - what answers at which port and address, and the devices too small for a file of their own.
 *
 * All of this runs on vCPU threads. What nobody answers reads as ones and swallows writes, as on an
 * empty bus; port 0x64 reads 0, so that a kernel that asks the keyboard controller whether it is busy
 * does not wait for it.
 */
#include <string.h>

#include "exitport.h"
#include "machine.h"
#include "serial.h"
#include "util.h"
#include "x86/layout.h"

enum { SLEEP_ENABLE = 0x20, KBD_RESET = 0xfe };
enum { PVPANIC_PANICKED = 1, PVPANIC_CRASH_LOADED = 2, PVPANIC_SIZE = 0x1000 };

static void port_write(struct machine *m, uint16_t port, uint8_t v)
{
	switch (port) {
	case PORT_SLEEP_CONTROL:
		if ((v & SLEEP_ENABLE) && (v >> 2 & 7) == S5_SLEEP_TYPE)
			machine_ended(m, CAUSE_POWEROFF);
		break;
	case PORT_RESET:
		if (v == RESET_VALUE)
			machine_ended(m, CAUSE_RESET);
		break;
	case PORT_KBD:
		if (v == KBD_RESET)
			machine_ended(m, CAUSE_RESET);
		break;
	case EXITPORT_BASE:
		if (v == EXITPORT_REBOOT)
			machine_ended(m, CAUSE_REBOOT);
		else if (v == EXITPORT_UNTOLD)
			machine_ended(m, CAUSE_UNTOLD);
		break;
	}
}

/**
 * port_io() - a vCPU touches I/O ports
 * @m: machine
 * @port: the port
 * @buf, @len: 1, 2 or 4 bytes: what is written, or where what is read goes
 * @write: which of the two
 */
void port_io(struct machine *m, uint16_t port, void *buf, size_t len, bool write)
{
	uint8_t *b = buf;

	if (port >= PORT_PCI_ADDR && port < PORT_PCI_ADDR + 8) {
		pci_port_access(&m->bus, port, buf, len, write);
		return;
	}
	if (len == 1 && port >= PORT_COM1 && port < PORT_COM1 + 8) {
		if (write)
			serial_write(m->serial, port - PORT_COM1, *b);
		else
			*b = serial_read(m->serial, port - PORT_COM1);
		return;
	}
	if (write) {
		if (len == 1)
			port_write(m, port, *b);
		return;
	}
	memset(buf, 0xff, len);
	if (port == PORT_KBD || port == PORT_SLEEP_STATUS)
		*b = 0;
}

/** mmio() - a vCPU touches memory that is not RAM. @addr: guest address. Else as port_io(). */
void mmio(struct machine *m, uint64_t addr, void *buf, size_t len, bool write)
{
	if (addr >= PCI_ECAM && addr - PCI_ECAM <= PCI_ECAM_SIZE - len)
		pci_ecam_access(&m->bus, addr - PCI_ECAM, buf, len, write);
	else if (addr >= PCI_MEM && addr - PCI_MEM <= PCI_MEM_SIZE - len)
		pci_mem_access(&m->bus, addr, buf, len, write);
	else if (!write)
		memset(buf, 0xff, len);
}

static void nothing_read(struct pci_dev *dev, uint32_t off, void *buf, size_t len)
{
	(void)dev;
	(void)off;
	memset(buf, 0, len);
}

static void nothing_written(struct pci_dev *dev, uint32_t off, const void *buf, size_t len)
{
	(void)dev;
	(void)off;
	(void)buf;
	(void)len;
}

/** host_bridge_init() - the device by which a kernel knows that this is a PCI bus. @m: machine. */
void host_bridge_init(struct machine *m)
{
	static const struct pci_ops ops = { .mem_read = nothing_read, .mem_write = nothing_written };
	static const struct pci_id id = {
		.vendor = 0x1b36, .device = 0x0008, .subvendor = 0x1af4, .subdevice = 0x1100,
		.class = { 0x06, 0x00, 0x00 },
	};

	pci_dev_init(&m->host_bridge, &ops, &id);
	pci_plug(&m->bus, &m->host_bridge);
}

static void pvpanic_read(struct pci_dev *dev, uint32_t off, void *buf, size_t len)
{
	(void)dev;
	memset(buf, 0, len);
	if (off == 0)
		*(uint8_t *)buf = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(struct pci_dev *dev, uint32_t off, const void *buf, size_t len)
{
	struct machine *m = container_of(dev, struct machine, pvpanic);

	(void)len;
	/* A guest that loads a crash kernel goes on running it: only a plain panic is the end. */
	if (off == 0 && (*(const uint8_t *)buf & PVPANIC_PANICKED))
		machine_ended(m, CAUSE_PANIC);
}

/** pvpanic_init() - the device that tells of a guest's panic (QEMU docs/specs/pvpanic). @m. */
void pvpanic_init(struct machine *m)
{
	static const struct pci_ops ops = { .mem_read = pvpanic_read, .mem_write = pvpanic_write };
	static const struct pci_id id = {
		.vendor = 0x1b36, .device = 0x0011, .subvendor = 0x1af4, .subdevice = 0x1100,
		.class = { 0x08, 0x80, 0x00 }, .revision = 1,
	};

	pci_dev_init(&m->pvpanic, &ops, &id);
	if (pci_add_bar(&m->bus, &m->pvpanic, PVPANIC_SIZE) == 0)
		pci_plug(&m->bus, &m->pvpanic);
}

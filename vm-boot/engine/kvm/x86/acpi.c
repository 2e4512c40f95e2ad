// SPDX-License-Identifier: ISC
/*
 * acpi.c - the tables that tell the guest what its machine is.
 *
 * Hardware-reduced ACPI (6.4 §4.1): no SCI, no PM timer, no 8259, no 8254, no RTC, no 8042. What is
 * not there must be *declared* not there: a stock kernel otherwise looks for it, an RTC for 40,000
 * exits. Events come through a generic event device, one interrupt each; sleeping and reset are one
 * I/O port each.
 *
 *	RSDP -> XSDT -> FADT -> DSDT
 *	            +-> MADT	local APICs and the IOAPIC
 *	            +-> MCFG	ECAM of bus 0
 */
#include "acpi.h"

#include <errno.h>
#include <string.h>

#include "aml.h"
#include "exitport.h"
#include "gmem.h"
#include "layout.h"
#include "util.h"

enum { HEADER = 36 };

/* Tables are made one behind the other in here, then copied to the guest. */
struct tables {
	uint8_t buf[ACPI_TABLES_SIZE];
	size_t len;
};

static uint8_t *table(struct tables *t, size_t len)
{
	uint8_t *p = t->buf + t->len;

	t->len = align_up(t->len + len, 16);
	return p;
}

static uint64_t addr_of(const struct tables *t, const uint8_t *p)
{
	return ACPI_TABLES + (uint64_t)(p - t->buf);
}

static void checksum(uint8_t *p, size_t len, size_t at)
{
	uint8_t sum = 0;
	size_t i;

	p[at] = 0;
	for (i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	p[at] = (uint8_t)-sum;
}

/* The header of §5.2.6, and the checksum: call when the table is complete. */
static void finish(uint8_t *p, const char *signature, uint8_t revision, size_t len)
{
	memcpy(p, signature, 4);
	put_le32(p + 4, (uint32_t)len);
	p[8] = revision;
	memcpy(p + 10, "PIPEVM", 6);
	memcpy(p + 16, "PIPEVM  ", 8);
	put_le32(p + 24, 1);
	memcpy(p + 28, "PVM ", 4);
	put_le32(p + 32, 1);
	checksum(p, len, 9);
}

/* A generic address structure for an I/O port of one byte (§5.2.3.2). */
static void gas_port(uint8_t *p, uint16_t port)
{
	p[0] = 1;
	p[1] = 8;
	p[2] = 0;
	p[3] = 1;
	put_le64(p + 4, port);
}

static void device_pci_root(struct aml *a)
{
	aml_open_device(a, "PCI0");
	aml_named(a, "_HID");
	aml_eisa_id(a, "PNP0A08");
	aml_named(a, "_CID");
	aml_eisa_id(a, "PNP0A03");
	aml_named_integer(a, "_UID", 0);
	aml_named_integer(a, "_SEG", 0);
	aml_named_integer(a, "_BBN", 0);
	aml_open_resources(a);
	aml_res_bus_range(a, 0, 0);
	aml_res_io(a, PORT_PCI_ADDR, 8);
	aml_res_mem_window(a, (uint32_t)PCI_MEM, (uint32_t)PCI_MEM_SIZE);
	aml_close_resources(a);
	aml_close(a);
}

/* Claims what belongs to no device: without it Linux distrusts the ECAM window of MCFG. */
static void device_board(struct aml *a)
{
	aml_open_device(a, "BRD0");
	aml_named(a, "_HID");
	aml_eisa_id(a, "PNP0C02");
	aml_named_integer(a, "_UID", 0);
	aml_open_resources(a);
	aml_res_mem32(a, (uint32_t)PCI_ECAM, (uint32_t)PCI_ECAM_SIZE);
	aml_res_io(a, PORT_SLEEP_CONTROL, 3);
	aml_res_io(a, EXITPORT_BASE, EXITPORT_SIZE);
	aml_close_resources(a);
	aml_close(a);
}

/* Without this the kernel's console writes to COM1, but its user space never can. */
static void device_com1(struct aml *a)
{
	aml_open_device(a, "COM1");
	aml_named(a, "_HID");
	aml_eisa_id(a, "PNP0501");
	aml_named_integer(a, "_UID", 1);
	aml_open_resources(a);
	aml_res_io(a, PORT_COM1, 8);
	aml_res_irq(a, GSI_COM1);
	aml_close_resources(a);
	aml_close(a);
}

/* §5.6.9: the generic event device, and what its interrupts tell. */
static void devices_events(struct aml *a)
{
	aml_open_device(a, "PWRB");
	aml_named(a, "_HID");
	aml_eisa_id(a, "PNP0C0C");
	aml_named_integer(a, "_UID", 0);
	aml_close(a);

	aml_open_device(a, "VGEN");
	aml_named(a, "_HID");
	aml_string(a, "PIPE0001");
	aml_named(a, "_CID");
	aml_string(a, "VM_Gen_Counter");
	aml_named(a, "_DDN");
	aml_string(a, "VM_Gen_Counter");
	aml_named(a, "ADDR");
	aml_open_package(a, 2);
	aml_integer(a, (uint32_t)VMGENID_ADDR);
	aml_integer(a, VMGENID_ADDR >> 32);
	aml_close(a);
	aml_close(a);

	aml_open_device(a, "GED0");
	aml_named(a, "_HID");
	aml_string(a, "ACPI0013");
	aml_named_integer(a, "_UID", 0);
	aml_open_resources(a);
	aml_res_irq(a, GSI_POWER_BUTTON);
	aml_res_irq(a, GSI_VMGENID);
	aml_close_resources(a);
	aml_open_method(a, "_EVT", 1);
	aml_open_if_arg0_equals(a, GSI_POWER_BUTTON);
	aml_notify(a, "PWRB", 0x80);
	aml_close(a);
	aml_open_if_arg0_equals(a, GSI_VMGENID);
	aml_notify(a, "VGEN", 0x80);
	aml_close(a);
	aml_close(a);
	aml_close(a);
}

static uint8_t *build_dsdt(struct tables *t)
{
	uint8_t *p = t->buf + t->len;
	struct aml a = { .buf = p, .size = sizeof(t->buf) - t->len, .len = HEADER };

	aml_open_scope(&a, "\\_SB");
	device_pci_root(&a);
	device_board(&a);
	device_com1(&a);
	devices_events(&a);
	aml_close(&a);
	aml_named(&a, "\\_S5");
	aml_open_package(&a, 4);
	aml_integer(&a, S5_SLEEP_TYPE);
	aml_integer(&a, 0);
	aml_integer(&a, 0);
	aml_integer(&a, 0);
	aml_close(&a);
	finish(p, "DSDT", 2, a.len);
	return table(t, a.len);
}

/* §5.2.9, revision 6.4. */
static uint8_t *build_fadt(struct tables *t, uint64_t dsdt)
{
	uint8_t *p = table(t, 276);

	/* boot architecture: no VGA, no CMOS RTC, no ASPM; neither legacy devices nor 8042 */
	put_le16(p + 109, 1 << 2 | 1 << 5 | 1 << 4);
	/* WBINVD; the power and sleep buttons are no fixed hardware; reset register; reduced */
	put_le32(p + 112, 1 << 0 | 1 << 4 | 1 << 5 | 1 << 10 | 1 << 20);
	gas_port(p + 116, PORT_RESET);
	p[128] = RESET_VALUE;
	p[131] = 4;                             /* minor version */
	put_le64(p + 140, dsdt);
	gas_port(p + 244, PORT_SLEEP_CONTROL);
	gas_port(p + 256, PORT_SLEEP_STATUS);
	memcpy(p + 268, "PIPEVM\0", 8);
	finish(p, "FACP", 6, 276);
	return p;
}

/* §5.2.12. */
static uint8_t *build_madt(struct tables *t, unsigned int cpus)
{
	size_t len = HEADER + 8 + 8 * cpus + 12;
	uint8_t *p = table(t, len), *e = p + HEADER + 8;
	unsigned int i;

	put_le32(p + HEADER, (uint32_t)LAPIC_ADDR);
	put_le32(p + HEADER + 4, 0);            /* no 8259 */
	for (i = 0; i < cpus; i++, e += 8) {
		e[0] = 0;
		e[1] = 8;
		e[2] = (uint8_t)i;
		e[3] = (uint8_t)i;
		put_le32(e + 4, 1);
	}
	e[0] = 1;
	e[1] = 12;
	e[2] = 0;                               /* IOAPIC id */
	put_le32(e + 4, (uint32_t)IOAPIC_ADDR);
	put_le32(e + 8, 0);
	finish(p, "APIC", 5, len);
	return p;
}

/* PCI Firmware Specification 3.2 §4.1.2. */
static uint8_t *build_mcfg(struct tables *t)
{
	uint8_t *p = table(t, 60);

	put_le64(p + 44, PCI_ECAM);
	put_le16(p + 52, 0);
	p[54] = 0;
	p[55] = 0;
	finish(p, "MCFG", 1, 60);
	return p;
}

/**
 * acpi_build() - put the tables in guest memory
 * @mem: guest memory
 * @cpus: 1-64, APIC ids from 0
 * @rsdp: set to where the tables begin
 * Return: 0; -EFAULT when guest memory is not there.
 */
int acpi_build(const struct gmem *mem, unsigned int cpus, uint64_t *rsdp)
{
	static struct tables t;
	uint8_t *root, *xsdt;

	memset(&t, 0, sizeof(t));
	root = table(&t, 36);
	xsdt = table(&t, HEADER + 3 * 8);
	put_le64(xsdt + HEADER, addr_of(&t, build_fadt(&t, addr_of(&t, build_dsdt(&t)))));
	put_le64(xsdt + HEADER + 8, addr_of(&t, build_madt(&t, cpus)));
	put_le64(xsdt + HEADER + 16, addr_of(&t, build_mcfg(&t)));
	finish(xsdt, "XSDT", 1, HEADER + 3 * 8);

	/* §5.2.5.3 */
	memcpy(root, "RSD PTR ", 8);
	memcpy(root + 9, "PIPEVM", 6);
	root[15] = 2;
	put_le32(root + 20, 36);
	put_le64(root + 24, addr_of(&t, xsdt));
	checksum(root, 20, 8);
	checksum(root, 36, 32);
	*rsdp = addr_of(&t, root);
	return gmem_write(mem, ACPI_TABLES, t.buf, t.len);
}

/* SPDX-License-Identifier: ISC */
/* layout.h - where everything is in the guest's address spaces. */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

/*
 * Guest physical memory:
 *
 *	0			RAM, usable
 *	     0x6000		PVH start information, module list and memory map
 *	     0x7000		boot_params ("zero page")
 *	     0x8000		GDT
 *	     0x9000-0xf000	page tables: the first 4 GiB mapped one to one
 *	     0x20000		kernel command line
 *	0x9fc00			reserved up to 1 MiB: as a PC's firmware has it
 *	     0xe0000		ACPI tables
 *	     0xf0000		VM generation id, 16 bytes on a page of its own
 *	     0xffff0		what a processor runs that is sent to the firmware: a reset
 *	1 MiB			RAM, usable
 *	3 GiB			hole: PCI memory, ECAM, IOAPIC, local APICs
 *	4 GiB			the rest of RAM
 */
#define BOOT_PVH_INFO		0x6000ULL
#define BOOT_PARAMS		0x7000ULL
#define BOOT_GDT		0x8000ULL
#define BOOT_PAGE_TABLES	0x9000ULL
#define BOOT_CMDLINE		0x20000ULL
#define LOW_RAM_END		0x9fc00ULL
#define ACPI_TABLES		0xe0000ULL
#define ACPI_TABLES_SIZE	0x10000ULL
#define VMGENID_ADDR		0xf0000ULL
#define RESET_VECTOR		0xffff0ULL
#define HIGH_RAM		0x100000ULL

#define HOLE_START		0xc0000000ULL
#define PCI_MEM			HOLE_START
#define PCI_MEM_SIZE		0x20000000ULL
#define PCI_ECAM		0xe0000000ULL
#define PCI_ECAM_SIZE		0x100000ULL	/* bus 0 */
#define IOAPIC_ADDR		0xfec00000ULL
#define LAPIC_ADDR		0xfee00000ULL
#define KVM_IDENTITY_MAP	0xfeffc000ULL	/* one page; then three for the TSS */
#define HOLE_END		0x100000000ULL

/* I/O ports. */
#define PORT_KBD		0x64
#define PORT_COM1		0x3f8
#define PORT_PCI_ADDR		0xcf8
#define PORT_PCI_DATA		0xcfc
#define PORT_SLEEP_CONTROL	0x600
#define PORT_SLEEP_STATUS	0x601
#define PORT_RESET		0x602
#define RESET_VALUE		1
#define S5_SLEEP_TYPE		5

/* Interrupts: IOAPIC inputs. */
#define GSI_COM1		4
#define GSI_POWER_BUTTON	5
#define GSI_VMGENID		6

#endif

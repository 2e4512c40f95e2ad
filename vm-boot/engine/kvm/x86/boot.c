// SPDX-License-Identifier: ISC
/*
 * boot.c - put a Linux kernel in guest memory and say how it starts.
 *
 * What the file is and where it goes was found out by kernel.c; this reads it straight into guest
 * memory, once, and writes what the kernel reads first: the "zero page" of the 64-bit boot protocol
 * for a bzImage, PVH start information for an ELF vmlinux.
 */
#include "boot.h"

#include <errno.h>
#include <stdio.h>

#include "config.h"
#include "gmem.h"
#include "kernel.h"
#include "layout.h"
#include "log.h"
#include "util.h"

/* Read all of @len bytes of a file at @off. */
static int read_whole(int fd, uint64_t off, uint8_t *p, uint64_t len)
{
	while (len) {
		ssize_t n = pread(fd, p, MIN(len, 1ULL << 30), (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* Read @len bytes of a file at @off straight to guest memory at @gpa. The memory is fresh, so a hole
 * in the file, as of a third of a vmlinux in an image, costs no page. */
static int read_to_guest(const struct gmem *mem, int fd, uint64_t off, uint64_t gpa, uint64_t len)
{
	uint8_t *p = gmem_ptr(mem, gpa, len);
	uint64_t at = off, end = off + len;
	off_t size = lseek(fd, 0, SEEK_END);
	int e = 0;

	if (!p)
		return -EFAULT;
	if (size >= 0 && end > (uint64_t)size)
		return -ENODATA;
	while (at < end && !e) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return 0;               /* nothing but a hole to the end */
		at = data < 0 ? at : MIN((uint64_t)data, end);
		hole = data < 0 ? -1 : lseek(fd, (off_t)at, SEEK_HOLE);
		len = (hole < 0 ? end : MIN((uint64_t)hole, end)) - at;
		e = read_whole(fd, at, p + (at - off), len);
		at += len;
	}
	return e;
}

/* e820 types; PVH's memory map uses the same. */
enum { RAM = 1, RESERVED = 2 };

struct range {
	uint64_t start, len;
	uint32_t type;
};

static unsigned int memory_map(uint64_t memory, struct range map[5])
{
	unsigned int n = 0;

	map[n++] = (struct range){ 0, LOW_RAM_END, RAM };
	map[n++] = (struct range){ LOW_RAM_END, HIGH_RAM - LOW_RAM_END, RESERVED };
	map[n++] = (struct range){ HIGH_RAM, MIN(memory, HOLE_START) - HIGH_RAM, RAM };
	map[n++] = (struct range){ PCI_ECAM, PCI_ECAM_SIZE, RESERVED };
	if (memory > HOLE_START)
		map[n++] = (struct range){ HOLE_END, memory - HOLE_START, RAM };
	return n;
}

/* Offsets in boot_params; those of the setup header are the file's own (boot.rst). */
enum {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_JUMP = 0x200,
	HDR_MAGIC = 0x202,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228,
	PARAMS_ACPI_RSDP = 0x070,
	PARAMS_E820_ENTRIES = 0x1e8,
	PARAMS_E820_TABLE = 0x2d0,
	PARAMS_SIZE = 4096,
};

static int write_boot_params(const struct gmem *mem, const struct kernel *k,
			     const struct vm_config *cfg, uint64_t initrd, uint64_t rsdp)
{
	uint8_t params[PARAMS_SIZE] = { 0 };
	struct range map[5];
	unsigned int i, n = memory_map(cfg->memory, map);

	/* The header ends where its own jump leads (boot.rst, "64-bit Boot Protocol"). */
	memcpy(params + HDR_SETUP_SECTS, k->header + HDR_SETUP_SECTS,
	       MIN((size_t)HDR_MAGIC + k->header[HDR_JUMP + 1], (size_t)KERNEL_HEADER) -
	       HDR_SETUP_SECTS);
	params[HDR_TYPE_OF_LOADER] = 0xff;
	put_le32(params + HDR_CMD_LINE_PTR, (uint32_t)BOOT_CMDLINE);
	put_le32(params + HDR_RAMDISK_IMAGE, (uint32_t)initrd);
	put_le32(params + HDR_RAMDISK_SIZE, (uint32_t)cfg->initrd_size);
	put_le64(params + PARAMS_ACPI_RSDP, rsdp);
	params[PARAMS_E820_ENTRIES] = (uint8_t)n;
	for (i = 0; i < n; i++) {
		uint8_t *at = params + PARAMS_E820_TABLE + 20 * i;

		put_le64(at, map[i].start);
		put_le64(at + 8, map[i].len);
		put_le32(at + 16, map[i].type);
	}
	return gmem_write(mem, BOOT_PARAMS, params, sizeof(params));
}

/* Xen's public/arch-x86/hvm/start_info.h, version 1. */
static int write_start_info(const struct gmem *mem, const struct vm_config *cfg, uint64_t initrd,
			    uint64_t rsdp)
{
	enum { MODULES = 64, MAP = 128 };
	uint8_t info[MAP + 5 * 24] = { 0 };
	struct range map[5];
	unsigned int i, n = memory_map(cfg->memory, map);

	put_le32(info, 0x336ec578);
	put_le32(info + 4, 1);
	put_le64(info + 24, BOOT_CMDLINE);
	put_le64(info + 32, rsdp);
	put_le64(info + 40, BOOT_PVH_INFO + MAP);
	put_le32(info + 48, n);
	if (cfg->initrd >= 0) {
		put_le32(info + 12, 1);
		put_le64(info + 16, BOOT_PVH_INFO + MODULES);
		put_le64(info + MODULES, initrd);
		put_le64(info + MODULES + 8, cfg->initrd_size);
	}
	for (i = 0; i < n; i++) {
		uint8_t *at = info + MAP + 24 * i;

		put_le64(at, map[i].start);
		put_le64(at + 8, map[i].len);
		put_le32(at + 16, map[i].type);
	}
	return gmem_write(mem, BOOT_PVH_INFO, info, sizeof(info));
}

/*
 * Linux resets a hardware-reduced machine through EFI and, where there is none, through the
 * firmware's entry in real mode. Ours asks for the reset and waits for it.
 */
static int write_reset_vector(const struct gmem *mem)
{
	static const uint8_t code[] = {
		0xba, PORT_RESET & 0xff, PORT_RESET >> 8,       /* mov dx, PORT_RESET */
		0xb0, RESET_VALUE,                              /* mov al, RESET_VALUE */
		0xee,                                           /* out dx, al */
		0xf4, 0xeb, 0xfd,                               /* hlt; jmp to it */
	};

	return gmem_write(mem, RESET_VECTOR, code, sizeof(code));
}

/**
 * boot_load() - put kernel, command line and initrd in guest memory
 * @mem: fresh guest RAM
 * @cfg: what to boot
 * @k: what kernel_read() found, in memory that kernel_fit() agreed to
 * @initrd: where kernel_fit() puts the initrd
 * @rsdp: where the ACPI tables begin
 * @entry: set to how the first CPU starts
 * @err, @errsize: why it is refused
 * Return: 0; -errno when a file cannot be read, or became shorter.
 */
int boot_load(const struct gmem *mem, const struct vm_config *cfg, const struct kernel *k,
	      uint64_t initrd, uint64_t rsdp, struct boot_entry *entry, char *err, size_t errsize)
{
	bool bzimage = k->kind == KERNEL_BZIMAGE;
	unsigned int i;
	int e = 0;

	for (i = 0; i < k->segments && !e; i++)
		e = read_to_guest(mem, cfg->kernel, k->segment[i].offset, k->segment[i].gpa,
				  k->segment[i].len);
	if (e) {
		snprintf(err, errsize, "%s: %s", cfg->kernel_path, errstr(e));
		return e;
	}
	if (cfg->initrd >= 0) {
		e = read_to_guest(mem, cfg->initrd, 0, initrd, cfg->initrd_size);
		if (e) {
			snprintf(err, errsize, "%s: %s", cfg->initrd_path, errstr(e));
			return e;
		}
	}
	e = gmem_write(mem, BOOT_CMDLINE, cfg->cmdline, strlen(cfg->cmdline) + 1);
	if (!e)
		e = write_reset_vector(mem);
	if (e)
		return e;
	*entry = (struct boot_entry){
		.long_mode = bzimage,
		.rip = k->entry,
		.rsi = bzimage ? BOOT_PARAMS : 0,
		.rbx = bzimage ? 0 : BOOT_PVH_INFO,
	};
	return bzimage ? write_boot_params(mem, k, cfg, initrd, rsdp) :
			 write_start_info(mem, cfg, initrd, rsdp);
}

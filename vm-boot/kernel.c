// SPDX-License-Identifier: ISC
/*
 * kernel.c - what a kernel file is, and where it wants to be in memory.
 *
 * Two kinds, told apart by their first bytes:
 *
 *  - bzImage, by the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst). The kernel
 *    unpacks itself, to an address of its own choosing (KASLR).
 *  - ELF vmlinux with a PVH note (XEN_ELFNOTE_PHYS32_ENTRY). Nothing is unpacked: faster, and always
 *    at the same address, so without KASLR.
 *
 * The file is untrusted. Both engines look at it here first, so that a file that is no kernel, or
 * does not fit, is refused in the same words before any guest exists.
 */
#include "kernel.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "util.h"

#define REFUSE(e, ...) (snprintf(err, errsize, __VA_ARGS__), (e))

enum { LOWEST = 1 << 20 };      /* below this is firmware's */

static int read_at(int fd, uint64_t off, void *buf, size_t len)
{
	ssize_t n = pread(fd, buf, len, (off_t)off);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -ENODATA;
}

/* Offsets in the setup header (boot.rst, "The Real-Mode Kernel Header"). */
enum {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_LOADFLAGS = 0x211,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	LOADED_HIGH = 1,
	XLF_KERNEL_64 = 1,
	ENTRY_64 = 0x200,
};

static int read_bzimage(struct kernel *k, uint64_t size, const char *path, char *err,
			size_t errsize)
{
	const uint8_t *h = k->header;
	uint64_t setup = ((h[HDR_SETUP_SECTS] ? h[HDR_SETUP_SECTS] : 4U) + 1) * 512ULL;

	if (get_le16(h + HDR_VERSION) < 0x20c || !(h[HDR_LOADFLAGS] & LOADED_HIGH) ||
	    !(get_le16(h + HDR_XLOADFLAGS) & XLF_KERNEL_64))
		return REFUSE(-ENOEXEC, "%s: is a Linux kernel, but not an x86-64 one that can start in "
			      "64-bit mode", path);
	/* syssize, in units of 16 bytes, is what follows the setup code. */
	if (size < setup + get_le32(h + 0x1f4) * 16ULL - 15)
		return REFUSE(-ENOEXEC, "%s: is cut short", path);
	k->kind = KERNEL_BZIMAGE;
	k->start = get_le64(h + HDR_PREF_ADDRESS);
	k->end = k->start + MAX(get_le32(h + HDR_INIT_SIZE), size - setup);
	k->entry = k->start + ENTRY_64;
	k->initrd_limit = (uint64_t)get_le32(h + HDR_INITRD_ADDR_MAX) + 1;
	k->cmdline_max = get_le32(h + HDR_CMDLINE_SIZE);
	k->segments = 1;
	k->segment[0] = (struct kernel_segment){ setup, size - setup, k->start };
	return 0;
}

/* The 32-bit entry point of a PVH note within one PT_NOTE segment; 0: none. */
static uint32_t find_pvh(const uint8_t *notes, size_t len)
{
	size_t at = 0;

	while (len - at >= 12) {
		uint32_t namesz = get_le32(notes + at), descsz = get_le32(notes + at + 4);
		uint32_t type = get_le32(notes + at + 8);
		uint64_t desc = 12 + align_up(namesz, 4), next = desc + align_up(descsz, 4);

		if (desc + descsz > len - at)
			return 0;
		if (type == 18 && namesz == 4 && !memcmp(notes + at + 12, "Xen", 4) && descsz >= 4)
			return get_le32(notes + at + desc);
		if (next > len - at)
			return 0;
		at += next;
	}
	return 0;
}

static int add_segment(struct kernel *k, const Elf64_Phdr *h, uint64_t size, const char *path,
		       char *err, size_t errsize)
{
	if (h->p_filesz > h->p_memsz || h->p_paddr + h->p_memsz < h->p_paddr ||
	    h->p_offset + h->p_filesz < h->p_offset)
		return REFUSE(-ENOEXEC, "%s: has a bad program header", path);
	if (h->p_offset + h->p_filesz > size)
		return REFUSE(-ENOEXEC, "%s: is cut short", path);
	if (k->segments == KERNEL_SEGMENTS)
		return REFUSE(-ENOEXEC, "%s: has too many segments", path);
	k->segment[k->segments++] =
		(struct kernel_segment){ h->p_offset, h->p_filesz, h->p_paddr };
	k->start = MIN(k->start, h->p_paddr);
	k->end = MAX(k->end, h->p_paddr + h->p_memsz);
	return 0;
}

static int read_elf(struct kernel *k, int fd, uint64_t size, const char *path, char *err,
		    size_t errsize)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	unsigned int i;
	int e;

	memcpy(&eh, k->header, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64)
		return REFUSE(-ENOEXEC, "%s: is an ELF file for another architecture, not x86-64", path);
	if (eh.e_phentsize != sizeof(ph) || !eh.e_phnum || eh.e_phnum > 64)
		return REFUSE(-ENOEXEC, "%s: is an ELF file, but not a kernel", path);
	k->kind = KERNEL_ELF;
	k->start = UINT64_MAX;
	k->initrd_limit = UINT32_MAX;
	k->cmdline_max = 2047;
	for (i = 0; i < eh.e_phnum; i++) {
		if (read_at(fd, eh.e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return REFUSE(-ENOEXEC, "%s: is cut short", path);
		if (ph.p_type == PT_NOTE && ph.p_filesz < 64 * KIB && !k->entry) {
			autofree uint8_t *notes = malloc(ph.p_filesz + 1);

			if (!notes || read_at(fd, ph.p_offset, notes, ph.p_filesz))
				return REFUSE(-ENOEXEC, "%s: is cut short", path);
			k->entry = find_pvh(notes, ph.p_filesz);
		} else if (ph.p_type == PT_LOAD && ph.p_memsz) {
			e = add_segment(k, &ph, size, path, err, errsize);
			if (e)
				return e;
		}
	}
	if (!k->entry)
		return REFUSE(-ENOEXEC, "%s: is an ELF file without a PVH entry (CONFIG_PVH): give a "
			      "kernel's bzImage", path);
	if (k->entry < k->start || k->entry >= k->end)
		return REFUSE(-ENOEXEC, "%s: starts outside itself", path);
	return 0;
}

/**
 * kernel_read() - find out what a kernel file is
 * @k: filled in
 * @fd: regular file, borrowed; untrusted
 * @size: of the file, bytes
 * @path: its name in messages
 * @err, @errsize: why it is refused
 * Return: 0; -ENOEXEC when it is no kernel for this machine; -errno when it cannot be read.
 */
int kernel_read(struct kernel *k, int fd, uint64_t size, const char *path, char *err,
		size_t errsize)
{
	ssize_t n;

	memset(k, 0, sizeof(*k));
	n = pread(fd, k->header, sizeof(k->header), 0);
	if (n < 0)
		return REFUSE(-errno, "%s: %s", path, errstr(errno));
	if (n == 0)
		return REFUSE(-ENOEXEC, "%s: is empty, not a kernel", path);
	if ((size_t)n >= sizeof(Elf64_Ehdr) && !memcmp(k->header, ELFMAG, SELFMAG))
		return read_elf(k, fd, size, path, err, errsize);
	if ((size_t)n == sizeof(k->header) && get_le16(k->header + HDR_BOOT_FLAG) == 0xaa55 &&
	    !memcmp(k->header + HDR_MAGIC, "HdrS", 4))
		return read_bzimage(k, size, path, err, errsize);
	return REFUSE(-ENOEXEC, "%s: is neither a bzImage nor an ELF vmlinux", path);
}

/**
 * kernel_fit() - whether kernel, initrd and command line fit in a VM's memory, and where
 * @k: from kernel_read()
 * @room: the memory, and what goes in
 * @initrd: set to the initrd's address: as high as it may be, on a page boundary
 * @err, @errsize: why it is refused
 * Return: 0; -EFBIG when memory is too small; -E2BIG for the command line; -EINVAL for a kernel that
 * wants to be where nothing can be.
 */
int kernel_fit(const struct kernel *k, const struct kernel_room *room, uint64_t *initrd, char *err,
	       size_t errsize)
{
	uint64_t low = MIN(room->memory, room->hole), top = MIN(low, k->initrd_limit) & ~4095ULL;
	unsigned long long mib = room->memory / MIB;

	if (k->start < LOWEST || k->end <= k->start)
		return REFUSE(-EINVAL, "%s: the kernel wants to be where it cannot be",
			      room->kernel_path);
	if (k->end > low)
		return REFUSE(-EFBIG, "%s: needs %llu MiB of memory to start, has %llu: give more with "
			      "-m", room->kernel_path,
			      (unsigned long long)((k->end + MIB - 1) / MIB), mib);
	if (strlen(room->cmdline) > k->cmdline_max)
		return REFUSE(-E2BIG, "kernel command line: %zu bytes are more than this kernel takes "
			      "(%u)", strlen(room->cmdline), k->cmdline_max);
	*initrd = 0;
	if (!room->initrd_size)
		return 0;
	if (room->initrd_size > top || ((top - room->initrd_size) & ~4095ULL) < k->end)
		return REFUSE(-EFBIG, "%s: %llu MiB of initrd do not fit beside the kernel in %llu MiB "
			      "of memory: give more with -m", room->initrd_path,
			      (unsigned long long)(room->initrd_size / MIB), mib);
	*initrd = (top - room->initrd_size) & ~4095ULL;
	return 0;
}

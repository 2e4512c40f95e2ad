// SPDX-License-Identifier: ISC
/* kernel_test.c - kernel files, good, cut short and malicious, made here byte by byte. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kernel.h"
#include "tap.h"
#include "util.h"

static char err[512];
static struct kernel k;

static int read_bytes(const void *p, size_t len)
{
	autoclose int fd = memfd_create("kernel", MFD_CLOEXEC);

	if (len && write(fd, p, len) != (ssize_t)len)
		return -EIO;
	*err = 0;
	return kernel_read(&k, fd, len, "k", err, sizeof(err));
}

static size_t make_bzimage(uint8_t *b)
{
	memset(b, 0, 8192);
	b[0x1f1] = 3;
	put_le32(b + 0x1f4, 4096 / 16);
	put_le16(b + 0x1fe, 0xaa55);
	b[0x201] = 0x66;
	memcpy(b + 0x202, "HdrS", 4);
	put_le16(b + 0x206, 0x20f);
	b[0x211] = 1;
	put_le32(b + 0x22c, 0x7fffffff);
	put_le16(b + 0x236, 1);
	put_le32(b + 0x238, 2047);
	put_le64(b + 0x258, 16 * MIB);
	put_le32(b + 0x260, 40 * MIB);
	return 2048 + 4096;
}

static void test_bzimage(void)
{
	uint8_t b[8192];
	size_t n = make_bzimage(b), i;
	bool refused = true;

	CHECK(read_bytes(b, n) == 0 && k.kind == KERNEL_BZIMAGE, "a bzImage");
	CHECK(k.start == 16 * MIB && k.end == 56 * MIB && k.entry == 16 * MIB + 0x200, "its place");
	CHECK(k.segments == 1 && k.segment[0].offset == 2048 && k.segment[0].len == 4096, "its payload");
	for (i = 0; i < n - 16; i += 7)
		refused &= read_bytes(b, i) == -ENOEXEC && *err;
	CHECK(refused, "cut short anywhere it is refused, in words");
	put_le16(b + 0x206, 0x20b);
	CHECK(read_bytes(b, n) == -ENOEXEC, "too old a protocol");
	make_bzimage(b);
	put_le16(b + 0x236, 0);
	CHECK(read_bytes(b, n) == -ENOEXEC, "no 64-bit entry");
	make_bzimage(b);
	put_le64(b + 0x258, UINT64_MAX - 100);
	read_bytes(b, n);
	CHECK(k.end < k.start, "an address that wraps is seen by kernel_fit()");
}

static size_t make_elf(uint8_t *b)
{
	Elf64_Ehdr *eh = (Elf64_Ehdr *)b;
	Elf64_Phdr *ph = (Elf64_Phdr *)(b + 64);
	uint8_t *note = b + 0x400;

	memset(b, 0, 8192);
	memcpy(b, ELFMAG, SELFMAG);
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_machine = EM_X86_64;
	eh->e_phoff = 64;
	eh->e_phentsize = sizeof(*ph);
	eh->e_phnum = 2;
	ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = 0x1000, .p_filesz = 0x800,
			      .p_memsz = 0x2000, .p_paddr = 16 * MIB };
	ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 0x400, .p_filesz = 20 };
	put_le32(note, 4);
	put_le32(note + 4, 4);
	put_le32(note + 8, 18);
	memcpy(note + 12, "Xen", 4);
	put_le32(note + 16, 16 * MIB + 0x10);
	return 0x1800;
}

static void test_elf(void)
{
	union {
		uint8_t b[8192];
		Elf64_Ehdr align;
	} u;
	Elf64_Phdr *ph = (Elf64_Phdr *)(u.b + 64);
	size_t n = make_elf(u.b), i;
	bool refused = true;

	CHECK(read_bytes(u.b, n) == 0 && k.kind == KERNEL_ELF, "an ELF vmlinux");
	CHECK(k.entry == 16 * MIB + 0x10 && k.start == 16 * MIB && k.end == 16 * MIB + 0x2000,
	      "its place and entry");
	for (i = 0; i < n; i += 5)
		refused &= read_bytes(u.b, i) == -ENOEXEC && *err;
	CHECK(refused, "cut short anywhere it is refused, in words");
	u.b[18] = EM_AARCH64;
	CHECK(read_bytes(u.b, n) == -ENOEXEC && strstr(err, "architecture"), "another architecture");
	make_elf(u.b);
	put_le32(u.b + 0x408, 17);
	CHECK(read_bytes(u.b, n) == -ENOEXEC && strstr(err, "PVH"), "no PVH note");
	make_elf(u.b);
	put_le32(u.b + 0x404, 0xfffffff0);
	CHECK(read_bytes(u.b, n) == -ENOEXEC, "a note longer than its segment");
	make_elf(u.b);
	put_le32(u.b + 0x410, 8 * MIB);
	CHECK(read_bytes(u.b, n) == -ENOEXEC, "an entry outside the kernel");
	make_elf(u.b);
	ph[0].p_filesz = 0x3000;
	CHECK(read_bytes(u.b, n) == -ENOEXEC, "more in the file than in memory");
	make_elf(u.b);
	ph[0].p_paddr = UINT64_MAX - 0x100;
	CHECK(read_bytes(u.b, n) == -ENOEXEC, "a segment that wraps");
	make_elf(u.b);
	ph[0].p_offset = UINT64_MAX - 0x100;
	CHECK(read_bytes(u.b, n) == -ENOEXEC, "an offset that wraps");
	make_elf(u.b);
	ph[1].p_type = 0;
	((Elf64_Ehdr *)u.b)->e_phnum = 65;
	CHECK(read_bytes(u.b, n) == -ENOEXEC, "too many program headers");
	CHECK(read_bytes("", 0) == -ENOEXEC && strstr(err, "empty"), "an empty file");
	CHECK(read_bytes("#!/bin/sh\n", 10) == -ENOEXEC, "a script");
}

static void test_fit(void)
{
	struct kernel_room room = {
		.memory = 128 * MIB, .hole = 3 * GIB, .initrd_size = 5000, .cmdline = "quiet",
		.kernel_path = "k", .initrd_path = "i",
	};
	struct kernel at = { .start = 16 * MIB, .end = 56 * MIB, .initrd_limit = UINT32_MAX,
			     .cmdline_max = 10 };
	uint64_t initrd;

	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == 0 &&
	      initrd == 128 * MIB - 8192, "the initrd goes to the top");
	at.initrd_limit = 100 * MIB;
	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == 0 &&
	      initrd == 100 * MIB - 8192, "or below the kernel's limit");
	room.initrd_size = 60 * MIB;
	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == -EFBIG, "an initrd too large");
	room.initrd_size = UINT64_MAX;
	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == -EFBIG, "or absurdly so");
	room.initrd_size = 0;
	room.memory = 50 * MIB;
	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == -EFBIG, "a kernel too large");
	room.memory = 8 * GIB;
	room.cmdline = "elevenbytes";
	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == -E2BIG, "a command line too long");
	room.cmdline = "";
	at.end = at.start;
	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == -EINVAL, "a kernel of nothing");
	at.start = 0x1000;
	at.end = 2 * MIB;
	CHECK(kernel_fit(&at, &room, &initrd, err, sizeof(err)) == -EINVAL, "a kernel over the firmware");
}

int main(void)
{
	test_bzimage();
	test_elf();
	test_fit();
	return tap_done();
}

/* SPDX-License-Identifier: ISC */
/* kernel.h - what a kernel file is, and where it wants to be in memory. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum kernel_kind { KERNEL_BZIMAGE, KERNEL_ELF, KERNEL_KINDS };

enum { KERNEL_SEGMENTS = 16, KERNEL_HEADER = 0x290 };

/* A part of the file and where in guest memory it goes. */
struct kernel_segment {
	uint64_t offset, len, gpa;
};

struct kernel {
	enum kernel_kind kind;
	uint64_t start, end;            /* guest memory it needs while it starts */
	uint64_t entry;                 /* first instruction: 64-bit for a bzImage, 32-bit for ELF */
	uint64_t initrd_limit;          /* the initrd must end at or below this */
	uint32_t cmdline_max;           /* bytes */
	unsigned int segments;
	struct kernel_segment segment[KERNEL_SEGMENTS];
	uint8_t header[KERNEL_HEADER];  /* of a bzImage: its setup header in place */
};

int kernel_read(struct kernel *k, int fd, uint64_t size, const char *path, char *err,
		size_t errsize);

/* A VM's memory as a kernel sees it, and what must go in beside the kernel. */
struct kernel_room {
	uint64_t memory, hole;          /* RAM; where it stops below 4 GiB */
	uint64_t initrd_size;           /* 0: none */
	const char *cmdline;
	const char *kernel_path, *initrd_path;
};

int kernel_fit(const struct kernel *k, const struct kernel_room *room, uint64_t *initrd, char *err,
	       size_t errsize);

#endif

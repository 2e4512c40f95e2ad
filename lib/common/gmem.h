/* SPDX-License-Identifier: ISC */
/* gmem.h - guest memory: the one door to it. */
#ifndef GMEM_H
#define GMEM_H

#include <stddef.h>
#include <stdint.h>

enum gmem_kind {
	GMEM_ANONYMOUS,
	GMEM_PRIVATE_FILE,
	GMEM_READ_ONLY_FILE,
	GMEM_VHOST_USER,
	GMEM_KINDS
};

struct gmem_region {
	uint64_t gpa;           /* guest physical address */
	uint64_t len;
	uint8_t *host;
	enum gmem_kind kind;
};

enum { GMEM_REGIONS = 8 };

struct gmem {
	uint32_t generation;    /* changes whenever a region does: host pointers older than it are void */
	unsigned int count;
	struct gmem_region region[GMEM_REGIONS];
};

int gmem_add(struct gmem *mem, const struct gmem_region *region);
void *gmem_ptr(const struct gmem *mem, uint64_t gpa, uint64_t len);
int gmem_read(const struct gmem *mem, uint64_t gpa, void *buf, size_t len);
int gmem_write(const struct gmem *mem, uint64_t gpa, const void *buf, size_t len);
int gmem_map_ram(struct gmem *mem, uint64_t size, uint64_t hole, uint64_t above);
void gmem_unmap(struct gmem *mem);

#endif

/* SPDX-License-Identifier: ISC */
/* vhost_mem.h - guest memory as a vhost-user front end shares it. */
#ifndef VHOST_MEM_H
#define VHOST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gmem.h"

struct vhost_mem {
	struct gmem gmem;
	uint64_t user[GMEM_REGIONS];    /* where the front end itself has each region */
};

int vhost_mem_map(struct vhost_mem *mem, const uint8_t *table, size_t len, const int *fd, int fds);
void vhost_mem_unmap(struct vhost_mem *mem);
bool vhost_mem_gpa(const struct vhost_mem *mem, uint64_t user, uint64_t *gpa);

#endif

// SPDX-License-Identifier: ISC
/*
 * gmem.c - guest memory: the one door to it.
 *
 * Guest memory is a short list of regions. An address and a length from the guest become a host
 * pointer here and nowhere else, and only when the whole range lies within one region. The guest
 * writes to the memory behind such a pointer while we look: copy once, check the copy, use the copy.
 */
#include "gmem.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "util.h"

/**
 * gmem_add() - add a region
 * @mem: list
 * @region: copied; its mapping stays the caller's to keep alive
 * Return: 0; -EINVAL when it is empty, wraps, or overlaps another; -ENOSPC.
 */
int gmem_add(struct gmem *mem, const struct gmem_region *region)
{
	unsigned int i;

	if (!region->len || region->gpa + region->len < region->gpa)
		return -EINVAL;
	for (i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->region[i];

		if (region->gpa < r->gpa + r->len && r->gpa < region->gpa + region->len)
			return -EINVAL;
	}
	if (mem->count == GMEM_REGIONS)
		return -ENOSPC;
	mem->region[mem->count++] = *region;
	mem->generation++;
	return 0;
}

/**
 * gmem_ptr() - the host pointer to a range of guest memory
 * @mem: list
 * @gpa: guest physical address, any value
 * @len: bytes, any value
 * Return: the pointer, good until the list's generation changes; NULL unless the range is whole
 * within one region.
 */
void *gmem_ptr(const struct gmem *mem, uint64_t gpa, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->region[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->len && len <= r->len - (gpa - r->gpa))
			return r->host + (gpa - r->gpa);
	}
	return NULL;
}

/** gmem_read() - copy out of guest memory. @mem, @gpa, @len: as gmem_ptr(). Return: 0, -EFAULT. */
int gmem_read(const struct gmem *mem, uint64_t gpa, void *buf, size_t len)
{
	const void *p = gmem_ptr(mem, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

/** gmem_write() - copy into guest memory. @mem, @gpa, @len: as gmem_ptr(). Return: 0, -EFAULT. */
int gmem_write(const struct gmem *mem, uint64_t gpa, const void *buf, size_t len)
{
	void *p = gmem_ptr(mem, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}

/* Map @len bytes of private memory at a 2 MiB boundary, so that huge pages fit. It counts as
 * committed (no MAP_NORESERVE): more than the machine has is refused here, at once. */
static void *map_aligned(uint64_t len)
{
	uint8_t *p = mmap(NULL, len + 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *at;

	if (p == MAP_FAILED)
		return NULL;
	at = (uint8_t *)align_up((uintptr_t)p, 2 * MIB);
	if (at > p)
		munmap(p, (size_t)(at - p));
	munmap(at + len, (size_t)(p + 2 * MIB - at));
	if (mprotect(at, len, PROT_READ | PROT_WRITE) < 0) {
		munmap(at, len);
		return NULL;
	}
	madvise(at, len, MADV_HUGEPAGE);        /* without it: slower, not wrong */
	return at;
}

/**
 * gmem_map_ram() - map a VM's RAM: private anonymous memory around a hole
 * @mem: empty list, filled in
 * @size: bytes of RAM, a multiple of the page size
 * @hole: where the hole begins: RAM beyond this goes above it
 * @above: where RAM goes on
 *
 * Private, so that fork(2) clones it; anonymous with huge pages, because each page of the guest's
 * first touch costs a fault, and nested ones most of all; kept out of core dumps.
 * Return: 0 or -ENOMEM.
 */
int gmem_map_ram(struct gmem *mem, uint64_t size, uint64_t hole, uint64_t above)
{
	uint64_t low = MIN(size, hole);
	uint8_t *host = map_aligned(size);
	struct gmem_region r = { 0, low, host, GMEM_ANONYMOUS };
	int err;

	if (!host)
		return -ENOMEM;
	madvise(host, size, MADV_DONTDUMP);
	err = gmem_add(mem, &r);
	if (!err && size > low) {
		r = (struct gmem_region){ above, size - low, host + low, GMEM_ANONYMOUS };
		err = gmem_add(mem, &r);
	}
	return err;
}

/** gmem_unmap() - unmap every region and empty the list. @mem: list. */
void gmem_unmap(struct gmem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->count; i++)
		munmap(mem->region[i].host, mem->region[i].len);
	mem->count = 0;
	mem->generation++;
}

// SPDX-License-Identifier: ISC
/*
 * vhost_mem.c - guest memory as a vhost-user front end shares it.
 *
 *	u32 regions | u32 padding | regions x { u64 guest address, size, user address, offset in the file }
 *
 * Each region comes with a file. It must be a memfd that is sealed against shrinking, as those of QEMU's
 * memory-backend-memfd are: a file that gets shorter under a mapping is a SIGBUS for who
 * reads there, and QEMU's guest decides what we read. Rings are named by the front end's own ("user")
 * addresses, everything in them by guest physical ones: vhost_mem_gpa() turns the former into the latter.
 */
#include "vhost_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util.h"

enum { TABLE_HEADER = 8, TABLE_REGION = 32 };

struct region {
	uint64_t gpa, len, user, offset;
};

static bool overlaps(const struct vhost_mem *mem, const struct region *r)
{
	unsigned int i;

	for (i = 0; i < mem->gmem.count; i++)
		if (r->user < mem->user[i] + mem->gmem.region[i].len && mem->user[i] < r->user + r->len)
			return true;
	return false;
}

/* Whether @fd is a file that has @r whole, and will have. */
static int check_file(int fd, const struct region *r)
{
	uint64_t end;
	struct stat st;
	int seals;

	if (fstat(fd, &st) < 0)
		return -errno;
	seals = fcntl(fd, F_GET_SEALS);
	if (!S_ISREG(st.st_mode) || seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPERM;
	if (__builtin_add_overflow(r->offset, r->len, &end) || end > (uint64_t)st.st_size)
		return -ERANGE;
	return 0;
}

static int map_region(struct vhost_mem *mem, const struct region *r, int fd)
{
	struct gmem_region at = { r->gpa, r->len, NULL, GMEM_VHOST_USER };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end;
	void *host;
	int err;

	if (!r->len || (r->gpa | r->len | r->user | r->offset) & (page - 1))
		return -EINVAL;
	if (__builtin_add_overflow(r->user, r->len, &end) || overlaps(mem, r))
		return -EINVAL;
	err = check_file(fd, r);
	if (err)
		return err;
	host = mmap(NULL, r->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)r->offset);
	if (host == MAP_FAILED)
		return -errno;
	madvise(host, r->len, MADV_DONTDUMP);
	at.host = host;
	mem->user[mem->gmem.count] = r->user;
	err = gmem_add(&mem->gmem, &at);
	if (err)
		munmap(host, r->len);
	return err;
}

/**
 * vhost_mem_map() - map a memory table
 * @mem: filled in, vhost_mem_unmap() it; empty on failure. Its generation goes on from what it is
 * @table, @len: SET_MEM_TABLE's payload, unchecked
 * @fd, @fds: what came with it, borrowed
 * Return: 0; -EMSGSIZE when the counts do not fit each other; -EINVAL for regions that overlap, wrap or
 * are not made of pages; -EPERM for a file that is not a sealed memfd; -ERANGE for one that is too
 * short; -errno.
 */
int vhost_mem_map(struct vhost_mem *mem, const uint8_t *table, size_t len, const int *fd, int fds)
{
	uint32_t i, n = len < TABLE_HEADER ? 0 : get_le32(table);
	int err = 0;

	mem->gmem.count = 0;
	if (!n || n > GMEM_REGIONS || n != (uint32_t)fds || len != TABLE_HEADER + TABLE_REGION * n)
		return -EMSGSIZE;
	for (i = 0; !err && i < n; i++) {
		const uint8_t *p = table + TABLE_HEADER + TABLE_REGION * i;
		struct region r = { get_le64(p), get_le64(p + 8), get_le64(p + 16), get_le64(p + 24) };

		err = map_region(mem, &r, fd[i]);
	}
	if (err)
		vhost_mem_unmap(mem);
	return err;
}

/** vhost_mem_unmap() - unmap every region. @mem: maybe empty; nobody holds a pointer into it. */
void vhost_mem_unmap(struct vhost_mem *mem)
{
	gmem_unmap(&mem->gmem);
}

/**
 * vhost_mem_gpa() - the guest physical address of one that the front end gave as its own
 * @mem: table
 * @user: any value
 * @gpa: filled in; how much lies behind it gmem_ptr() tells
 * Return: false when no region has it.
 */
bool vhost_mem_gpa(const struct vhost_mem *mem, uint64_t user, uint64_t *gpa)
{
	unsigned int i;

	for (i = 0; i < mem->gmem.count; i++) {
		if (user >= mem->user[i] && user - mem->user[i] < mem->gmem.region[i].len) {
			*gpa = mem->gmem.region[i].gpa + (user - mem->user[i]);
			return true;
		}
	}
	return false;
}

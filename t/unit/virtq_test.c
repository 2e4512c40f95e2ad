// SPDX-License-Identifier: ISC
/* virtq_test.c - guest memory and virtqueues, with drivers that keep the rules and drivers that don't. */
#include <errno.h>
#include <sys/mman.h>

#include "gmem.h"
#include "tap.h"
#include "util.h"
#include "virtq.h"

enum { SIZE = 8, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, DATA = 0x4000, MEM = 0x10000 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static uint8_t *ram;
static struct gmem mem;
static struct virtq vq;
static struct virtq_chain chain;

static void desc_at(uint64_t table, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags,
		    uint16_t next)
{
	uint8_t *d = ram + table + 16 * i;

	put_le64(d, addr);
	put_le32(d + 8, len);
	put_le16(d + 12, flags);
	put_le16(d + 14, next);
}

static void offer(uint16_t head)
{
	uint16_t idx = get_le16(ram + AVAIL + 2);

	put_le16(ram + AVAIL + 4 + 2 * (idx % SIZE), head);
	put_le16(ram + AVAIL + 2, (uint16_t)(idx + 1));
}

static int fresh(uint64_t features)
{
	struct virtq_layout at = { SIZE, DESC, AVAIL, USED };

	memset(ram, 0, MEM);
	return virtq_start(&vq, &mem, &at, features, 0);
}

static void test_gmem(void)
{
	struct gmem m = { 0 };
	struct gmem_region low = { 0, 0x1000, ram, GMEM_ANONYMOUS };
	struct gmem_region high = { 0x100000000, 0x2000, ram + 0x1000, GMEM_ANONYMOUS };
	struct gmem_region overlap = { 0xfff, 2, ram, GMEM_ANONYMOUS };
	struct gmem_region wraps = { UINT64_MAX - 1, 4, ram, GMEM_ANONYMOUS };

	CHECK(gmem_add(&m, &low) == 0 && gmem_add(&m, &high) == 0, "regions are added");
	CHECK(m.generation == 2, "each change is a new generation");
	CHECK(gmem_add(&m, &overlap) == -EINVAL, "an overlap is refused");
	CHECK(gmem_add(&m, &wraps) == -EINVAL, "a region that wraps is refused");
	CHECK(gmem_ptr(&m, 0, 0x1000) == ram, "a whole region");
	CHECK(!gmem_ptr(&m, 0, 0x1001), "one byte beyond");
	CHECK(!gmem_ptr(&m, 0xfff, 2), "across the end");
	CHECK(gmem_ptr(&m, 0x100001fff, 1) == ram + 0x2fff, "the last byte above 4 GiB");
	CHECK(!gmem_ptr(&m, 0x1000, 1), "in the hole");
	CHECK(!gmem_ptr(&m, UINT64_MAX, 2), "an address that wraps");
	CHECK(!gmem_ptr(&m, 8, UINT64_MAX), "a length that wraps");
}

static void test_ram(void)
{
	struct gmem m = { 0 };

	CHECK(gmem_map_ram(&m, 4 * MIB, 2 * MIB, 1ULL << 32) == 0 && m.count == 2,
	      "RAM around a hole is two regions");
	CHECK(((uintptr_t)m.region[0].host & (2 * MIB - 1)) == 0, "at a 2 MiB boundary");
	CHECK(gmem_ptr(&m, 1ULL << 32, 2 * MIB) && !gmem_ptr(&m, 2 * MIB, 1), "below and above it");
	gmem_unmap(&m);
	CHECK(m.count == 0 && !gmem_ptr(&m, 0, 1), "nothing is left");
}

static void test_layout(void)
{
	static const struct virtq_layout bad[] = {
		{ 0, DESC, AVAIL, USED },
		{ 3, DESC, AVAIL, USED },
		{ 2048, DESC, AVAIL, USED },
		{ SIZE, DESC + 8, AVAIL, USED },
		{ SIZE, DESC, AVAIL + 1, USED },
		{ SIZE, DESC, AVAIL, USED + 2 },
		{ SIZE, MEM - 16, AVAIL, USED },
		{ SIZE, DESC, MEM - 4, USED },
		{ SIZE, DESC, AVAIL, MEM - 8 },
		{ SIZE, UINT64_MAX - 15, AVAIL, USED },
	};
	struct virtq q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(virtq_start(&q, &mem, &bad[i], 0, 0) == -EINVAL, "a bad layout is refused");
}

static void test_requests(void)
{
	fresh(0);
	CHECK(virtq_pop(&vq, &chain) == 0 && virtq_empty(&vq), "an empty ring has no request");
	desc_at(DESC, 3, DATA, 10, NEXT, 5);
	desc_at(DESC, 5, DATA + 16, 20, NEXT | WRITE, 0);
	desc_at(DESC, 0, DATA + 64, 30, WRITE, 0);
	offer(3);
	CHECK(virtq_pop(&vq, &chain) == 1, "a request is taken");
	CHECK(chain.head == 3 && chain.out == 1 && chain.in == 2, "its buffers by direction");
	CHECK(chain.out_len == 10 && chain.in_len == 50, "and their bytes");
	CHECK(chain.iov[1].iov_base == ram + DATA + 16, "they lie in guest memory");
	CHECK(virtq_pop(&vq, &chain) == 0, "it is taken once");
	virtq_unpop(&vq);
	CHECK(virtq_pop(&vq, &chain) == 1 && chain.head == 3, "and again when put back");
	virtq_push(&vq, chain.head, 42);
	CHECK(get_le16(ram + USED + 2) == 1 && get_le32(ram + USED + 4) == 3 &&
	      get_le32(ram + USED + 8) == 42, "completion is written");
	CHECK(virtq_needs_call(&vq), "the driver wants an interrupt");
	put_le16(ram + AVAIL, 1);
	CHECK(!virtq_needs_call(&vq), "unless it said no");
	virtq_want_kick(&vq, false);
	CHECK(get_le16(ram + USED) == 1, "we say no");
	virtq_want_kick(&vq, true);
	CHECK(get_le16(ram + USED) == 0, "and yes");
}

static void test_wrap(void)
{
	bool good = true;
	unsigned int i;

	fresh(0);
	for (i = 0; i < 70000 && good; i++) {
		desc_at(DESC, i % SIZE, DATA, i % 100 + 1, WRITE, 0);
		offer((uint16_t)(i % SIZE));
		good = virtq_pop(&vq, &chain) == 1 && chain.in_len == i % 100 + 1;
		virtq_push(&vq, chain.head, 0);
	}
	CHECK(good, "70,000 requests: the indices wrap");
}

static void test_event_idx(void)
{
	fresh(VIRTIO_F_EVENT_IDX);
	desc_at(DESC, 0, DATA, 1, WRITE, 0);
	put_le16(ram + AVAIL + 4 + 2 * SIZE, 1);        /* used_event: after the second */
	offer(0);
	virtq_pop(&vq, &chain);
	virtq_push(&vq, 0, 0);
	virtq_needs_call(&vq);
	offer(0);
	virtq_pop(&vq, &chain);
	virtq_push(&vq, 0, 0);
	CHECK(virtq_needs_call(&vq), "event index reached: interrupt");
	offer(0);
	virtq_pop(&vq, &chain);
	virtq_push(&vq, 0, 0);
	CHECK(!virtq_needs_call(&vq), "event index passed: none");
	virtq_want_kick(&vq, true);
	CHECK(get_le16(ram + USED + 4 + 8 * SIZE) == 3, "our wish is an index, too");
}

static void test_indirect(void)
{
	fresh(VIRTIO_F_INDIRECT_DESC);
	desc_at(DESC, 0, DATA, 32, INDIRECT, 0);
	desc_at(DATA, 0, DATA + 0x100, 4, NEXT, 1);
	desc_at(DATA, 1, DATA + 0x200, 8, WRITE, 0);
	offer(0);
	CHECK(virtq_pop(&vq, &chain) == 1 && chain.out_len == 4 && chain.in_len == 8,
	      "an indirect table");
}

/* Offer descriptor 0 and see that the queue breaks, and stays so. */
static void breaks(const char *name)
{
	offer(0);
	CHECK(virtq_pop(&vq, &chain) == -EPROTO && vq.broken && vq.why, name);
	offer(1);
	if (virtq_pop(&vq, &chain) != -EPROTO || !virtq_empty(&vq) || virtq_needs_call(&vq))
		CHECK(false, "a broken queue stays broken");
}

static void test_hostile(void)
{
	fresh(0);
	desc_at(DESC, 0, DATA, 1, NEXT, 0);
	breaks("a descriptor that follows itself");
	fresh(0);
	desc_at(DESC, 0, DATA, 1, NEXT, SIZE);
	breaks("a next beyond the table");
	fresh(0);
	desc_at(DESC, 0, MEM - 4, 8, 0, 0);
	breaks("a buffer across the end of memory");
	fresh(0);
	desc_at(DESC, 0, UINT64_MAX - 4, 8, 0, 0);
	breaks("a buffer that wraps");
	fresh(0);
	desc_at(DESC, 0, DATA, 4, WRITE | NEXT, 1);
	desc_at(DESC, 1, DATA, 4, 0, 0);
	breaks("a readable buffer after a writable one");
	fresh(0);
	desc_at(DESC, 0, DATA, 16, INDIRECT, 0);
	breaks("an indirect table nobody negotiated");
	fresh(VIRTIO_F_INDIRECT_DESC);
	desc_at(DESC, 0, DATA, 15, INDIRECT, 0);
	breaks("an indirect table of odd size");
	fresh(VIRTIO_F_INDIRECT_DESC);
	desc_at(DESC, 0, DATA, 16, INDIRECT, 0);
	desc_at(DATA, 0, DATA, 16, INDIRECT, 0);
	breaks("an indirect table within another");
	fresh(VIRTIO_F_INDIRECT_DESC);
	desc_at(DESC, 0, DESC, 16, INDIRECT, 0);
	breaks("an indirect table that is the ring's own");
	fresh(VIRTIO_F_INDIRECT_DESC);
	desc_at(DESC, 0, MEM, 16, INDIRECT, 0);
	breaks("an indirect table outside memory");
	fresh(VIRTIO_F_INDIRECT_DESC);
	desc_at(DESC, 0, DATA, 16, INDIRECT | NEXT, 1);
	breaks("an indirect table that goes on");
	fresh(0);
	put_le16(ram + AVAIL + 2, SIZE);
	breaks("an available index that jumps");
	fresh(0);
	put_le16(ram + AVAIL + 4, 0xffff);
	put_le16(ram + AVAIL + 2, 1);
	CHECK(virtq_pop(&vq, &chain) == -EPROTO, "a head beyond the table");
}

static void test_long_chain(void)
{
	unsigned int i;

	fresh(VIRTIO_F_INDIRECT_DESC);
	desc_at(DESC, 0, DATA, 16 * (VIRTQ_CHAIN_MAX + 1), INDIRECT, 0);
	for (i = 0; i <= VIRTQ_CHAIN_MAX; i++)
		desc_at(DATA, i, DATA, 1, i < VIRTQ_CHAIN_MAX ? NEXT : 0, (uint16_t)(i + 1));
	breaks("a chain longer than any request");
}

int main(void)
{
	struct gmem_region r = { 0, MEM, NULL, GMEM_ANONYMOUS };

	ram = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r.host = ram;
	gmem_add(&mem, &r);
	test_gmem();
	test_ram();
	test_layout();
	test_requests();
	test_wrap();
	test_event_idx();
	test_indirect();
	test_hostile();
	test_long_chain();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* virtq_fuzz.c - a driver that writes anything into rings: input is the guest's memory and a layout. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gmem.h"
#include "virtq.h"

enum { MEM = 1 << 14 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ram[MEM] __attribute__((aligned(4096)));
	struct gmem mem = { 0 };
	struct gmem_region r = { 0, MEM, ram, GMEM_ANONYMOUS };
	struct virtq_layout at = { .size = 8, .desc = 0, .avail = 0x100, .used = 0x200 };
	struct virtq_chain chain;
	struct virtq vq;
	unsigned int i, turns;

	if (size < 8)
		return 0;
	gmem_add(&mem, &r);
	memset(ram, 0, sizeof(ram));
	memcpy(ram, data + 8, size - 8 < MEM ? size - 8 : MEM);
	if (data[0] & 1) {
		at.size = (uint16_t)(1u << (data[1] % 12));
		at.desc = (uint64_t)data[2] << 6;
		at.avail = (uint64_t)data[3] << 6;
		at.used = (uint64_t)data[4] << 6;
	}
	if (virtq_start(&vq, &mem, &at, (uint64_t)data[5] << 24, data[6]))
		return 0;
	for (turns = 0; turns < 64 && virtq_pop(&vq, &chain) == 1; turns++) {
		for (i = 0; i < (unsigned int)chain.out + chain.in; i++) {
			uint8_t *p = chain.iov[i].iov_base;

			/* Every byte of it must be guest memory. */
			if (p < ram || chain.iov[i].iov_len > (size_t)(ram + MEM - p))
				abort();
			if (i >= chain.out && chain.iov[i].iov_len)
				p[0] ^= data[7];
		}
		virtq_push(&vq, chain.head, 1);
		virtq_needs_call(&vq);
		virtq_want_kick(&vq, turns & 1);
	}
	return 0;
}

// SPDX-License-Identifier: ISC
/* sum.c - the checksum of the Internet (RFC 1071). */
#include "sum.h"

#include <string.h>

#include "pkt.h"

/** sum_bytes() - add bytes to a sum. @sum: 0, or of an even number of bytes. @data, @len. Return: the sum, not folded. */
uint64_t sum_bytes(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t word;
	uint16_t half;

	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, p, 2);
		sum += half;
		p += 2;
	}
	if (len & 1) {
		half = 0;
		memcpy(&half, p, 1);
		sum += half;
	}
	return sum;
}

/** sum_fold() - what is stored, in memory's order: copy it with memcpy(). @sum. Return: 0 for bytes that are right. */
uint16_t sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/** sum_pseudo() - the pseudo header's (RFC 793 §3.1, RFC 8200 §8.1). @src, @dst, @proto. @len: bytes of l4. */
uint64_t sum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, size_t len)
{
	size_t skip = addr_is_v4(src) ? 12 : 0;
	uint8_t tail[8] = { [7] = proto };
	uint64_t sum;

	put_be32(tail, (uint32_t)len);
	sum = sum_bytes(0, src->b + skip, 16 - skip);
	sum = sum_bytes(sum, dst->b + skip, 16 - skip);
	return sum_bytes(sum, tail, sizeof(tail));
}

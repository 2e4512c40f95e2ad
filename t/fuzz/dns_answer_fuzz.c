// SPDX-License-Identifier: ISC
/*
 * dns_answer_fuzz.c - no answer of a server makes us misbehave, and what is told of it keeps its promises: it can be read
 * again as what it was, and nothing is told for longer than it is valid.
 *
 * Input: a byte for type and limit, and the message behind the question.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "dnsanswer.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dnsanswer first, second;

static void check(const struct dns_question *q, const uint8_t *out, size_t n, size_t limit)
{
	unsigned int i, told = 0;

	assert(n <= limit && dnsmsg_answers(q, q->id, out, n));
	for (i = 0; i < first.count; i++)
		told += first.record[i].told;
	if (dns_get16(out + 2) & 0x200)
		return;
	assert(dnsanswer_read(&second, q, out, n) == 0);
	assert(second.rcode == first.rcode && second.links == first.links && second.count == told && !second.dropped);
	assert(second.valid <= MAX(first.valid, (uint32_t)DNSANSWER_TTL_MAX));
	for (i = 0; i < second.count; i++)
		assert(second.record[i].ttl <= first.valid);
	for (i = 0; i < second.links; i++)
		assert(second.link[i].ttl <= first.valid && dnsname_equal(second.link[i].target, first.link[i].target));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_CNAME, DNS_MX, DNS_SOA, DNS_HTTPS, DNS_TXT, DNS_SRV };
	static uint8_t msg[DNS_LARGEST], out[DNS_LARGEST];
	struct dns_question q = { .id = 0x4142, .class = DNS_IN, .asked = true, .name = "\1a\1b", .udp = 512 };
	size_t n = DNS_HEADER + 5 + 4, limit;
	unsigned int i;

	if (size < 7 || size > sizeof(msg) - n)
		return 0;
	q.type = types[data[0] & 7];
	q.edns = data[0] & 8;
	limit = data[0] & 16 ? DNS_LARGEST : DNS_UDP_LEAST;
	/* Flags and counts are the input's, id and question are ours. */
	dnsmsg_ask(&q, q.id, false, msg);
	msg[2] = 0x80 | (data[1] & 3);
	msg[3] = data[2];
	msg[7] = data[3];
	msg[9] = data[4];
	msg[11] = data[5];
	memcpy(msg + n, data + 6, size - 6);
	n += size - 6;
	assert(dnsmsg_answers(&q, q.id, msg, n));
	if (dnsanswer_read(&first, &q, msg, n) || first.truncated || (first.rcode && first.rcode != DNS_NXDOMAIN))
		return 0;
	for (i = 0; i < first.count; i++)
		first.record[i].drop = first.record[i].addr.b[15] == 7;
	check(&q, out, dnsanswer_write(&first, out, limit), limit);
	return 0;
}

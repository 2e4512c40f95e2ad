// SPDX-License-Identifier: ISC
/* dns_query_fuzz.c - no query of a guest makes us misbehave; what is asked upstream is the question, and a reply fits. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "dnshosts.h"
#include "dnsmsg.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(const struct dns_question *q, const uint8_t *reply, size_t n, size_t limit)
{
	assert(n >= DNS_HEADER && n <= limit && dns_get16(reply) == q->id && reply[2] & 0x80);
	assert(!q->asked || q->opcode || dnsmsg_answers(q, q->id, reply, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct addr a = { { [10] = 0xff, 0xff, 10, 0, 0, 1 } };
	static struct dnshosts *hosts;
	static uint8_t out[DNS_LARGEST];
	char text[DNSNAME_TEXT];
	struct dns_question q, again;
	struct dns_out o;
	size_t n;
	int e;

	if (!hosts) {
		hosts = dnshosts_new();
		dnshosts_add(hosts, "db", &a);
	}
	e = dnsmsg_read(&q, data, size);
	if (e < 0)
		return 0;
	dnsmsg_begin(&o, &q, out, DNS_UDP_LEAST);
	n = dnsmsg_end(&o, (enum dns_rcode)e);
	check_reply(&q, out, n, DNS_UDP_LEAST);
	if (e)
		return 0;
	assert(strlen(dnsname_text(q.name, text)) < DNSNAME_TEXT);
	n = dnsmsg_ask(&q, 1, true, out);
	assert(n <= DNS_ASK && dnsmsg_read(&again, out, n) == 0 && again.type == q.type && again.edns &&
	       !memcmp(again.name, q.name, sizeof(q.name)));
	n = dnshosts_answer(hosts, &q, out, DNS_UDP_LEAST);
	if (n)
		check_reply(&q, out, n, DNS_UDP_LEAST);
	return 0;
}

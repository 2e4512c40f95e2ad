/* SPDX-License-Identifier: ISC */
/* dnsanswer.h - a server's answer: judged, and told to the client as a new message. */
#ifndef DNSANSWER_H
#define DNSANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "dnsmsg.h"

enum {
	DNSANSWER_LINKS = 16,           /* of a chain of aliases */
	DNSANSWER_RECORDS = 256,        /* read of one answer; what more there is is left out */
	DNSANSWER_VALID = 300,          /* seconds that an address is good for at least, whatever its TTL */
	DNSANSWER_TTL_MAX = 86400,
};

struct dnsanswer_record {
	uint32_t ttl;
	uint16_t type;
	uint16_t len;
	size_t owner, at;               /* places in the message: owner and data */
	struct addr addr;               /* of A and AAAA */
	bool drop;                      /* set by the caller: not to be told */
	bool told;                      /* it is in the reply that was written */
};

struct dnsanswer {
	const struct dns_question *q;
	const uint8_t *msg;
	size_t len;
	unsigned int rcode;
	bool truncated;
	unsigned int links;             /* aliases that were followed from the question's name */
	struct {
		uint8_t target[DNSNAME_MAX];
		uint32_t ttl;
	} link[DNSANSWER_LINKS];
	unsigned int count;             /* of records that answer the question, at the end of the chain */
	struct dnsanswer_record record[DNSANSWER_RECORDS];
	struct dnsanswer_record soa;    /* of a negative answer; type 0: none */
	uint32_t valid;                 /* seconds that the addresses are good for */
	unsigned int dropped;           /* records that are not told: out of the chain, of no use, or malformed */
	uint8_t scratch[DNS_LARGEST + 2 * DNSNAME_MAX];
};

bool dnsanswer_passes(uint16_t type);
int dnsanswer_read(struct dnsanswer *a, const struct dns_question *q, const uint8_t *msg, size_t len);
const uint8_t *dnsanswer_name(const struct dnsanswer *a, unsigned int i);
size_t dnsanswer_write(struct dnsanswer *a, uint8_t *out, size_t limit);

#endif

/* SPDX-License-Identifier: ISC */
/* dnsmsg.h - DNS messages: read a query, write a query, write a reply. */
#ifndef DNSMSG_H
#define DNSMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsname.h"

enum {
	DNS_HEADER = 12,
	DNS_OPT = 11,                   /* an OPT record without options */
	DNS_UDP_LEAST = 512,            /* what any client takes (RFC 1035 §4.2.1) */
	DNS_UDP_ASKED = 1232,           /* what we say we take: never fragmented */
	DNS_LARGEST = 65535,
	DNS_ASK = DNS_HEADER + DNSNAME_MAX + 4 + DNS_OPT,       /* the largest query that we send */
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

enum { DNS_IN = 1 };                    /* class */

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT_TYPE = 41,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_ANY = 255,
	DNS_CAA = 257,
};

/* What a client asked, and how it wants to be told. */
struct dns_question {
	uint16_t id, type, class;
	uint8_t opcode;
	bool asked;                     /* the question itself could be read; else only id and opcode count */
	bool recurse;
	bool edns;
	uint16_t udp;                   /* bytes of the largest datagram that the client takes */
	uint8_t name[DNSNAME_MAX];
};

/* A reply that is being written. */
struct dns_out {
	const struct dns_question *q;
	uint8_t *data;
	size_t len, limit;
	bool truncated;
	uint16_t answers, authorities;
};

/* A record to be written. Its owner is @owner, or, when that is NULL, the name at @owner_at in the reply. */
struct dns_put {
	const uint8_t *owner;
	size_t owner_at;
	uint16_t type;
	uint32_t ttl;
	const uint8_t *data;
	size_t len;
};

int dnsmsg_read(struct dns_question *q, const uint8_t *msg, size_t len);
size_t dnsmsg_ask(const struct dns_question *q, uint16_t id, bool edns, uint8_t out[DNS_ASK]);
bool dnsmsg_answers(const struct dns_question *q, uint16_t id, const uint8_t *msg, size_t len);

void dnsmsg_begin(struct dns_out *o, const struct dns_question *q, uint8_t *data, size_t limit);
size_t dnsmsg_put(struct dns_out *o, const struct dns_put *r);
void dnsmsg_put_authority(struct dns_out *o, const struct dns_put *r);
size_t dnsmsg_end(struct dns_out *o, enum dns_rcode rcode);

/* Fields are big-endian and at any alignment. */
static inline uint16_t dns_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t dns_get32(const uint8_t *p)
{
	return (uint32_t)dns_get16(p) << 16 | dns_get16(p + 2);
}

static inline void dns_set16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void dns_set32(uint8_t *p, uint32_t v)
{
	dns_set16(p, v >> 16);
	dns_set16(p + 2, v & 0xffff);
}

#endif

/* SPDX-License-Identifier: ISC */
/* dns_build.h - DNS messages for tests, right and wrong ones, byte by byte. */
#ifndef DNS_BUILD_H
#define DNS_BUILD_H

#include <stdlib.h>
#include <string.h>

#include "dnsmsg.h"

struct build {
	size_t n;
	uint8_t b[66000];
};

enum { QR = 0x8000, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080 };

static inline void b8(struct build *m, unsigned int v)
{
	m->b[m->n++] = (uint8_t)v;
}

static inline void b16(struct build *m, unsigned int v)
{
	b8(m, v >> 8);
	b8(m, v & 0xff);
}

static inline void b32(struct build *m, uint32_t v)
{
	b16(m, v >> 16);
	b16(m, v & 0xffff);
}

/* "www.example.com"; "" is the root; "@12" is a pointer, and "www.@12" ends in one. */
static inline void bname(struct build *m, const char *text)
{
	while (*text && *text != '@') {
		size_t len = strcspn(text, ".");

		b8(m, (unsigned int)len);
		memcpy(m->b + m->n, text, len);
		m->n += len;
		text += len + (text[len] == '.');
	}
	if (*text)
		b16(m, 0xc000 | (unsigned int)strtoul(text + 1, NULL, 10));
	else
		b8(m, 0);
}

static inline void bheader(struct build *m, unsigned int id, unsigned int flags, const char *name, unsigned int type)
{
	m->n = 0;
	b16(m, id);
	b16(m, flags);
	b16(m, 1);
	b16(m, 0);
	b32(m, 0);
	bname(m, name);
	b16(m, type);
	b16(m, 1);
}

/* Count one more record: @section 1 answers, 2 authority, 3 additional. */
static inline void bcount(struct build *m, int section)
{
	uint8_t *p = m->b + 4 + 2 * section;

	dns_set16(p, dns_get16(p) + 1U);
}

static inline void brr(struct build *m, int section, const char *owner, unsigned int type, uint32_t ttl,
		       const void *data, size_t len)
{
	bcount(m, section);
	bname(m, owner);
	b16(m, type);
	b16(m, 1);
	b32(m, ttl);
	b16(m, (unsigned int)len);
	if (len)
		memcpy(m->b + m->n, data, len);
	m->n += len;
}

/* A record whose data is a name. */
static inline void brn(struct build *m, int section, const char *owner, unsigned int type, uint32_t ttl, const char *name)
{
	size_t at;

	brr(m, section, owner, type, ttl, "", 0);
	at = m->n;
	bname(m, name);
	dns_set16(m->b + at - 2, (unsigned int)(m->n - at));
}

static inline void ba(struct build *m, const char *owner, uint32_t ttl, const char v4[4])
{
	brr(m, 1, owner, DNS_A, ttl, v4, 4);
}

static inline void bopt(struct build *m, unsigned int udp, unsigned int version)
{
	bcount(m, 3);
	b8(m, 0);
	b16(m, DNS_OPT_TYPE);
	b16(m, udp);
	b32(m, version << 16);
	b16(m, 0);
}

#endif

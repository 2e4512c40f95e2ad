/* SPDX-License-Identifier: ISC */
/* addr.h - addresses of both families in one form: 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). */
#ifndef ADDR_H
#define ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDR_TEXT = 46 };                /* bytes that hold any address's text */

struct addr {
	uint8_t b[16];
};

/* An address and how many of its leading bits count: 0 to 128; an IPv4 prefix of N bits has 96 + N. */
struct addr_range {
	struct addr addr;
	unsigned int bits;
};

struct addr addr_v4(const uint8_t b[4]);
bool addr_is_v4(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_in(const struct addr *a, const struct addr_range *r);
int addr_parse(const char *text, struct addr *a);
int addr_parse_range(const char *text, struct addr_range *r);
const char *addr_format(const struct addr *a, char text[ADDR_TEXT]);

#endif

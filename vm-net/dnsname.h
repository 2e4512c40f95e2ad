/* SPDX-License-Identifier: ISC */
/* dnsname.h - domain names: as they travel, uncompressed, and as text. */
#ifndef DNSNAME_H
#define DNSNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr;

enum {
	DNSNAME_MAX = 255,              /* bytes of a name on the wire (RFC 1035 §2.3.4) */
	DNSNAME_TEXT = 1024,            /* bytes that hold any name's text */
};

int dnsname_read(const uint8_t *msg, size_t len, size_t *at, uint8_t name[DNSNAME_MAX]);
size_t dnsname_length(const uint8_t *name);
bool dnsname_equal(const uint8_t *a, const uint8_t *b);
const char *dnsname_text(const uint8_t *name, char text[DNSNAME_TEXT]);
int dnsname_parse(const char *text, uint8_t name[DNSNAME_MAX]);
bool dnsname_reverse(const uint8_t *name, struct addr *a);

#endif

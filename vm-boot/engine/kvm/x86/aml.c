// SPDX-License-Identifier: ISC
/*
 * aml.c - ACPI machine language, as much as our DSDT needs (ACPI 6.4 §20.2).
 *
 * Terms are appended to a buffer. What has a length before its content is opened, filled and
 * closed; closing writes the length in as few bytes as it takes, as a compiler would.
 */
#include "aml.h"

#include <assert.h>
#include <ctype.h>

#include "util.h"

/** aml_bytes() - append raw bytes. @a: buffer, large enough by construction. */
void aml_bytes(struct aml *a, const void *p, size_t n)
{
	assert(n <= a->size - a->len);
	memcpy(a->buf + a->len, p, n);
	a->len += n;
}

/** aml_byte() - append one byte. @a: buffer. @v: the byte. */
void aml_byte(struct aml *a, uint8_t v)
{
	aml_bytes(a, &v, 1);
}

static void word(struct aml *a, uint16_t v)
{
	uint8_t b[2];

	put_le16(b, v);
	aml_bytes(a, b, 2);
}

static void dword(struct aml *a, uint32_t v)
{
	uint8_t b[4];

	put_le32(b, v);
	aml_bytes(a, b, 4);
}

/** aml_name() - append a NameString of one segment. @name: 1-4 letters, a leading \ for the root. */
void aml_name(struct aml *a, const char *name)
{
	int i;

	if (*name == '\\')
		aml_byte(a, (uint8_t)*name++);
	for (i = 0; i < 4; i++)
		aml_byte(a, *name ? (uint8_t)*name++ : '_');
}

/** aml_integer() - append an integer, as short as it goes. @a: buffer. @v: value. */
void aml_integer(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		aml_byte(a, (uint8_t)v);        /* ZeroOp, OneOp */
	} else if (v <= 0xff) {
		aml_byte(a, 0x0a);
		aml_byte(a, (uint8_t)v);
	} else if (v <= 0xffff) {
		aml_byte(a, 0x0b);
		word(a, (uint16_t)v);
	} else if (v <= 0xffffffff) {
		aml_byte(a, 0x0c);
		dword(a, (uint32_t)v);
	} else {
		aml_byte(a, 0x0e);
		dword(a, (uint32_t)v);
		dword(a, (uint32_t)(v >> 32));
	}
}

/** aml_string() - append a string. @a: buffer. @s: ASCII. */
void aml_string(struct aml *a, const char *s)
{
	aml_byte(a, 0x0d);
	aml_bytes(a, s, strlen(s) + 1);
}

/** aml_eisa_id() - append a compressed EISA id. @id: three capitals and four hex digits. */
void aml_eisa_id(struct aml *a, const char *id)
{
	uint32_t v = (uint32_t)(id[0] - '@') << 26 | (uint32_t)(id[1] - '@') << 21 |
		     (uint32_t)(id[2] - '@') << 16 | (uint32_t)strtoul(id + 3, NULL, 16);

	aml_byte(a, 0x0c);
	dword(a, __builtin_bswap32(v));
}

static void open_length(struct aml *a)
{
	assert(a->depth < (int)ARRAY_SIZE(a->open));
	a->open[a->depth++] = a->len;
}

/** aml_close() - end what was opened last. @a: buffer. */
void aml_close(struct aml *a)
{
	size_t at = a->open[--a->depth];
	size_t body = a->len - at;
	size_t bytes = body + 1 < 64 ? 1 : 2, total = body + bytes;
	uint8_t len[2];

	/* §20.2.4 PkgLength: counts itself. */
	assert(total < 4096 && bytes <= a->size - a->len);
	if (bytes == 1) {
		len[0] = (uint8_t)total;
	} else {
		len[0] = (uint8_t)(0x40 | (total & 0xf));
		len[1] = (uint8_t)(total >> 4);
	}
	memmove(a->buf + at + bytes, a->buf + at, body);
	memcpy(a->buf + at, len, bytes);
	a->len += bytes;
}

/** aml_open_scope() - Scope (name) {. @a: buffer. */
void aml_open_scope(struct aml *a, const char *name)
{
	aml_byte(a, 0x10);
	open_length(a);
	aml_name(a, name);
}

/** aml_open_device() - Device (name) {. @a: buffer. */
void aml_open_device(struct aml *a, const char *name)
{
	aml_bytes(a, "\x5b\x82", 2);
	open_length(a);
	aml_name(a, name);
}

/** aml_open_method() - Method (name, args, Serialized) {. @a: buffer. */
void aml_open_method(struct aml *a, const char *name, unsigned int args)
{
	aml_byte(a, 0x14);
	open_length(a);
	aml_name(a, name);
	aml_byte(a, (uint8_t)(args | 0x08));
}

/** aml_open_if_arg0_equals() - If (Arg0 == v) {. @a: buffer. */
void aml_open_if_arg0_equals(struct aml *a, uint64_t v)
{
	aml_byte(a, 0xa0);
	open_length(a);
	aml_bytes(a, "\x93\x68", 2);
	aml_integer(a, v);
}

/** aml_open_package() - Package (elements) {. @a: buffer. */
void aml_open_package(struct aml *a, uint8_t elements)
{
	aml_byte(a, 0x12);
	open_length(a);
	aml_byte(a, elements);
}

/** aml_named() - Name (name, what is appended next). @a: buffer. */
void aml_named(struct aml *a, const char *name)
{
	aml_byte(a, 0x08);
	aml_name(a, name);
}

/** aml_named_integer() - Name (name, v). @a: buffer. */
void aml_named_integer(struct aml *a, const char *name, uint64_t v)
{
	aml_named(a, name);
	aml_integer(a, v);
}

/** aml_notify() - Notify (name, v). @a: buffer. */
void aml_notify(struct aml *a, const char *name, uint64_t v)
{
	aml_byte(a, 0x86);
	aml_name(a, name);
	aml_integer(a, v);
}

/*
 * A resource template is a Buffer whose size is an integer term within: a byte constant always, so
 * that it can be filled in afterwards without moving anything twice. Ours are all smaller than 256.
 */

/** aml_open_resources() - Name (_CRS, ResourceTemplate () {. @a: buffer. */
void aml_open_resources(struct aml *a)
{
	aml_named(a, "_CRS");
	aml_byte(a, 0x11);
	open_length(a);
	aml_bytes(a, "\x0a\0", 2);
}

/** aml_close_resources() - the end tag, and }). @a: buffer. */
void aml_close_resources(struct aml *a)
{
	size_t at = a->open[a->depth - 1], size;

	aml_bytes(a, "\x79\0", 2);              /* checksum 0: not to be checked, §6.4.2.9 */
	size = a->len - at - 2;
	assert(size < 256);
	a->buf[at + 1] = (uint8_t)size;
	aml_close(a);
}

/** aml_res_io() - fixed I/O ports, decoding 16 bits (§6.4.2.5). @a: buffer. */
void aml_res_io(struct aml *a, uint16_t port, uint8_t len)
{
	aml_bytes(a, "\x47\x01", 2);
	word(a, port);
	word(a, port);
	aml_byte(a, 1);
	aml_byte(a, len);
}

/** aml_res_irq() - an edge-triggered interrupt of our own (§6.4.3.6). @a: buffer. @gsi: input. */
void aml_res_irq(struct aml *a, uint32_t gsi)
{
	/* consumer, edge, active high, exclusive; one interrupt */
	aml_bytes(a, "\x89\x06\x00\x03\x01", 5);
	dword(a, gsi);
}

/** aml_res_mem32() - fixed memory (§6.4.3.4). @a: buffer. */
void aml_res_mem32(struct aml *a, uint32_t base, uint32_t len)
{
	aml_bytes(a, "\x86\x09\x00\x01", 4);
	dword(a, base);
	dword(a, len);
}

/** aml_res_bus_range() - PCI buses behind a root (§6.4.3.5.3). @a: buffer. */
void aml_res_bus_range(struct aml *a, uint16_t first, uint16_t last)
{
	/* bus numbers, producer, fixed min and max, positive decode */
	aml_bytes(a, "\x88\x0d\x00\x02\x0c\x00", 6);
	word(a, 0);
	word(a, first);
	word(a, last);
	word(a, 0);
	word(a, (uint16_t)(last - first + 1));
}

/** aml_res_mem_window() - memory that a PCI root hands out (§6.4.3.5.2). @a: buffer. */
void aml_res_mem_window(struct aml *a, uint32_t base, uint32_t len)
{
	/* memory, producer, fixed min and max, positive decode; not cacheable, read and write */
	aml_bytes(a, "\x87\x17\x00\x00\x0c\x01", 6);
	dword(a, 0);
	dword(a, base);
	dword(a, base + len - 1);
	dword(a, 0);
	dword(a, len);
}

/* SPDX-License-Identifier: ISC */
/* wire.h - records on a byte stream: what tools and vm-agent tell each other. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WIRE_HEADER = 8,                /* of a record: le32 length of its body, le16 type, le16 0 */
	WIRE_FIELD_HEADER = 8,          /* of a field: le32 length, le16 kind, le16 0 */
	WIRE_SMALL = 4096,              /* largest body of any record but an `exec` request or a config */
	WIRE_LARGE = 2 << 20,           /* ... of those */
};

/* A record being written. */
struct wire_out {
	uint8_t *data;                  /* the caller frees it */
	size_t len, size;
	bool failed;                    /* out of memory, or too long */
};

void wire_begin(struct wire_out *w, unsigned int type);
void wire_put(struct wire_out *w, unsigned int kind, const void *data, size_t len);
void wire_put_text(struct wire_out *w, unsigned int kind, const char *text);
void wire_put_u32(struct wire_out *w, unsigned int kind, uint32_t value);
void wire_put_u64(struct wire_out *w, unsigned int kind, uint64_t value);
int wire_end(struct wire_out *w);
void wire_drop(struct wire_out *w);

/* Bytes that arrived and the record at their head. */
struct wire_in {
	uint8_t *data;
	size_t len, size, max;          /* max: largest body that is taken */
	size_t record;                  /* bytes of the record at the head, 0: not looked at */
};

/* A record, pointing into its wire_in until wire_take() or wire_in_free(). */
struct wire_record {
	unsigned int type;
	const uint8_t *body;
	size_t len;
};

struct wire_field {
	unsigned int kind;
	const uint8_t *data;            /* followed by whatever comes next, not by a NUL */
	size_t len;
};

void wire_in_init(struct wire_in *w, size_t max);
void wire_in_free(struct wire_in *w);
void *wire_room(struct wire_in *w, size_t *len);
void wire_got(struct wire_in *w, size_t len);
int wire_next(struct wire_in *w, struct wire_record *r);
void wire_take(struct wire_in *w);

bool wire_field(const struct wire_record *r, size_t *at, struct wire_field *f);
bool wire_valid(const struct wire_record *r);
bool wire_get_u32(const struct wire_record *r, unsigned int kind, uint32_t *value);
bool wire_get_u64(const struct wire_record *r, unsigned int kind, uint64_t *value);
bool wire_get_text(const struct wire_record *r, unsigned int kind, char *text, size_t size);
bool wire_get_bytes(const struct wire_record *r, unsigned int kind, void *bytes, size_t len);

#endif

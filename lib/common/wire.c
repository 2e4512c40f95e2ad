// SPDX-License-Identifier: ISC
/*
 * wire.c - records on a byte stream: what tools and vm-agent tell each other (vm-agent(7)).
 *
 *	record	le32 length of the body, le16 type, le16 0, body
 *	body	fields: le32 length, le16 kind, le16 0, bytes
 *
 * Both ends take the other for hostile: a length beyond what the receiver allows ends the
 * connection before anything is allocated for it, memory grows with the bytes that came and not
 * with those that were announced, and a body whose fields do not add up is no record. Types and
 * kinds are listed in proto.h; a kind that the receiver does not know is skipped.
 */
#include "wire.h"

#include <errno.h>

#include "util.h"

enum { FIRST_ROOM = 512 };

/* -- writing -- */

static uint8_t *extend(struct wire_out *w, size_t len)
{
	size_t size = MAX(w->size, (size_t)64);
	uint8_t *more;

	if (w->failed || len > WIRE_LARGE + WIRE_HEADER - w->len) {
		w->failed = true;
		return NULL;
	}
	while (size < w->len + len)
		size *= 2;
	if (size != w->size) {
		more = realloc(w->data, size);
		if (!more) {
			w->failed = true;
			return NULL;
		}
		w->data = more;
		w->size = size;
	}
	w->len += len;
	return w->data + w->len - len;
}

/** wire_begin() - begin a record. @w: filled in; wire_drop() it. @type: of the record. */
void wire_begin(struct wire_out *w, unsigned int type)
{
	uint8_t *p;

	*w = (struct wire_out){ 0 };
	p = extend(w, WIRE_HEADER);
	if (!p)
		return;
	put_le32(p, 0);
	put_le16(p + 4, (uint16_t)type);
	put_le16(p + 6, 0);
}

/** wire_put() - add a field. @w: begun. @kind. @data, @len: copied; any bytes, also none. */
void wire_put(struct wire_out *w, unsigned int kind, const void *data, size_t len)
{
	uint8_t *p = len <= WIRE_LARGE ? extend(w, WIRE_FIELD_HEADER + len) : NULL;

	if (!p) {
		w->failed = true;
		return;
	}
	put_le32(p, (uint32_t)len);
	put_le16(p + 4, (uint16_t)kind);
	put_le16(p + 6, 0);
	if (len)
		memcpy(p + WIRE_FIELD_HEADER, data, len);
}

/** wire_put_text() - add a field of text, without its NUL. @w, @kind, @text. */
void wire_put_text(struct wire_out *w, unsigned int kind, const char *text)
{
	wire_put(w, kind, text, strlen(text));
}

/** wire_put_u32() - add a field of a number. @w, @kind, @value. */
void wire_put_u32(struct wire_out *w, unsigned int kind, uint32_t value)
{
	uint8_t b[4];

	put_le32(b, value);
	wire_put(w, kind, b, sizeof(b));
}

/** wire_put_u64() - add a field of a large number. @w, @kind, @value. */
void wire_put_u64(struct wire_out *w, unsigned int kind, uint64_t value)
{
	uint8_t b[8];

	put_le64(b, value);
	wire_put(w, kind, b, sizeof(b));
}

/**
 * wire_end() - finish a record: data[0..len) can be sent
 * @w: begun
 * Return: 0; -EMSGSIZE when it is too long or memory is short.
 */
int wire_end(struct wire_out *w)
{
	if (w->failed)
		return -EMSGSIZE;
	put_le32(w->data, (uint32_t)(w->len - WIRE_HEADER));
	return 0;
}

/** wire_drop() - free a record. @w: as wire_begin() left it, or dropped before. */
void wire_drop(struct wire_out *w)
{
	free(w->data);
	*w = (struct wire_out){ 0 };
}

/* -- reading -- */

/** wire_in_init() - nothing has come yet. @w: filled in. @max: bytes of the largest body taken. */
void wire_in_init(struct wire_in *w, size_t max)
{
	*w = (struct wire_in){ .max = max };
}

/** wire_in_free() - free what came. @w: initialized; as new afterwards. */
void wire_in_free(struct wire_in *w)
{
	free(w->data);
	wire_in_init(w, w->max);
}

/**
 * wire_room() - where the next bytes go
 * @w: initialized; wire_next() has said that it needs more
 * @len: set to how many bytes may be written there
 * Return: the place; NULL when out of memory.
 */
void *wire_room(struct wire_in *w, size_t *len)
{
	if (w->len == w->size) {
		size_t size = MIN(MAX(2 * w->size, (size_t)FIRST_ROOM), w->max + WIRE_HEADER);
		uint8_t *more = size > w->size ? realloc(w->data, size) : NULL;

		if (!more)
			return NULL;
		w->data = more;
		w->size = size;
	}
	*len = w->size - w->len;
	return w->data + w->len;
}

/** wire_got() - bytes were written at wire_room(). @w. @len: how many. */
void wire_got(struct wire_in *w, size_t len)
{
	w->len += len;
}

/**
 * wire_valid() - whether a body is fields and nothing else
 * @r: record; wire_next() returns none that is not
 * Return: so.
 */
bool wire_valid(const struct wire_record *r)
{
	size_t at = 0;

	while (at < r->len) {
		size_t left = r->len - at;

		if (left < WIRE_FIELD_HEADER || get_le16(r->body + at + 6) ||
		    get_le32(r->body + at) > left - WIRE_FIELD_HEADER)
			return false;
		at += WIRE_FIELD_HEADER + get_le32(r->body + at);
	}
	return true;
}

/**
 * wire_next() - look at the record at the head
 * @w: initialized
 * @r: filled in; call wire_take() when done with it
 * Return: 1; 0 when more bytes are needed; -EMSGSIZE when it is longer than max; -EBADMSG when it
 * is malformed. After an error the stream means nothing any more.
 */
int wire_next(struct wire_in *w, struct wire_record *r)
{
	size_t len;

	w->record = 0;
	if (w->len < WIRE_HEADER)
		return 0;
	len = get_le32(w->data);
	if (len > w->max)
		return -EMSGSIZE;
	if (get_le16(w->data + 6))
		return -EBADMSG;
	if (w->len - WIRE_HEADER < len)
		return 0;
	*r = (struct wire_record){ get_le16(w->data + 4), w->data + WIRE_HEADER, len };
	if (!wire_valid(r))
		return -EBADMSG;
	w->record = WIRE_HEADER + len;
	return 1;
}

/** wire_take() - be done with the record at the head. @w: wire_next() returned 1. */
void wire_take(struct wire_in *w)
{
	w->len -= w->record;
	memmove(w->data, w->data + w->record, w->len);
	w->record = 0;
}

/**
 * wire_field() - walk a record's fields
 * @r: valid record
 * @at: 0 at first; moved on
 * @f: filled in
 * Return: false at the end.
 */
bool wire_field(const struct wire_record *r, size_t *at, struct wire_field *f)
{
	const uint8_t *p = r->body + *at;

	if (*at >= r->len)
		return false;
	*f = (struct wire_field){ get_le16(p + 4), p + WIRE_FIELD_HEADER, get_le32(p) };
	*at += WIRE_FIELD_HEADER + f->len;
	return true;
}

/* The first field of @kind. */
static bool find(const struct wire_record *r, unsigned int kind, struct wire_field *f)
{
	size_t at = 0;

	while (wire_field(r, &at, f))
		if (f->kind == kind)
			return true;
	return false;
}

/** wire_get_bytes() - a field of @len bytes. Return: whether there is one of just that length. */
bool wire_get_bytes(const struct wire_record *r, unsigned int kind, void *bytes, size_t len)
{
	struct wire_field f;

	if (!find(r, kind, &f) || f.len != len)
		return false;
	memcpy(bytes, f.data, len);
	return true;
}

/** wire_get_u32() - a number. @r, @kind. @value: set when it is there. Return: whether it is. */
bool wire_get_u32(const struct wire_record *r, unsigned int kind, uint32_t *value)
{
	uint8_t b[4];

	if (!wire_get_bytes(r, kind, b, sizeof(b)))
		return false;
	*value = get_le32(b);
	return true;
}

/** wire_get_u64() - a large number. @r, @kind. @value: set when it is there. Return: so. */
bool wire_get_u64(const struct wire_record *r, unsigned int kind, uint64_t *value)
{
	uint8_t b[8];

	if (!wire_get_bytes(r, kind, b, sizeof(b)))
		return false;
	*value = get_le64(b);
	return true;
}

/**
 * wire_get_text() - a field as a string
 * @text, @size: set to it; without a NUL within
 * Return: false when it is not there, does not fit, or holds a NUL.
 */
bool wire_get_text(const struct wire_record *r, unsigned int kind, char *text, size_t size)
{
	struct wire_field f;

	if (!find(r, kind, &f) || f.len >= size || memchr(f.data, 0, f.len))
		return false;
	memcpy(text, f.data, f.len);
	text[f.len] = 0;
	return true;
}

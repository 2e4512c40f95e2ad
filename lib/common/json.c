// SPDX-License-Identifier: ISC
/*
 * json.c - read one value out of a JSON text from a stranger; write strings into one of ours.
 *
 * The reader (RFC 8259) is strict, allocates nothing and remembers nothing: each look-up walks the
 * whole text once, checks all of it, and copies out the value that was asked for. A text that is
 * wrong anywhere has no values. It is meant for lines of a few kilobytes with few look-ups each.
 *
 * Strings must be UTF-8, as must what their escapes make; U+0000 is refused, because values are
 * handed out as C strings.
 */
#include "json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const char *p, *end;
	unsigned int depth;
	int found;              /* the type of the value asked for, 0: not met yet */
	bool too_long;          /* it did not fit */
	char *buf;
	size_t size;
};

/* Where the text of a string goes; without @buf it is only checked. */
struct sink {
	char *buf;
	size_t size, len;
};

static int read_value(struct reader *r, const char *path);

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static void put(struct sink *s, const char *bytes, size_t n)
{
	/* What does not fit is counted all the same: the caller compares. */
	if (s->buf && s->len < s->size && n < s->size - s->len)
		memcpy(s->buf + s->len, bytes, n);
	s->len += n;
}

/* The length of the UTF-8 sequence at @p, 0 if it is none (RFC 3629 §4). */
static size_t utf8_len(const char *p, const char *end)
{
	const uint8_t *b = (const uint8_t *)p;
	size_t left = (size_t)(end - p), n, i;
	uint8_t low = 0x80, high = 0xbf;

	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	n = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (b[0] == 0xe0)
		low = 0xa0;             /* shorter forms exist */
	else if (b[0] == 0xed)
		high = 0x9f;            /* surrogates */
	else if (b[0] == 0xf0)
		low = 0x90;
	else if (b[0] == 0xf4)
		high = 0x8f;            /* beyond U+10FFFF */
	if (left < n || b[1] < low || b[1] > high)
		return 0;
	for (i = 2; i < n; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void put_code_point(struct sink *s, uint32_t c)
{
	char b[4];

	if (c < 0x80) {
		b[0] = (char)c;
		put(s, b, 1);
	} else if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		b[1] = (char)(0x80 | (c & 0x3f));
		put(s, b, 2);
	} else if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 0x3f));
		b[2] = (char)(0x80 | (c & 0x3f));
		put(s, b, 3);
	} else {
		b[0] = (char)(0xf0 | c >> 18);
		b[1] = (char)(0x80 | (c >> 12 & 0x3f));
		b[2] = (char)(0x80 | (c >> 6 & 0x3f));
		b[3] = (char)(0x80 | (c & 0x3f));
		put(s, b, 4);
	}
}

static bool read_hex4(struct reader *r, uint32_t *out)
{
	int i;

	*out = 0;
	for (i = 0; i < 4; i++) {
		char c;

		if (r->p == r->end)
			return false;
		c = *r->p++;
		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*out = *out << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	return true;
}

/* After `\u`: a code point, or two halves of one. */
static bool read_code_point(struct reader *r, struct sink *s)
{
	uint32_t c, low;

	if (!read_hex4(r, &c) || !c || (c >= 0xdc00 && c <= 0xdfff))
		return false;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!take(r, '\\') || !take(r, 'u') || !read_hex4(r, &low) || low < 0xdc00 ||
		    low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
	}
	put_code_point(s, c);
	return true;
}

static bool read_escape(struct reader *r, struct sink *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (r->p == r->end || !*r->p)
		return false;
	if (take(r, 'u'))
		return read_code_point(r, s);
	at = strchr(from, *r->p);
	if (!at)
		return false;
	r->p++;
	put(s, &to[at - from], 1);
	return true;
}

static bool read_string(struct reader *r, struct sink *s)
{
	if (!take(r, '"'))
		return false;
	while (r->p < r->end) {
		size_t n;

		if (take(r, '"'))
			return true;
		if (take(r, '\\')) {
			if (!read_escape(r, s))
				return false;
			continue;
		}
		n = (uint8_t)*r->p < 0x20 ? 0 : utf8_len(r->p, r->end);
		if (!n)
			return false;
		put(s, r->p, n);
		r->p += n;
	}
	return false;
}

static size_t skip_digits(struct reader *r)
{
	const char *from = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return (size_t)(r->p - from);
}

static bool read_number(struct reader *r)
{
	take(r, '-');
	if (!take(r, '0') && !skip_digits(r))
		return false;
	if (take(r, '.') && !skip_digits(r))
		return false;
	if (take(r, 'e') || take(r, 'E')) {
		if (!take(r, '-'))
			take(r, '+');
		return skip_digits(r);
	}
	return true;
}

static bool read_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n))
		return false;
	r->p += n;
	return true;
}

/* What is left of @path below the key that a member has; NULL if it leads elsewhere. */
static const char *below(const char *path, const struct sink *key)
{
	if (!path || key->len >= key->size || strncmp(path, key->buf, key->len))
		return NULL;
	if (path[key->len] == '.')
		return path + key->len + 1;
	return path[key->len] ? NULL : path + key->len;
}

static int read_object(struct reader *r, const char *path)
{
	skip_space(r);
	if (take(r, '}'))
		return JSON_OBJECT;
	do {
		char name[64];
		struct sink key = { name, sizeof(name), 0 };

		skip_space(r);
		if (!read_string(r, &key))
			return -EBADMSG;
		skip_space(r);
		/* Of members of one name the first counts. */
		if (!take(r, ':') || read_value(r, r->found ? NULL : below(path, &key)) < 0)
			return -EBADMSG;
		skip_space(r);
	} while (take(r, ','));
	return take(r, '}') ? JSON_OBJECT : -EBADMSG;
}

static int read_array(struct reader *r)
{
	skip_space(r);
	if (take(r, ']'))
		return JSON_ARRAY;
	do {
		if (read_value(r, NULL) < 0)
			return -EBADMSG;
		skip_space(r);
	} while (take(r, ','));
	return take(r, ']') ? JSON_ARRAY : -EBADMSG;
}

static int read_any(struct reader *r, const char *path, struct sink *s)
{
	const char *from = r->p;
	int type = -EBADMSG;

	if (r->p == r->end)
		return -EBADMSG;
	switch (*r->p) {
	case '{':
	case '[':
		if (r->depth == JSON_DEPTH)
			return -EBADMSG;
		r->depth++;
		type = take(r, '{') ? read_object(r, path) : (r->p++, read_array(r));
		r->depth--;
		return type;
	case '"':
		return read_string(r, s) ? JSON_STRING : -EBADMSG;
	case 'n':
		return read_word(r, "null") ? JSON_NULL : -EBADMSG;
	case 'f':
		return read_word(r, "false") ? JSON_FALSE : -EBADMSG;
	case 't':
		return read_word(r, "true") ? JSON_TRUE : -EBADMSG;
	}
	if (!read_number(r))
		return -EBADMSG;
	put(s, from, (size_t)(r->p - from));
	return JSON_NUMBER;
}

/* @path: what of this value is wanted: "" itself, NULL nothing. Return its type or -EBADMSG. */
static int read_value(struct reader *r, const char *path)
{
	bool wanted = path && !*path;
	struct sink s = { wanted ? r->buf : NULL, r->size, 0 };
	int type;

	skip_space(r);
	type = read_any(r, wanted ? NULL : path, &s);
	if (type < 0 || !wanted)
		return type;
	r->found = type;
	r->too_long = s.len >= s.size;
	if (!r->too_long)
		s.buf[s.len] = 0;
	return type;
}

/**
 * json_get() - look a value up
 * @text, @len: a whole JSON text, not trusted; white space may follow it
 * @path: names of members, outermost first, joined by dots: "data.reason"; a name that has a dot
 *	in it or more than 63 bytes cannot be looked up. "" is the text's own value
 * @buf, @size: set to the value: a string's text, a number as it was written; "" for other types
 *
 * Of members with one name the first counts. Return: the value's enum json_type; -ENOENT when there
 * is no such value; -EMSGSIZE when it does not fit, with its terminating NUL, into @size; -EBADMSG
 * when the text is not JSON, is not UTF-8, or is deeper than JSON_DEPTH.
 */
int json_get(const char *text, size_t len, const char *path, char *buf, size_t size)
{
	struct reader r = { .p = text, .end = text + len, .buf = buf, .size = size };

	if (read_value(&r, path) < 0)
		return -EBADMSG;
	skip_space(&r);
	if (r.p != r.end)
		return -EBADMSG;
	if (!r.found)
		return -ENOENT;
	return r.too_long ? -EMSGSIZE : r.found;
}

/**
 * json_quote() - write a string, quotes and escapes included
 * @buf, @size: where to; a NUL follows the closing quote
 * @s, @len: any bytes; what is not UTF-8 becomes U+FFFD, a byte at a time
 * Return: bytes written without the NUL, or -EMSGSIZE with @buf of no use.
 */
ssize_t json_quote(char *buf, size_t size, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	struct sink out = { buf, size, 0 };
	const char *end = s + len;

	put(&out, "\"", 1);
	while (s < end) {
		size_t n = utf8_len(s, end);
		const char *at = n == 1 && *s ? strchr(from, *s) : NULL;

		if (!n) {
			put(&out, "\xef\xbf\xbd", 3);
			n = 1;
		} else if (at) {
			const char esc[2] = { '\\', to[at - from] };

			put(&out, esc, 2);
		} else if ((uint8_t)*s < 0x20 || *s == 0x7f) {
			const char esc[6] = { '\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15] };

			put(&out, esc, 6);
		} else {
			put(&out, s, n);
		}
		s += n;
	}
	put(&out, "\"", 1);
	if (out.len >= size)
		return -EMSGSIZE;
	buf[out.len] = 0;
	return (ssize_t)out.len;
}

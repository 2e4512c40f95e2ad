// SPDX-License-Identifier: ISC
/*
 * dnsname.c - domain names: read out of a message, compared, and turned into text and back.
 *
 * A name is kept as RFC 1035 §3.1 has it: labels, each with its length before it, and the root's 0. What is read is
 * uncompressed at once. A pointer must lead to before the place where the piece that holds it began, so every
 * jump goes back and no chain of them loops; and JUMPS of them are enough for anybody, for many names are read.
 *
 * As text a name is lower-case, without the last dot, and its labels cannot be confused: a dot or a backslash within one
 * has a backslash before it, and what does not print is \DDD (RFC 4343 §2.1). The root is ".".
 */
#include "dnsname.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"

enum { LABEL_MAX = 63, POINTER = 0xc0, JUMPS = 64 };

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

/**
 * dnsname_read() - read a name out of a message
 * @msg, @len: the message, hostile
 * @at: where it begins; moved behind it
 * @name: set to it, uncompressed, in the case it has
 * Return: 0; -EBADMSG, then @at and @name mean nothing.
 */
int dnsname_read(const uint8_t *msg, size_t len, size_t *at, uint8_t name[DNSNAME_MAX])
{
	size_t p = *at, began = p, n = 0;
	unsigned int jumps = 0;

	while (p < len) {
		uint8_t c = msg[p];

		if ((c & POINTER) == POINTER) {
			size_t to;

			if (p + 1 >= len)
				return -EBADMSG;
			to = (size_t)(c & ~POINTER) << 8 | msg[p + 1];
			if (to >= began || jumps == JUMPS)
				return -EBADMSG;
			if (!jumps++)
				*at = p + 2;
			p = began = to;
			continue;
		}
		if (c > LABEL_MAX || p + 1 + c > len || n + 1 + c > DNSNAME_MAX)
			return -EBADMSG;
		memcpy(name + n, msg + p, 1 + (size_t)c);
		n += 1 + (size_t)c;
		p += 1 + (size_t)c;
		if (!c) {
			if (!jumps)
				*at = p;
			return 0;
		}
	}
	return -EBADMSG;
}

/** dnsname_length() - bytes of a name, its root included. @name. Return: 1 to DNSNAME_MAX. */
size_t dnsname_length(const uint8_t *name)
{
	size_t n = 0;

	while (name[n])
		n += 1 + (size_t)name[n];
	return n + 1;
}

/** dnsname_equal() - whether two names are one; case does not count. @a, @b. Return: so. */
bool dnsname_equal(const uint8_t *a, const uint8_t *b)
{
	size_t n = dnsname_length(a), i;

	if (n != dnsname_length(b))
		return false;
	/* A length byte is no letter: lower() leaves it alone. */
	for (i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

static size_t put_byte(char *to, uint8_t c)
{
	if (c <= ' ' || c > '~')
		return (size_t)sprintf(to, "\\%03u", c);
	if (c == '.' || c == '\\') {
		to[0] = '\\';
		to[1] = (char)c;
		return 2;
	}
	to[0] = (char)lower(c);
	return 1;
}

/** dnsname_text() - a name as text. @name. @text: filled in. Return: @text. */
const char *dnsname_text(const uint8_t *name, char text[DNSNAME_TEXT])
{
	size_t n = 0, i;

	/* At most 254 bytes beside the root, each four characters at most. */
	_Static_assert(4 * (DNSNAME_MAX - 1) < DNSNAME_TEXT, "room for any name");
	for (; *name; name += 1 + *name) {
		if (n)
			text[n++] = '.';
		for (i = 1; i <= *name; i++)
			n += put_byte(text + n, name[i]);
	}
	if (!n)
		text[n++] = '.';
	text[n] = '\0';
	return text;
}

/**
 * dnsname_parse() - a name that a user wrote
 * @text: labels of letters, digits, `-` and `_`; a dot at the end does not matter
 * @name: filled in, lower-case
 * Return: 0; -EINVAL.
 */
int dnsname_parse(const char *text, uint8_t name[DNSNAME_MAX])
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t n = 0, i;

	do {
		size_t len = strspn(text, valid);

		if (!len || len > LABEL_MAX || n + 1 + len + 1 > DNSNAME_MAX || (text[len] && text[len] != '.'))
			return -EINVAL;
		name[n++] = (uint8_t)len;
		for (i = 0; i < len; i++)
			name[n++] = lower((uint8_t)text[i]);
		text += len + (text[len] == '.');
	} while (*text);
	name[n] = 0;
	return 0;
}

/* One label of a reverse name, if it is a number below @limit in the shortest form. Return: it, or -1. */
static int number(const uint8_t *label, int base, int limit)
{
	static const char digits[] = "0123456789abcdef";
	int value = 0, i;

	if (!*label || *label > 3 || (*label > 1 && label[1] == '0'))
		return -1;
	for (i = 1; i <= *label; i++) {
		const char *d = memchr(digits, lower(label[i]), (size_t)base);

		if (!d)
			return -1;
		value = value * base + (int)(d - digits);
	}
	return value < limit ? value : -1;
}

/**
 * dnsname_reverse() - the address that a name of in-addr.arpa or ip6.arpa is for (RFC 1035 §3.5, RFC 3596 §2.5)
 * @name: any
 * @a: set to it, to anything when there is none
 * Return: whether there is.
 */
bool dnsname_reverse(const uint8_t *name, struct addr *a)
{
	static const uint8_t v4[] = "\7in-addr\4arpa", v6[] = "\3ip6\4arpa";
	const uint8_t *at = name;
	uint8_t b[4];
	int i, v;

	for (i = 3; i >= 0 && (v = number(at, 10, 256)) >= 0; i--, at += 1 + *at)
		b[i] = (uint8_t)v;
	if (i < 0 && dnsname_equal(at, v4)) {
		*a = addr_v4(b);
		return true;
	}
	*a = (struct addr){ { 0 } };
	for (i = 31, at = name; i >= 0 && *at == 1 && (v = number(at, 16, 16)) >= 0; i--, at += 2)
		a->b[i / 2] |= (uint8_t)(i % 2 ? v : v << 4);
	return i < 0 && dnsname_equal(at, v6);
}

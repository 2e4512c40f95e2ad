// SPDX-License-Identifier: ISC
/* text.c - the notations for bytes on the command line. */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/**
 * text_escape() - the byte that an escape stands for
 * @p: behind a backslash; moved behind the escape, if it is one of n r t e xHH and the backslash
 * Return: 0-255, or -1 and @p as it was.
 */
int text_escape(const char **p)
{
	static const char names[] = "nrte\\", bytes[] = "\n\r\t\033\\";
	const char *s = *p, *at = *s ? strchr(names, *s) : NULL;

	if (at) {
		(*p)++;
		return (unsigned char)bytes[at - names];
	}
	if (*s != 'x' || hex_digit(s[1]) < 0 || hex_digit(s[2]) < 0)
		return -1;
	*p += 3;
	return hex_digit(s[1]) << 4 | hex_digit(s[2]);
}

/**
 * text_unescape() - the bytes of a --send argument
 * @s: text with escapes
 * @out: as large as @s with its NUL; may be @s itself
 * @len: set to the number of bytes, which may include NULs
 * Return: 0 or -EINVAL for an escape that does not exist.
 */
int text_unescape(const char *s, char *out, size_t *len)
{
	size_t n = 0;

	while (*s) {
		int c = (unsigned char)*s++;

		if (c == '\\')
			c = text_escape(&s);
		if (c < 0)
			return -EINVAL;
		out[n++] = (char)c;
	}
	*len = n;
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * hello_name.c - a server's name, as a client writes it: in the one form in which rules have it, or not at all.
 *
 * What a server could read in another way than we do is no name: bytes that names do not have, a port that is no
 * number, and addresses, which no rule that checks names is about (RFC 6066 §3 bans them from SNI).
 */
#include "hello_name.h"

#include <string.h>

#include "addr.h"

enum { PORT_DIGITS = 5 };

/** hello_text_add() - one byte more. @t: zero at first. @c: any. */
void hello_text_add(struct hello_text *t, unsigned char c)
{
	if (t->len < HELLO_TEXT)
		t->text[t->len] = (char)c;
	t->len++;
}

/* Cut ":PORT" off. Return: whether that is what it is, or there is none; a port may be empty (RFC 3986 §3.2.3). */
static bool cut_port(struct hello_text *t)
{
	const char *colon = memchr(t->text, ':', t->len);
	size_t digits = 0, at;

	if (!colon)
		return true;
	at = (size_t)(colon - t->text);
	for (digits = 0; at + 1 + digits < t->len; digits++)
		if (colon[1 + digits] < '0' || colon[1 + digits] > '9')
			return false;
	t->len = at;
	return digits <= PORT_DIGITS;
}

/**
 * hello_text_name() - the name that was written
 * @t: its length is cut when there is a port
 * @port: whether one may follow, which is left off
 * @name: set to it, as names_canonical() has it
 * Return: whether it is one.
 */
bool hello_text_name(struct hello_text *t, bool port, char name[NAMES_TEXT])
{
	char text[HELLO_TEXT + 1];
	struct addr a;

	if (t->len > HELLO_TEXT || (port && !cut_port(t)) || memchr(t->text, '\0', t->len))
		return false;
	memcpy(text, t->text, t->len);
	text[t->len] = '\0';
	return !names_canonical(text, name) && addr_parse(name, &a);
}

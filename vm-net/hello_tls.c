// SPDX-License-Identifier: ISC
/*
 * hello_tls.c - the name in a TLS ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2, RFC 6066 §3).
 *
 *	record:	22, 3, x, length, bytes of the message ... any number of them (RFC 8446 §5.1)
 *
 *	message: TYPE LENGTH VERSION RANDOM SESSION SUITES METHODS [ EXTS_LEN { EXT_TYPE EXT_LEN EXT } ]
 *					                  of type 0: LIST_LEN NAME_TYPE NAME_LEN NAME
 *
 * A message is a chain of fields: one is read, bounded by what is left of the message, and says which is next. Lengths
 * that contradict each other, a second list of names or a second name make it no ClientHello, and so does anything but
 * the message's end at the end of its last record: nobody may send a second message there yet.
 * With an encrypted hello (ECH), this is the outer one.
 */
#include "hello_tls.h"

#include "pkt.h"

enum { CLIENT_HELLO = 1, RECORD_MOST = 16384, EXT_NAMES = 0, NAME_HOST = 0, SESSION_MOST = 32, RANDOM = 32 };

enum field {
	F_TYPE, F_LENGTH, F_VERSION, F_RANDOM, F_SESSION_LEN, F_SESSION, F_SUITES_LEN, F_SUITES,
	F_METHODS_LEN, F_METHODS, F_EXTS_LEN, F_EXT_TYPE, F_EXT_LEN, F_EXT,
	F_LIST_LEN, F_NAME_TYPE, F_NAME_LEN, F_NAME, F_END
};

/* Go on with a field. Return: whether the message has so much left. */
static bool next(struct hello_tls *t, enum field field, uint32_t size)
{
	if (field > F_LENGTH) {
		if (size > t->body)
			return false;
		t->body -= size;
	}
	t->field = field;
	t->left = size;
	t->value = 0;
	return true;
}

static bool next_ext(struct hello_tls *t)
{
	return t->body ? next(t, F_EXT_TYPE, 2) : next(t, F_END, 0);
}

/* An extension begins. */
static bool enter_ext(struct hello_tls *t, uint32_t size)
{
	if (t->type != EXT_NAMES)
		return next(t, F_EXT, size);
	if (t->named)
		return false;
	t->named = true;
	t->ext = size;
	return size <= t->body && next(t, F_LIST_LEN, 2);
}

/* A field has ended. Return: whether it makes sense, and the next one does. */
static bool field_done(struct hello_tls *t)
{
	uint32_t v = t->value;

	switch ((enum field)t->field) {
	case F_TYPE:
		return v == CLIENT_HELLO && next(t, F_LENGTH, 3);
	case F_LENGTH:
		t->body = v;
		return next(t, F_VERSION, 2);
	case F_VERSION:
		return v >> 8 == 3 && next(t, F_RANDOM, RANDOM);
	case F_RANDOM:
		return next(t, F_SESSION_LEN, 1);
	case F_SESSION_LEN:
		return v <= SESSION_MOST && next(t, F_SESSION, v);
	case F_SESSION:
		return next(t, F_SUITES_LEN, 2);
	case F_SUITES_LEN:
		return v && !(v % 2) && next(t, F_SUITES, v);
	case F_SUITES:
		return next(t, F_METHODS_LEN, 1);
	case F_METHODS_LEN:
		return v && next(t, F_METHODS, v);
	case F_METHODS:
		return t->body ? next(t, F_EXTS_LEN, 2) : next(t, F_END, 0);
	case F_EXTS_LEN:
		return v == t->body && next_ext(t);
	case F_EXT_TYPE:
		t->type = v;
		return next(t, F_EXT_LEN, 2);
	case F_EXT_LEN:
		return enter_ext(t, v);
	case F_LIST_LEN:
		return v + 2 == t->ext && next(t, F_NAME_TYPE, 1);
	case F_NAME_TYPE:
		return v == NAME_HOST && next(t, F_NAME_LEN, 2);
	case F_NAME_LEN:
		return v && v + 5 == t->ext && next(t, F_NAME, v);
	case F_EXT:
	case F_NAME:
		return next_ext(t);
	case F_END:
		break;
	}
	return false;
}

/* A byte of the message. Return: whether it makes sense. */
static bool message_byte(struct hello_tls *t, uint8_t c)
{
	if (!t->began) {
		t->began = true;
		next(t, F_TYPE, 1);
	}
	if (t->field == F_END)
		return false;
	if (t->field == F_NAME)
		hello_text_add(&t->text, c);
	t->value = t->value << 8 | c;
	t->left--;
	while (!t->left && t->field != F_END)
		if (!field_done(t))
			return false;
	return true;
}

/* A byte of a record's header. Return: whether it makes sense. */
static bool head_byte(struct hello_tls *t, uint8_t c)
{
	t->head[t->head_len++] = c;
	if (t->head_len == 1)
		return c == HELLO_TLS_FIRST;
	if (t->head_len == 2)
		return c == 3;
	if (t->head_len < HELLO_TLS_HEAD)
		return true;
	t->head_len = 0;
	t->record = get_be16(t->head + 3);
	return t->record && t->record <= RECORD_MOST;
}

/**
 * hello_tls_byte() - the next byte of a connection that began with HELLO_TLS_FIRST
 * @t: not to be used again after another return than HELLO_MORE
 * @c: byte
 * @name: set with HELLO_TLS
 * Return: HELLO_MORE; HELLO_TLS, HELLO_NAMELESS: a ClientHello ended here; HELLO_NEITHER.
 */
enum hello_result hello_tls_byte(struct hello_tls *t, uint8_t c, char name[NAMES_TEXT])
{
	if (!t->record)
		return head_byte(t, c) ? HELLO_MORE : HELLO_NEITHER;
	t->record--;
	if (!message_byte(t, c))
		return HELLO_NEITHER;
	if (t->field != F_END)
		return HELLO_MORE;
	if (t->record)
		return HELLO_NEITHER;
	if (!t->named)
		return HELLO_NAMELESS;
	return hello_text_name(&t->text, false, name) ? HELLO_TLS : HELLO_NEITHER;
}

// SPDX-License-Identifier: ISC
/*
 * hello_http.c - the name in a request of HTTP/1 (RFC 9112 §3, RFC 9110 §7.2).
 *
 *	METHOD " " TARGET " " VERSION CRLF { FIELD ":" VALUE CRLF } CRLF
 *
 *	TARGET:	/...				ORIGIN
 *		*				STAR
 *		http://AUTHORITY[/?...]		SCHEME, AUTHORITY, ORIGIN
 *
 * There must be one Host, and where the target has a name, it must be the same: servers differ in which they believe.
 * So are lines that end in a bare LF, a blank before a colon and continued lines understood by some and not by
 * others: none of it is HTTP here. CONNECT has a target of another form, HTTP/2 a version: they are not either.
 */
#include "hello_http.h"

#include <string.h>

enum state {
	S_METHOD, S_TARGET, S_ORIGIN, S_STAR, S_SCHEME, S_AUTHORITY, S_VERSION, S_LINE_END, S_FIELD_START, S_FIELD,
	S_VALUE_START, S_VALUE, S_VALUE_END, S_END, S_DONE, S_BAD
};

static bool is_alpha(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* RFC 9110 §5.6.2. */
static bool is_token(uint8_t c)
{
	return is_alpha(c) || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_visible(uint8_t c)
{
	return c > ' ' && c != 0x7f;
}

/* What goes on with @c being one of a kind, or ends by it. */
static enum state while_in(bool in, enum state here, uint8_t c, uint8_t end, enum state then)
{
	if (c == end)
		return then;
	return in ? here : S_BAD;
}

/* -- the first line -- */

static enum state method(struct hello_http *h, uint8_t c)
{
	return h->at++ ? while_in(is_token(c), S_METHOD, c, ' ', S_TARGET) : is_token(c) ? S_METHOD : S_BAD;
}

static enum state target(struct hello_http *h, uint8_t c)
{
	h->at = 1;
	if (c == '/')
		return S_ORIGIN;
	if (c == '*')
		return S_STAR;
	return (c | 0x20) == 'h' ? S_SCHEME : S_BAD;
}

static enum state scheme(struct hello_http *h, uint8_t c)
{
	const char *want = h->tls ? "https://" : "http://";

	if (h->at == 4 && !h->tls && (c | 0x20) == 's') {
		h->tls = true;
		want = "https://";
	}
	if (want[h->at] != (is_alpha(c) ? c | 0x20 : c))
		return S_BAD;
	return want[++h->at] ? S_SCHEME : S_AUTHORITY;
}

static enum state authority(struct hello_http *h, uint8_t c)
{
	if (c != '/' && c != '?' && c != '#' && c != ' ') {
		hello_text_add(&h->text, c);
		return is_visible(c) ? S_AUTHORITY : S_BAD;
	}
	h->absolute = true;
	if (!hello_text_name(&h->text, true, h->target))
		return S_BAD;
	h->at = 0;
	return c == ' ' ? S_VERSION : S_ORIGIN;
}

static enum state version(struct hello_http *h, uint8_t c)
{
	static const char want[] = "HTTP/1.";

	size_t at = h->at++;

	if (at < sizeof(want) - 1)
		return c == (uint8_t)want[at] ? S_VERSION : S_BAD;
	if (at == sizeof(want) - 1)
		return c == '0' || c == '1' ? S_VERSION : S_BAD;
	return c == '\r' ? S_LINE_END : S_BAD;
}

/* -- fields -- */

static enum state field_start(struct hello_http *h, uint8_t c)
{
	if (c == '\r')
		return S_END;
	h->is_host = (c | 0x20) == 'h';
	h->at = 1;
	return is_token(c) ? S_FIELD : S_BAD;
}

static enum state field(struct hello_http *h, uint8_t c)
{
	static const char host[] = "host";

	if (c != ':') {
		h->is_host = h->is_host && h->at < sizeof(host) - 1 && (c | 0x20) == host[h->at];
		h->at++;
		return is_token(c) ? S_FIELD : S_BAD;
	}
	h->is_host = h->is_host && h->at == sizeof(host) - 1;
	if (h->is_host && h->host)
		return S_BAD;
	h->host |= h->is_host;
	h->text.len = 0;
	return S_VALUE_START;
}

static enum state value(struct hello_http *h, uint8_t c)
{
	struct hello_text *t = &h->text;

	if (h->state == S_VALUE_START && (c == ' ' || c == '\t'))
		return S_VALUE_START;
	if (c != '\r') {
		if (h->is_host)
			hello_text_add(t, c);
		return is_visible(c) || c == ' ' || c == '\t' ? S_VALUE : S_BAD;
	}
	if (!h->is_host)
		return S_VALUE_END;
	while (t->len && t->len <= HELLO_TEXT && (t->text[t->len - 1] == ' ' || t->text[t->len - 1] == '\t'))
		t->len--;
	return hello_text_name(t, true, h->name) ? S_VALUE_END : S_BAD;
}

static enum state step(struct hello_http *h, uint8_t c)
{
	switch ((enum state)h->state) {
	case S_METHOD:
		return method(h, c);
	case S_TARGET:
		return target(h, c);
	case S_ORIGIN:
		h->at = 0;
		return while_in(is_visible(c), S_ORIGIN, c, ' ', S_VERSION);
	case S_STAR:
		h->at = 0;
		return c == ' ' ? S_VERSION : S_BAD;
	case S_SCHEME:
		return scheme(h, c);
	case S_AUTHORITY:
		return authority(h, c);
	case S_VERSION:
		return version(h, c);
	case S_LINE_END:
	case S_VALUE_END:
		return c == '\n' ? S_FIELD_START : S_BAD;
	case S_FIELD_START:
		return field_start(h, c);
	case S_FIELD:
		return field(h, c);
	case S_VALUE_START:
	case S_VALUE:
		return value(h, c);
	case S_END:
		return c == '\n' ? S_DONE : S_BAD;
	case S_DONE:
	case S_BAD:
		break;
	}
	return S_BAD;
}

/**
 * hello_http_byte() - the next byte of a connection that did not begin with TLS
 * @h: not to be used again after another return than HELLO_MORE
 * @c: byte
 * @name: set with HELLO_HTTP
 * Return: HELLO_MORE; HELLO_HTTP, HELLO_NAMELESS: the head of a request ended here; HELLO_NEITHER.
 */
enum hello_result hello_http_byte(struct hello_http *h, uint8_t c, char name[NAMES_TEXT])
{
	h->state = step(h, c);
	if (h->state == S_BAD)
		return HELLO_NEITHER;
	if (h->state != S_DONE)
		return HELLO_MORE;
	if (!h->host)
		return HELLO_NAMELESS;
	if (h->absolute && strcmp(h->target, h->name) != 0)
		return HELLO_NEITHER;
	strcpy(name, h->name);
	return HELLO_HTTP;
}

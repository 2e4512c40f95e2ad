// SPDX-License-Identifier: ISC
/*
 * hello.c - what the first bytes of a connection say about which server their client wants.
 *
 *	UNKNOWN --0x16--> TLS  --ClientHello read to its end-------> HELLO_TLS, HELLO_NAMELESS
 *	UNKNOWN --else--> HTTP --fields read to the empty line-----> HELLO_HTTP, HELLO_NAMELESS
 *	any     --a byte that cannot be there----------------------> HELLO_NEITHER
 *
 * Every byte is looked at once, when it comes, and none is kept but those of names: how a client cuts its bytes
 * makes no difference. A hello is read to its end, so that a second name cannot hide behind the first, and strictly:
 * what servers may read in several ways is neither. How much may come is up to the caller.
 */
#include "hello.h"

#include <string.h>

/** hello_init() - nothing was said yet. @h: filled in. */
void hello_init(struct hello *h)
{
	memset(h, 0, sizeof(*h));
}

static enum hello_result feed_byte(struct hello *h, uint8_t c)
{
	if (h->kind == HELLO_UNKNOWN)
		h->kind = c == HELLO_TLS_FIRST ? HELLO_IS_TLS : HELLO_IS_HTTP;
	return h->kind == HELLO_IS_TLS ? hello_tls_byte(&h->tls, c, h->name) : hello_http_byte(&h->http, c, h->name);
}

/**
 * hello_feed() - more of what a client says
 * @h: initialized
 * @data, @len: what follows what was fed before
 * Return: HELLO_MORE: it is not clear yet; else what it is, which more bytes do not change.
 */
enum hello_result hello_feed(struct hello *h, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < len && h->result == HELLO_MORE; i++) {
		h->result = feed_byte(h, data[i]);
		h->used++;
	}
	return h->result;
}

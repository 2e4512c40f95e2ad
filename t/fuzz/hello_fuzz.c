// SPDX-License-Identifier: ISC
/*
 * hello_fuzz.c - a client that says anything. The first byte says how to cut the rest; a ClientHello or a request
 * may come first, and the rest be laid over it. However it is cut the result is the same, and a name is canonical.
 */
#include <assert.h>
#include <stdlib.h>

#include "addr.h"
#include "hello.h"
#include "util.h"

#include "../unit/hello_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces of their own size, so that a sanitizer sees every byte too many. */
static void feed(struct hello *h, const uint8_t *data, size_t len, size_t step)
{
	size_t at, n;

	hello_init(h);
	for (at = 0; at < len; at += n) {
		uint8_t *exact;

		n = MIN(step, len - at);
		exact = malloc(n);
		memcpy(exact, data + at, n);
		hello_feed(h, exact, n);
		free(exact);
	}
}

static void begin_with(struct hello_bytes *b, unsigned int how)
{
	static const char request[] = "GET http://a.example/ HTTP/1.1\r\nHost: a.example:80\r\nX: y\r\n\r\n";

	b->len = 0;
	if (how & 1)
		hello_make(b, "a.example", how & 4 ? 100 : 0);
	else if (how & 2)
		memcpy(b->b, request, b->len = sizeof(request) - 1);
	if (how & 1 && how & 2)
		hello_cut(b, 1 + (how >> 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hello_bytes b;
	struct hello whole, cut;
	char name[NAMES_TEXT];
	struct addr a;
	size_t over;

	if (size < 3 || size > 32768)
		return 0;
	begin_with(&b, data[0]);
	over = b.len ? data[1] % b.len : 0;
	memcpy(b.b + over, data + 3, size - 3);
	b.len = MAX(b.len, over + size - 3);
	feed(&whole, b.b, b.len, b.len + 1);
	feed(&cut, b.b, b.len, 1 + data[2]);
	assert(whole.result == cut.result && whole.used == cut.used && !strcmp(whole.name, cut.name));
	assert(whole.used <= b.len && (whole.result != HELLO_MORE || whole.used == b.len));
	if (whole.result == HELLO_TLS || whole.result == HELLO_HTTP)
		assert(!names_canonical(whole.name, name) && !strcmp(whole.name, name) && addr_parse(name, &a));
	if (whole.result == HELLO_TLS)
		assert(b.b[0] == HELLO_TLS_FIRST);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* hello_bytes.h - ClientHellos that tests bend as they like. */
#ifndef HELLO_BYTES_H
#define HELLO_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What is sent; and where things are in it, for those who bend them. */
struct hello_bytes {
	uint8_t b[70000];
	size_t len;
	size_t message, exts, names;    /* the handshake message; the extensions' length; the extension of names */
};

static inline void hello_put(struct hello_bytes *h, unsigned int bytes, size_t value)
{
	while (bytes--)
		h->b[h->len++] = (uint8_t)(value >> 8 * bytes);
}

/* Right a length that precedes what is from @at to the end. */
static inline void hello_length(struct hello_bytes *h, size_t at, unsigned int bytes)
{
	size_t end = h->len, value = end - at - bytes;

	h->len = at;
	hello_put(h, bytes, value);
	h->len = end;
}

static inline void hello_extension(struct hello_bytes *h, unsigned int type, const void *data, size_t len)
{
	hello_put(h, 2, type);
	hello_put(h, 2, len);
	if (data)
		memcpy(h->b + h->len, data, len);
	else
		memset(h->b + h->len, 0x55, len);
	h->len += len;
}

static inline void hello_sni(struct hello_bytes *h, const void *name, size_t len)
{
	h->names = h->len;
	hello_put(h, 2, 0);
	hello_put(h, 2, len + 5);
	hello_put(h, 2, len + 3);
	hello_put(h, 1, 0);
	hello_put(h, 2, len);
	memcpy(h->b + h->len, name, len);
	h->len += len;
}

/* Up to the extensions. */
static inline void hello_begin(struct hello_bytes *h)
{
	h->len = 0;
	hello_put(h, 3, 0x160301);
	hello_put(h, 2, 0);
	h->message = h->len;
	hello_put(h, 4, 0x01000000);
	hello_put(h, 2, 0x0303);
	memset(h->b + h->len, 0x77, 32);
	h->len += 32;
	hello_put(h, 1, 32);
	memset(h->b + h->len, 0x66, 32);
	h->len += 32;
	hello_put(h, 2, 4);
	hello_put(h, 4, 0x13011302);
	hello_put(h, 2, 0x0100);
	h->exts = h->len;
	hello_put(h, 2, 0);
}

/* All lengths become right. */
static inline void hello_finish(struct hello_bytes *h)
{
	hello_length(h, h->exts, 2);
	hello_length(h, h->message + 1, 3);
	hello_length(h, 3, 2);
}

/* @name: NULL: none. @padding: bytes of an extension more. */
static inline void hello_make(struct hello_bytes *h, const char *name, size_t padding)
{
	hello_begin(h);
	hello_extension(h, 43, "\2\3\4", 3);
	if (name)
		hello_sni(h, name, strlen(name));
	if (padding)
		hello_extension(h, 21, NULL, padding);
	hello_finish(h);
}

/* Cut the message into records of @most bytes. */
static inline void hello_cut(struct hello_bytes *h, size_t most)
{
	static uint8_t message[sizeof(h->b)];
	size_t len = h->len - 5, at, n;

	memcpy(message, h->b + 5, len);
	h->len = 0;
	for (at = 0; at < len; at += n) {
		n = len - at < most ? len - at : most;
		hello_put(h, 3, 0x160303);
		hello_put(h, 2, n);
		memcpy(h->b + h->len, message + at, n);
		h->len += n;
	}
}

#endif

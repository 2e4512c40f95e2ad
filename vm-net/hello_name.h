/* SPDX-License-Identifier: ISC */
/* hello_name.h - a server's name, as a client writes it. */
#ifndef HELLO_NAME_H
#define HELLO_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "names.h"

enum { HELLO_TEXT = NAMES_TEXT + 8 };   /* a name, a dot at its end, and a port */

/* What a client has said so far. */
enum hello_result {
	HELLO_MORE,                     /* cannot be told yet */
	HELLO_TLS,                      /* a ClientHello with a name */
	HELLO_HTTP,                     /* a request of HTTP/1 with a Host */
	HELLO_NAMELESS,                 /* either without */
	HELLO_NEITHER,
};

/* A name that comes byte by byte. */
struct hello_text {
	size_t len;                     /* of all that came; what is beyond HELLO_TEXT is not kept */
	char text[HELLO_TEXT];
};

void hello_text_add(struct hello_text *t, unsigned char c);
bool hello_text_name(struct hello_text *t, bool port, char name[NAMES_TEXT]);

#endif

/* SPDX-License-Identifier: ISC */
/* hello.h - what the first bytes of a connection say about which server their client wants. */
#ifndef HELLO_H
#define HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "hello_http.h"
#include "hello_tls.h"
#include "names.h"

enum hello_kind { HELLO_UNKNOWN, HELLO_IS_TLS, HELLO_IS_HTTP };

struct hello {
	enum hello_result result;
	size_t used;                    /* bytes that were looked at: with a name, to the hello's end */
	char name[NAMES_TEXT];          /* HELLO_TLS, HELLO_HTTP: canonical */

	/* hello.c's */
	enum hello_kind kind;
	union {
		struct hello_tls tls;
		struct hello_http http;
	};
};

void hello_init(struct hello *h);
enum hello_result hello_feed(struct hello *h, const uint8_t *data, size_t len);

#endif

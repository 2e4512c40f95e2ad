/* SPDX-License-Identifier: ISC */
/* hello_http.h - the name in a request of HTTP/1. */
#ifndef HELLO_HTTP_H
#define HELLO_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "hello_name.h"

/* All zero at first; hello_http.c's. */
struct hello_http {
	unsigned int state, at;         /* at: in the word that is compared */
	bool tls;                       /* https:// */
	bool host, is_host, absolute;   /* a Host was read; this field may be one; the target has a name */
	struct hello_text text;         /* of Host, or of the target's authority */
	char target[NAMES_TEXT], name[NAMES_TEXT];
};

enum hello_result hello_http_byte(struct hello_http *h, uint8_t c, char name[NAMES_TEXT]);

#endif

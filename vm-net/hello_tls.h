/* SPDX-License-Identifier: ISC */
/* hello_tls.h - the name in a TLS ClientHello. */
#ifndef HELLO_TLS_H
#define HELLO_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "hello_name.h"

enum { HELLO_TLS_FIRST = 22, HELLO_TLS_HEAD = 5 };

/* All zero at first; hello_tls.c's. */
struct hello_tls {
	uint8_t head[HELLO_TLS_HEAD], head_len;
	uint32_t record;                /* bytes left of the record */
	unsigned int field;
	uint32_t left, value;           /* bytes left of the field; what it says so far */
	uint32_t body, ext;             /* bytes left of the ClientHello; of the extension of names, all */
	bool began, named;
	unsigned int type;              /* of the extension */
	struct hello_text text;
};

enum hello_result hello_tls_byte(struct hello_tls *t, uint8_t c, char name[NAMES_TEXT]);

#endif

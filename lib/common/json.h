/* SPDX-License-Identifier: ISC */
/* json.h - read one value out of a JSON text from a stranger; write strings into one of ours. */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <sys/types.h>

enum json_type {
	JSON_NULL = 1,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

enum { JSON_DEPTH = 32 };

int json_get(const char *text, size_t len, const char *path, char *buf, size_t size);
ssize_t json_quote(char *buf, size_t size, const char *s, size_t len);

#endif

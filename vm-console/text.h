/* SPDX-License-Identifier: ISC */
/* text.h - the notations for bytes on the command line. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

int text_escape(const char **p);
int text_unescape(const char *s, char *out, size_t *len);

#endif

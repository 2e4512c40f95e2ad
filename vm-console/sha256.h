/* SPDX-License-Identifier: ISC */
/* sha256.h - the checksum that the guest's sha256sum(1) makes. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>

enum { SHA256_TEXT = 65 };              /* 64 hexadecimal digits and a NUL */

void sha256_text(const void *data, size_t len, char text[SHA256_TEXT]);

#endif

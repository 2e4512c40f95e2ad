/* SPDX-License-Identifier: ISC */
/* regex.h - POSIX extended regular expressions over bytes, compiled for a stream. */
#ifndef REGEX_H
#define REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REGEX_SIZE = 2048 };             /* instructions of a compiled expression */

enum regex_op {
	REGEX_BYTES,            /* consume one byte of @set */
	REGEX_SPLIT,            /* go on at +x and at +y */
	REGEX_JUMP,             /* go on at +x */
	REGEX_LINE_START,
	REGEX_LINE_END,
	REGEX_MATCH,
};

struct regex_insn {
	enum regex_op op;
	int x, y;               /* relative to this instruction */
	uint8_t set[32];        /* a bit per byte value */
};

struct regex {
	int len;
	struct regex_insn insn[REGEX_SIZE];
};

int regex_compile(struct regex *re, const char *pattern, char *err, size_t errsize);

const char *regex_bracket(const char **p, uint8_t set[32]);

static inline void regex_add(uint8_t set[32], uint8_t byte)
{
	set[byte >> 3] |= (uint8_t)(1u << (byte & 7));
}

static inline void regex_remove(uint8_t set[32], uint8_t byte)
{
	set[byte >> 3] &= (uint8_t)~(1u << (byte & 7));
}

static inline bool regex_has(const uint8_t set[32], uint8_t byte)
{
	return set[byte >> 3] & (1u << (byte & 7));
}

#endif

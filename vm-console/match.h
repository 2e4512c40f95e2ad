/* SPDX-License-Identifier: ISC */
/* match.h - find an expression in a stream, byte by byte. */
#ifndef MATCH_H
#define MATCH_H

#include "regex.h"

struct match_set {
	int count;
	short list[REGEX_SIZE];
	unsigned int mark[REGEX_SIZE];  /* equal to the matcher's stamp: is in the list */
	unsigned int stamp;
};

struct match {
	const struct regex *re;
	uint8_t before;                 /* the byte before the place where we are */
	bool found;
	struct match_set now, next;
};

void match_start(struct match *m, const struct regex *re, uint8_t before);
bool match_feed(struct match *m, const void *buf, size_t len, size_t *used);

#endif

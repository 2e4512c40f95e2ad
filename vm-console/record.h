/* SPDX-License-Identifier: ISC */
/* record.h - what the guest's half of --run says, picked out of everything else on the console. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RECORD_BEGIN = 0x1e,    /* ASCII record separator */
	RECORD_END = 0x1f,      /* ASCII unit separator */
	RECORD_SIZE = 104 << 10, /* bytes of the longest: SESSION_CHUNK_MAX in hexadecimal, CR and all */
	RECORD_ARGS = 5,
};

struct record_reader {
	bool open;              /* between RECORD_BEGIN and RECORD_END */
	bool noise;             /* something else came; whoever minds resets it */
	size_t len;
	char buf[RECORD_SIZE + 1];
};

struct record {
	char op;
	int args;
	const char *arg[RECORD_ARGS];
	const char *data;       /* what follows the arguments of a chunk */
	size_t len;
};

bool record_feed(struct record_reader *r, uint8_t byte);
bool record_parse(struct record_reader *r, const char *nonce, struct record *rec);
ssize_t record_decode(char code, const char *data, size_t len, void *out, size_t size);

#endif

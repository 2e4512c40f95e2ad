// SPDX-License-Identifier: ISC
/*
 * console_fuzz.c - the bytes that a guest prints, into vm-console's record reader, chunk decoder and
 * expressions; the first byte chooses which, and for expressions where the pattern ends.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../vm-console/match.h"
#include "../../vm-console/record.h"
#include "../../vm-console/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void records(const uint8_t *data, size_t size)
{
	static struct record_reader reader;
	static uint8_t out[32 << 10];
	struct record rec;
	size_t i;
	int a;

	memset(&reader, 0, offsetof(struct record_reader, buf));
	for (i = 0; i < size; i++) {
		if (!record_feed(&reader, data[i]) || !record_parse(&reader, "n", &rec))
			continue;
		assert(rec.op && rec.args <= RECORD_ARGS && rec.data + rec.len <= reader.buf + reader.len);
		for (a = 0; a < rec.args; a++)
			assert(rec.arg[a][0]);
		if (rec.args == RECORD_ARGS)
			assert(record_decode(rec.arg[4][0], rec.data, rec.len, out, sizeof(out)) <=
			       (ssize_t)sizeof(out));
	}
}

/* The place of the first match must not depend on how the stream is cut. */
static void expression(const uint8_t *data, size_t size, size_t split)
{
	static struct regex re;
	static struct match whole, pieces;
	char pattern[256], why[80];
	size_t i, used, at = 0;
	bool found;

	if (split > size || split >= sizeof(pattern))
		return;
	memcpy(pattern, data, split);
	pattern[split] = 0;
	if (regex_compile(&re, pattern, why, sizeof(why)))
		return;
	data += split;
	size -= split;
	match_start(&whole, &re, '\n');
	found = match_feed(&whole, data, size, &used);
	assert(used <= size && (found || used == size));
	match_start(&pieces, &re, '\n');
	for (i = 0; i < size; i++) {
		size_t n;
		bool done = match_feed(&pieces, data + i, 1, &n);

		at += n;
		if (done)
			break;
	}
	assert(!size || (at == used && pieces.found == found));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		records(data + 1, size - 1);
	else
		expression(data + 1, size - 1, data[0] >> 1);
	return 0;
}

// SPDX-License-Identifier: ISC
/* json_fuzz.c - no text makes the reader misbehave; what the writer writes, the reader reads. */
#include <assert.h>
#include <stdint.h>

#include "json.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "", "event", "data.reason", "a.b.c", "return" };
	char text[4096], again[4096], value[64];
	ssize_t n, m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		int type = json_get((const char *)data, size, paths[i], value, 1 + size % sizeof(value));

		if (type > 0)
			assert(strlen(value) <= size % sizeof(value));
	}

	n = json_quote(text, sizeof(text), (const char *)data, size);
	if (n < 0)
		return 0;
	if (size && memchr(data, 0, size)) {
		assert(json_get(text, (size_t)n, "", again, sizeof(again)) < 0);
		return 0;
	}
	/* Written and read again it is the same, once it is UTF-8. */
	assert(json_get(text, (size_t)n, "", again, sizeof(again)) == JSON_STRING);
	m = json_quote(value, sizeof(value), again, strlen(again));
	assert(m < 0 || (m == n && !memcmp(value, text, (size_t)n)));
	return 0;
}

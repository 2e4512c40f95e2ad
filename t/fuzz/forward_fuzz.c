// SPDX-License-Identifier: ISC
/*
 * forward_fuzz.c - no spec of a port forward makes its parser misbehave; what it refuses it explains in one line, what
 * it takes is in bounds, and means the same when it is written and read again.
 */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fwdspec.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void in_bounds(const struct fwdspec *f)
{
	assert(f->guest && f->count && f->count <= FWDSPEC_PORTS && f->guest + f->count <= 65536);
	if (*f->path) {
		assert(!f->udp && !f->both && f->count == 1 && strlen(f->path) < sizeof(f->path));
		return;
	}
	assert(f->host ? f->host + f->count <= 65536 : f->count == 1);
}

static void try_spec(const char *text)
{
	struct fwdspec f, g;
	char err[256] = "", told[FWDSPEC_TEXT], again[FWDSPEC_TEXT];
	size_t i;

	if (fwdspec_parse(text, &f, err, sizeof(err))) {
		assert(!strncmp(err, "forward ", 8));
		for (i = 0; err[i]; i++)
			assert(isprint((unsigned char)err[i]));
		return;
	}
	in_bounds(&f);
	fwdspec_format(&f, told);
	for (i = 0; told[i]; i++)
		assert((unsigned char)told[i] > ' ');
	assert(!fwdspec_parse(told, &g, err, sizeof(err)) && !memcmp(&f, &g, sizeof(f)));
	assert(!strcmp(told, fwdspec_format(&g, again)));
}

/* A text as it is, or of words that mean something, a byte for each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = {
		":", "-", "/tcp", "/udp", "unix:", "/", "[", "]", "]:", "::1", "127.0.0.1", "0.0.0.0", "0", "80",
		"8080", "8000-8010", "9000-9010", "65535", "65536", "1", ".", "a", "\n", " ", "[::]:", "::ffff:1.2.3.4",
	};
	char *text = malloc(16 * size + 1);
	size_t i;

	*text = '\0';
	if (size && *data == 'w') {
		for (i = 1; i < MIN(size, (size_t)64); i++)
			strcat(text, words[data[i] % ARRAY_SIZE(words)]);
	} else {
		memcpy(text, data, size);
		text[size] = '\0';
	}
	try_spec(text);
	free(text);
	return 0;
}

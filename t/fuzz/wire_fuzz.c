// SPDX-License-Identifier: ISC
/* wire_fuzz.c - no bytes make the reader of records misbehave, and how they are cut makes no difference. */
#include <assert.h>
#include <stdint.h>

#include "proto.h"
#include "util.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that a reader makes of its input. */
struct seen {
	unsigned int records;
	uint64_t sum;
	int err;
};

static void mix(struct seen *s, uint64_t value)
{
	s->sum = (s->sum ^ value) * 0x100000001b3;
}

/* Touch every byte of a record, and every getter. */
static void look(struct seen *s, const struct wire_record *r)
{
	struct wire_field f;
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	char text[16] = "";
	size_t at = 0, i, total = 0;

	s->records++;
	mix(s, r->type);
	while (wire_field(r, &at, &f)) {
		mix(s, f.kind);
		mix(s, f.len);
		for (i = 0; i < f.len; i++)
			mix(s, f.data[i]);
		total += WIRE_FIELD_HEADER + f.len;
	}
	assert(total == r->len);
	wire_get_u32(r, PROTO_K_STATUS, &u32);
	wire_get_u64(r, PROTO_K_BYTES_OUT, &u64);
	if (wire_get_text(r, PROTO_K_NAME, text, sizeof(text)))
		assert(strlen(text) < sizeof(text));
	mix(s, u32);
	mix(s, u64);
	mix(s, (uint8_t)text[0]);
}

/* Read it all, at most @piece bytes at a time. */
static struct seen take(const uint8_t *data, size_t size, size_t piece)
{
	struct seen s = { 0 };
	struct wire_record r;
	struct wire_in in;

	wire_in_init(&in, WIRE_SMALL);
	while (size && s.err >= 0) {
		size_t room, n;
		void *p = wire_room(&in, &room);

		assert(p && room);
		n = MIN(MIN(room, size), piece);
		memcpy(p, data, n);
		data += n;
		size -= n;
		wire_got(&in, n);
		while ((s.err = wire_next(&in, &r)) > 0) {
			look(&s, &r);
			wire_take(&in);
		}
		assert(in.size <= WIRE_SMALL + WIRE_HEADER);
	}
	wire_in_free(&in);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 3, 7, 100 };
	struct seen whole = take(data, size, SIZE_MAX);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct seen cut = take(data, size, pieces[i]);

		assert(cut.records == whole.records && cut.sum == whole.sum && cut.err == whole.err);
	}
	return 0;
}

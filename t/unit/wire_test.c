// SPDX-License-Identifier: ISC
/* wire_test.c - records: what is written is read, whole or in pieces, and nothing else is. */
#include "wire.h"

#include <errno.h>

#include "proto.h"
#include "tap.h"
#include "util.h"

/* Put bytes in, as they came from a socket. Return: what wire_next() says after them. */
static int feed(struct wire_in *in, const void *data, size_t len, struct wire_record *r)
{
	const uint8_t *p = data;
	int err = 0;

	while (len && !err) {
		size_t room, n;
		void *to = wire_room(in, &room);

		if (!to)
			return -ENOMEM;
		n = MIN(room, len);
		memcpy(to, p, n);
		wire_got(in, n);
		p += n;
		len -= n;
		err = wire_next(in, r);
	}
	return err;
}

static void test_round_trip(void)
{
	uint8_t id[16] = { 1, 2, 3, 0, 255 }, id_again[16];
	struct wire_record r = { 0 };
	struct wire_out w;
	struct wire_in in;
	char text[8];
	uint32_t u32;
	uint64_t u64;
	bool early = false;
	size_t i;

	wire_begin(&w, PROTO_EXIT);
	wire_put_u32(&w, PROTO_K_STATUS, 0xfedcba98);
	wire_put_u64(&w, PROTO_K_BYTES_OUT, 0xfedcba9876543210);
	wire_put_text(&w, PROTO_K_NAME, "INT");
	wire_put(&w, PROTO_K_TOKEN, id, sizeof(id));
	wire_put(&w, PROTO_K_TEXT, "a\0b", 3);
	CHECK(wire_end(&w) == 0, "a record is put together");
	wire_in_init(&in, WIRE_SMALL);
	for (i = 0; i + 1 < w.len; i++)
		early |= feed(&in, w.data + i, 1, &r) != 0;
	CHECK(!early && feed(&in, w.data + i, 1, &r) == 1, "it is there with its last byte and not before");
	CHECK(r.type == PROTO_EXIT && r.len == w.len - WIRE_HEADER && wire_valid(&r), "its type and length");
	CHECK(wire_get_u32(&r, PROTO_K_STATUS, &u32) && u32 == 0xfedcba98, "a u32");
	CHECK(wire_get_u64(&r, PROTO_K_BYTES_OUT, &u64) && u64 == 0xfedcba9876543210, "a u64");
	CHECK(wire_get_text(&r, PROTO_K_NAME, text, sizeof(text)) && !strcmp(text, "INT"), "a text");
	CHECK(wire_get_bytes(&r, PROTO_K_TOKEN, id_again, 16) && !memcmp(id, id_again, 16), "bytes");
	CHECK(!wire_get_text(&r, PROTO_K_TEXT, text, sizeof(text)), "a text with a NUL is none");
	CHECK(!wire_get_text(&r, PROTO_K_NAME, text, 3), "nor is one that does not fit");
	CHECK(!wire_get_u32(&r, PROTO_K_BYTES_OUT, &u32), "a number of another length is none");
	CHECK(!wire_get_u32(&r, PROTO_K_PID, &u32), "nor is one that is not there");
	wire_take(&in);
	CHECK(in.len == 0 && wire_next(&in, &r) == 0, "it is taken");
	wire_in_free(&in);
	wire_drop(&w);
}

static void test_two(void)
{
	uint8_t two[] = { 0, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0 };
	struct wire_record r;
	struct wire_field f;
	struct wire_in in;
	size_t at = 0;

	wire_in_init(&in, 8);
	CHECK(feed(&in, two, 16, &r) == 1 && r.type == 7 && r.len == 0, "the first of two");
	wire_take(&in);
	CHECK(feed(&in, two + 16, 8, &r) == 1 && r.type == 8, "the second, as large as is allowed");
	CHECK(wire_field(&r, &at, &f) && f.kind == 9 && !f.len && !wire_field(&r, &at, &f), "an empty field");
	wire_in_free(&in);
}

static void test_malformed(void)
{
	static const struct { uint8_t bytes[24]; size_t len; int err; const char *name; } cases[] = {
		{ { 1, 16, 0, 0, 1 }, 8, -EMSGSIZE, "a byte too long" },
		{ { 255, 255, 255, 255, 1 }, 8, -EMSGSIZE, "4 GiB" },
		{ { 0, 0, 0, 0, 1, 0, 1 }, 8, -EBADMSG, "reserved bits" },
		{ { 1, 0, 0, 0, 1 }, 9, -EBADMSG, "a byte where a field should be" },
		{ { 8, 0, 0, 0, 1, 0, 0, 0, 1 }, 16, -EBADMSG, "a field beyond the end" },
		{ { 8, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255 }, 16, -EBADMSG, "a field of 4 GiB" },
		{ { 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1 }, 16, -EBADMSG, "reserved bits of a field" },
		{ { 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 }, 17, -EBADMSG, "a byte after the last field" },
	};
	struct wire_record r;
	struct wire_in in;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		wire_in_init(&in, WIRE_SMALL);
		CHECK(feed(&in, cases[i].bytes, cases[i].len, &r) == cases[i].err, cases[i].name);
		wire_in_free(&in);
	}
}

static void test_bounds(void)
{
	static uint8_t big[WIRE_LARGE];
	struct wire_record r;
	struct wire_out w;
	struct wire_in in;

	wire_begin(&w, PROTO_EXEC);
	wire_put(&w, PROTO_K_ARG, big, sizeof(big) - WIRE_FIELD_HEADER);
	CHECK(wire_end(&w) == 0, "the largest record");
	wire_in_init(&in, WIRE_LARGE);
	CHECK(feed(&in, w.data, w.len, &r) == 1 && r.len == WIRE_LARGE, "is read");
	wire_in_free(&in);
	wire_put(&w, PROTO_K_ARG, "", 0);
	CHECK(wire_end(&w) == -EMSGSIZE, "a larger one is not written");
	wire_drop(&w);
	wire_in_init(&in, WIRE_LARGE);
	CHECK(feed(&in, (uint8_t[8]){ 0, 0, 16, 0, 1 }, 8, &r) == 0 && in.size < 4096,
	      "what is announced and does not come costs no memory");
	wire_in_free(&in);
}

int main(void)
{
	test_round_trip();
	test_two();
	test_malformed();
	test_bounds();
	return tap_done();
}

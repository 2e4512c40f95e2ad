// SPDX-License-Identifier: ISC
/*
 * cut.c - where to go on in a terminal's output whose beginning was cut off.
 *
 * What came before is not there any more, so whether the first bytes are text or the rest of an
 * escape sequence is not to be known. But a newline is within none, ESC begins one, and BEL and
 * ESC \ end a string (a title, say); and what has none of these in 4 KiB begins at the worst with the
 * rest of a short one. Only a string that goes on for longer than that, like a picture, looks like text.
 */
#include "cut.h"

#include "ring.h"
#include "util.h"

enum {
	LOOK_MAX = 4096,
	SEQUENCE_MAX = 64,              /* no escape sequence but a string is longer */
	BEL = 0x07,
	ESC = 0x1b,
};

static uint8_t byte_at(const struct ring *ring, uint64_t pos)
{
	return ring->data[pos & (ring->size - 1)];
}

/*
 * Past the rest of a character, at most three bytes, or of a sequence like ESC [ 1 ; 31 m: after the
 * bracket there are bytes of 0x20 to 0x3f, and one of 0x40 to 0x7e is the last (ECMA-48 5.4).
 */
static uint64_t after_rest(const struct ring *ring, uint64_t pos)
{
	uint64_t p = pos, end = MIN(ring->head, pos + SEQUENCE_MAX);

	while (p < MIN(end, pos + 3) && (byte_at(ring, p) & 0xc0) == 0x80)
		p++;
	if (p > pos)
		return p;
	if (p < end && byte_at(ring, p) == '[')
		p++;
	while (p < end && byte_at(ring, p) >= 0x20 && byte_at(ring, p) < 0x40)
		p++;
	return p < end && byte_at(ring, p) >= 0x40 && byte_at(ring, p) < 0x7f ? p + 1 : pos;
}

/**
 * cut_start() - the first position where a reader may begin
 * @ring: what was printed
 * @pos: where the bytes before were cut off; not older than ring_start(), not newer than @ring->head
 * Return: a position from @pos on, at most 4 KiB after it: after a newline if one is near; else
 * where an escape sequence begins or a string or carriage return ends; else past what may be
 * left of a sequence or a character.
 */
uint64_t cut_start(const struct ring *ring, uint64_t pos)
{
	uint64_t end = MIN(ring->head, pos + LOOK_MAX), p;

	for (p = pos; p < end; p++)
		if (byte_at(ring, p) == '\n')
			return p + 1;
	for (p = pos; p < end; p++) {
		uint8_t c = byte_at(ring, p);

		if (c == ESC && p + 1 < end && byte_at(ring, p + 1) == '\\')
			return p + 2;
		if (c == ESC)
			return p;
		if (c == BEL || c == '\r')
			return p + 1;
	}
	return after_rest(ring, pos);
}

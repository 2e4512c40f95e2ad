// SPDX-License-Identifier: ISC
/*
 * record.c - what the guest's half of --run says, picked out of everything else on the console.
 *
 *	RS NONCE SP OP [SP ARG]... US
 *	RS NONCE SP g SP K SP BYTES SP SHA256 SP - SP CODE SP DATA US
 *
 * RS is the byte 0x1e and US 0x1f. Neither is ever typed: what is typed says `\036`, so that no echo,
 * wrapped, redrawn or mangled in any way, holds a record. The kernel's messages may land inside one
 * all the same, and bytes may be missing: a short record with anything unusual in it is no record, and
 * a chunk is checked by its length and checksum. Who waits for a record that was spoilt asks again.
 */
#include "record.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/**
 * record_feed() - take one byte of console output
 * @r: reader, zeroed at first
 * @byte: any
 * Return: whether a record is complete; it is in @r until the next call.
 */
bool record_feed(struct record_reader *r, uint8_t byte)
{
	if (byte == RECORD_BEGIN) {
		r->noise |= r->open;
		r->open = true;
		r->len = 0;
		return false;
	}
	if (!r->open) {
		r->noise |= byte != '\r' && byte != '\n';
		return false;
	}
	if (byte == RECORD_END) {
		r->open = false;
		r->buf[r->len] = 0;
		return true;
	}
	if (r->len == RECORD_SIZE) {
		r->open = false;
		r->noise = true;
		return false;
	}
	r->buf[r->len++] = (char)byte;
	return false;
}

/* Cut the next word off @p, which holds no NUL. Return it, or NULL if there is none. */
static char *word(char **p)
{
	char *start = *p + strspn(*p, " "), *end = start + strcspn(start, " ");

	if (!*start)
		return NULL;
	*p = *end ? end + 1 : end;
	*end = 0;
	return start;
}

/**
 * record_parse() - take a complete record apart, in place
 * @r: holds a complete record
 * @nonce: of our session; records of others are none
 * @rec: filled in, pointing into @r
 * Return: whether it is a record of ours and well-formed.
 */
bool record_parse(struct record_reader *r, const char *nonce, struct record *rec)
{
	char *p = r->buf, *w;
	int limit;
	size_t i;

	*rec = (struct record){ 0 };
	if (memchr(r->buf, 0, r->len))
		goto noise;
	w = word(&p);
	if (!w || strcmp(w, nonce))
		goto noise;
	w = word(&p);
	if (!w || w[1])
		goto noise;
	rec->op = w[0];
	limit = RECORD_ARGS;
	while (rec->args < limit && (w = word(&p))) {
		for (i = 0; w[i]; i++)
			if (!isgraph((unsigned char)w[i]))
				goto noise;
		rec->arg[rec->args++] = w;
	}
	rec->data = p;
	rec->len = r->len - (size_t)(p - r->buf);
	if (rec->len && rec->op != 'g')
		goto noise;
	return true;
noise:
	r->noise = true;
	return false;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/**
 * record_decode() - the bytes of a chunk
 * @code: 'b' base64, 'x' hexadecimal as od(1) prints it
 * @data, @len: encoded; line ends and blanks are skipped
 * @out, @size: room
 * Return: bytes; -EBADMSG for anything that is not in the code; -EMSGSIZE.
 */
ssize_t record_decode(char code, const char *data, size_t len, void *out, size_t size)
{
	int bits = code == 'b' ? 6 : 4, have = 0, pad = 0;
	uint8_t *to = out;
	uint32_t acc = 0;
	size_t n = 0, i;

	if (code != 'b' && code != 'x')
		return -EBADMSG;
	for (i = 0; i < len; i++) {
		char c = data[i];
		int v;

		if (c == '\r' || c == '\n' || c == ' ')
			continue;
		if (code == 'b' && c == '=') {
			pad++;
			continue;
		}
		v = code == 'b' ? base64_value(c) : hex_value(c);
		if (v < 0 || pad)
			return -EBADMSG;
		acc = acc << bits | (uint32_t)v;
		have += bits;
		if (have < 8)
			continue;
		have -= 8;
		if (n == size)
			return -EMSGSIZE;
		to[n++] = (uint8_t)(acc >> have);
	}
	/* What is left over is padding, and as much as the code calls for. */
	if (have >= bits || (acc & ((1u << have) - 1)) || pad != have / 2)
		return -EBADMSG;
	return (ssize_t)n;
}

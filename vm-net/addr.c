// SPDX-License-Identifier: ISC
/*
 * addr.c - addresses of both families in one form.
 *
 * What a guest may write as ::ffff:127.0.0.1 and as 127.0.0.1 is the same address here, so no rule can be passed by
 * notation.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "opts.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/** addr_v4() - an IPv4 address. @b: as on the wire. Return: it. */
struct addr addr_v4(const uint8_t b[4])
{
	struct addr a;

	memcpy(a.b, mapped, sizeof(mapped));
	memcpy(a.b + sizeof(mapped), b, 4);
	return a;
}

/** addr_is_v4() - whether it is an IPv4 address, in either notation. @a. Return: so. */
bool addr_is_v4(const struct addr *a)
{
	return !memcmp(a->b, mapped, sizeof(mapped));
}

/** addr_equal() - whether two are one. @a, @b. Return: so. */
bool addr_equal(const struct addr *a, const struct addr *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

/** addr_in() - whether an address lies in a range. @a. @r: bits at most 128. Return: so. */
bool addr_in(const struct addr *a, const struct addr_range *r)
{
	unsigned int whole = r->bits / 8, rest = r->bits % 8;

	return !memcmp(a->b, r->addr.b, whole) &&
	       (!rest || !((a->b[whole] ^ r->addr.b[whole]) >> (8 - rest)));
}

/**
 * addr_parse() - read an address
 * @text: IPv4 as a.b.c.d in decimal, or IPv6
 * @a: filled in
 * Return: 0; -EINVAL.
 */
int addr_parse(const char *text, struct addr *a)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET, text, v4) == 1)
		*a = addr_v4(v4);
	else if (inet_pton(AF_INET6, text, a->b) != 1)
		return -EINVAL;
	return 0;
}

/* Whether nothing is set beyond the bits that count. */
static bool is_base(const struct addr_range *r)
{
	unsigned int i;

	for (i = r->bits; i < 128; i++)
		if (r->addr.b[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

/**
 * addr_parse_range() - read an address or ADDRESS/BITS
 * @text: the bits beyond BITS are 0
 * @r: filled in
 * Return: 0; -EINVAL; -ERANGE for bits that the family has not, or an address beyond them.
 */
int addr_parse_range(const char *text, struct addr_range *r)
{
	const char *slash = strchr(text, '/');
	char address[ADDR_TEXT];
	uint64_t bits;

	if (!slash) {
		r->bits = 128;
		return addr_parse(text, &r->addr);
	}
	if ((size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (addr_parse(address, &r->addr))
		return -EINVAL;
	/* ::ffff:10.0.0.0/104 counts as IPv6 does. */
	if (!strchr(address, ':')) {
		if (parse_u64(slash + 1, 0, 32, &bits))
			return -ERANGE;
		bits += 96;
	} else if (parse_u64(slash + 1, 0, 128, &bits)) {
		return -ERANGE;
	}
	r->bits = (unsigned int)bits;
	return is_base(r) ? 0 : -ERANGE;
}

/** addr_format() - write an address as people do. @a. @text: filled in. Return: @text. */
const char *addr_format(const struct addr *a, char text[ADDR_TEXT])
{
	if (addr_is_v4(a))
		return inet_ntop(AF_INET, a->b + sizeof(mapped), text, ADDR_TEXT);
	return inet_ntop(AF_INET6, a->b, text, ADDR_TEXT);
}

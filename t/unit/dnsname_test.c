// SPDX-License-Identifier: ISC
/* dnsname_test.c - names: read out of messages, well-formed and hostile, and turned into text and back. */
#include "dnsname.h"

#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "dnsmsg.h"
#include "tap.h"

/* The text of the name at @at of @bytes; NULL when it is none. @end: where reading ends. */
static const char *name_at(const void *bytes, size_t len, size_t at, size_t *end)
{
	static char text[DNSNAME_TEXT];
	uint8_t name[DNSNAME_MAX];

	if (dnsname_read(bytes, len, &at, name))
		return NULL;
	*end = at;
	return dnsname_text(name, text);
}

#define NAME_AT(bytes, at, end) name_at(bytes, sizeof(bytes) - 1, at, end)

static bool is(const char *text, const char *want)
{
	return text && !strcmp(text, want);
}

static void test_read_names(void)
{
	static const char good[] = "\3WwW\7example\3com\0\4mail\xc0\4\xc0\x11", odd[] = "\5a.b\\c\3\0\xff \0";
	static const char self[] = "\xc0\0", forward[] = "\xc0\2\1a\0", circle[] = "\1a\xc0\4\1b\xc0\0";
	uint8_t long_name[300], chain[400];
	size_t end = 0, i;

	CHECK(is(NAME_AT(good, 0, &end), "www.example.com") && end == 17, "a name");
	CHECK(is(NAME_AT(good, 17, &end), "mail.example.com") && end == 24, "a name that ends in a pointer");
	CHECK(is(NAME_AT(good, 24, &end), "mail.example.com") && end == 26, "a pointer to it");
	CHECK(is(NAME_AT("\0", 0, &end), "."), "the root");
	CHECK(is(NAME_AT(odd, 0, &end), "a\\.b\\\\c.\\000\\255\\032"), "labels cannot be taken for others");
	CHECK(!NAME_AT(self, 0, &end) && !NAME_AT(forward, 0, &end), "a pointer to itself, a pointer forward");
	CHECK(!NAME_AT(circle, 0, &end) && !NAME_AT(circle, 4, &end), "two that point at each other");
	CHECK(!NAME_AT("\3ab", 0, &end) && !NAME_AT("\1a", 0, &end) && !NAME_AT("\1a\xc0", 0, &end) &&
	      !NAME_AT("", 0, &end), "names that are cut off");
	CHECK(!NAME_AT("\x40" "1234567890123456789012345678901234567890123456789012345678901234\0", 0, &end) &&
	      !NAME_AT("\x80\0", 0, &end), "labels of 64 bytes and of unknown kinds");
	memset(long_name, 1, sizeof(long_name));
	long_name[254] = 0;
	CHECK(name_at(long_name, sizeof(long_name), 0, &end) && end == 255, "255 bytes are a name");
	memset(long_name, 1, sizeof(long_name));
	long_name[256] = 0;
	CHECK(!name_at(long_name, sizeof(long_name), 0, &end), "... 257 are none");
	chain[0] = 0;
	for (i = 0; i < 100; i++)
		dns_set16(chain + 1 + 2 * i, 0xc000U | (unsigned int)(i ? 2 * i - 1 : 0));
	CHECK(name_at(chain, sizeof(chain), 1 + 2 * 63, &end) && !name_at(chain, sizeof(chain), 1 + 2 * 64, &end),
	      "64 jumps are followed, no more");
}

static bool reverse(const char *text, const char *want)
{
	uint8_t name[DNSNAME_MAX];
	char address[ADDR_TEXT];
	struct addr to;

	if (dnsname_parse(text, name) || !dnsname_reverse(name, &to))
		return !want;
	return want && !strcmp(addr_format(&to, address), want);
}

static void test_names(void)
{
	uint8_t x[DNSNAME_MAX], y[DNSNAME_MAX];
	char text[DNSNAME_TEXT];

	CHECK(!dnsname_parse("Www.Example.com.", x) && !dnsname_parse("wWW.EXAMPLE.COM", y) && dnsname_equal(x, y),
	      "case and the last dot do not count");
	CHECK(!dnsname_parse("www.examplf.com", y) && !dnsname_equal(x, y) && !dnsname_parse("example.com", y) &&
	      !dnsname_equal(x, y), "other names are others");
	CHECK(is(dnsname_text(x, text), "www.example.com") && dnsname_length(x) == 17, "a name as text");
	CHECK(dnsname_parse("", x) && dnsname_parse(".", x) && dnsname_parse("a..b", x) && dnsname_parse("a b", x) &&
	      dnsname_parse("a/b", x) && dnsname_parse(".a", x) && dnsname_parse("*.a", x), "what a user may not write");
	memset(text, 'a', 64);
	text[64] = '\0';
	CHECK(dnsname_parse(text, x), "... nor 64 letters");
	CHECK(reverse("2.0.0.10.in-addr.arpa", "10.0.0.2") && reverse("2.0.0.10.IN-ADDR.ARPA", "10.0.0.2"),
	      "reverse IPv4");
	CHECK(reverse("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.f.ip6.arpa", "fd00::2"),
	      "reverse IPv6");
	CHECK(reverse("02.0.0.10.in-addr.arpa", NULL) && reverse("256.0.0.10.in-addr.arpa", NULL) &&
	      reverse("0.0.10.in-addr.arpa", NULL) && reverse("1.2.0.0.10.in-addr.arpa", NULL) &&
	      reverse("in-addr.arpa", NULL) && reverse("1.0.0.10.ip6.arpa", NULL) &&
	      reverse("20.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", NULL), "... and what is neither");
}

int main(void)
{
	test_read_names();
	test_names();
	return tap_done();
}

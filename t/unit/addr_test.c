// SPDX-License-Identifier: ISC
/* addr_test.c - addresses and ranges of both families. */
#include "addr.h"

#include <errno.h>
#include <string.h>

#include "tap.h"

static bool says(const char *text, const char *want)
{
	char out[ADDR_TEXT];
	struct addr a;

	return addr_parse(text, &a) == 0 && !strcmp(addr_format(&a, out), want);
}

static bool in(const char *address, const char *range)
{
	struct addr_range r;
	struct addr a;

	return addr_parse(address, &a) == 0 && addr_parse_range(range, &r) == 0 && addr_in(&a, &r);
}

static int range(const char *text)
{
	struct addr_range r;

	return addr_parse_range(text, &r);
}

int main(void)
{
	static const char *const bad[] = { "", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4x", "256.0.0.1", "0x7f.1", "::g", ":::", "1.2.3.4 " };
	unsigned int i;
	bool refused = true;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct addr a;

		refused &= addr_parse(bad[i], &a) == -EINVAL;
	}
	CHECK(refused, "what is no address is none");
	CHECK(says("127.0.0.1", "127.0.0.1") && says("::ffff:127.0.0.1", "127.0.0.1"), "both notations are one address");
	CHECK(says("::ffff:7f00:1", "127.0.0.1"), "in hexadecimal too");
	CHECK(says("fd00::0:1", "fd00::1") && says("::", "::"), "IPv6");
	CHECK(in("10.1.2.3", "10.0.0.0/8") && !in("11.0.0.0", "10.0.0.0/8"), "an IPv4 range");
	CHECK(in("10.1.2.3", "10.1.2.3") && !in("10.1.2.2", "10.1.2.3"), "one address");
	CHECK(in("::ffff:10.1.2.3", "10.0.0.0/9") && !in("10.128.0.0", "10.0.0.0/9"), "bits within a byte");
	CHECK(in("255.255.255.255", "0.0.0.0/0") && !in("::1", "0.0.0.0/0"), "all of IPv4 is not IPv6");
	CHECK(in("::1", "::/0") && in("1.2.3.4", "::/0") && in("1.2.3.4", "::ffff:0:0/96"), "all of IPv6 has IPv4 in it");
	CHECK(in("fe80::1", "fe80::/10") && in("febf::", "fe80::/10") && !in("fec0::", "fe80::/10"), "link-local");
	CHECK(range("10.0.0.1/8") == -ERANGE && range("10.0.0.0/33") == -ERANGE && range("::/129") == -ERANGE, "a range is what it says");
	CHECK(range("10.0.0.0/") != 0 && range("/8") == -EINVAL && range("10.0.0.0/8x") != 0 && range("10.0.0.0/-1") != 0, "or nothing");
	return tap_done();
}

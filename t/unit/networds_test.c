// SPDX-License-Identifier: ISC
/* networds_test.c - the words by which the agent sets a network card up. */
#include <errno.h>
#include <string.h>

#include "networds.h"
#include "tap.h"
#include "util.h"

#define MAC "02:aa:00:00:00:01"

static void test_good(void)
{
	static const uint8_t v4[] = { 10, 0, 2, 15 }, v6[16] = { 0xfd, [15] = 0xf };
	struct networds w;

	CHECK(networds_parse(MAC " mtu=65520 addr=10.0.2.15/24 gateway=10.0.2.2 addr6=fd00::f/64 gateway6=fd00::2 "
			     "dns=10.0.2.3,fd00::3", &w) == 0, "what vm-net tells");
	CHECK(!strcmp(w.mac, MAC) && w.mtu == 65520, "... card and MTU");
	CHECK(w.addresses == 2 && w.address[0].bits == 24 && !memcmp(w.address[0].bytes, v4, 4) && w.address[1].bits == 64 &&
	      !memcmp(w.address[1].bytes, v6, 16), "... addresses");
	CHECK(w.gateways == 2 && w.servers == 2 && !strcmp(w.server[0], "10.0.2.3") && !strcmp(w.server[1], "fd00::3"),
	      "... gateways and name servers");
	CHECK(networds_parse(MAC, &w) == 0 && !w.mtu && !w.addresses && !w.gateways && !w.servers, "a card alone");
	CHECK(networds_parse(MAC " later=more word dns=", &w) == 0 && !w.servers, "words that a later host may have");
	CHECK(networds_parse(MAC " addr=1.2.3.4,5.6.7.8/32", &w) == 0 && w.addresses == 2 && w.address[0].bits == 24 &&
	      w.address[1].bits == 32, "several addresses, and lengths that are not told");
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"", "02:aa:00:00:00", "02:aa:00:00:00:01x", " " MAC, MAC " mtu=1", MAC " mtu=65536", MAC " mtu=", MAC " mtu=+100",
		MAC " addr=", MAC " addr=1.2.3.4/33", MAC " addr=1.2.3.4/", MAC " addr=1.2.3.4/-1", MAC " addr=1.2.3.4/24/8",
		MAC " addr=localhost", MAC " addr6=fd00::1/129", MAC " gateway=1.2.3.4,", MAC " dns=1.1.1.1\nnameserver",
		MAC " dns=1.1.1.1/32", MAC " dns=name",
		MAC " dns=1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
		"1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1",
	};
	char text[NETWORDS_SIZE + 1];
	struct networds w;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(networds_parse(bad[i], &w) == -EINVAL, "what means nothing is refused");
	memset(text, 'x', sizeof(text));
	memcpy(text, MAC " ", NETWORDS_MAC);
	text[sizeof(text) - 2] = '\0';
	CHECK(networds_parse(text, &w) == 0, "a text as long as can be");
	text[sizeof(text) - 2] = 'x';
	text[sizeof(text) - 1] = '\0';
	CHECK(networds_parse(text, &w) == -EINVAL, "... and one byte more");
}

int main(void)
{
	test_good();
	test_bad();
	return tap_done();
}

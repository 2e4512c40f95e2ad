// SPDX-License-Identifier: ISC
/* fwdspec_test.c - what port forwards are called, and what is wrong with what is none. */
#include "fwdspec.h"

#include <string.h>

#include "tap.h"
#include "util.h"

#define AAA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct { const char *text, *canonical; } good[] = {
	{ "80", "80:80/tcp" }, { "80/udp", "80:80/udp" }, { "8080:80", "8080:80/tcp" },
	{ "8080:80/tcp", "8080:80/tcp" }, { "8000-8010:9000-9010", "8000-8010:9000-9010/tcp" },
	{ "8000-8010", "8000-8010:8000-8010/tcp" }, { "8000-8000:90", "8000:90/tcp" }, { ":80", "0:80/tcp" },
	{ "0:80", "0:80/tcp" }, { "127.0.0.1::80", "127.0.0.1:0:80/tcp" },
	{ "0.0.0.0:8080:80/udp", "0.0.0.0:8080:80/udp" }, { "[::1]:80:81", "[::1]:80:81/tcp" },
	{ "[::]::81", "[::]:0:81/tcp" }, { "[2001:DB8:0::1]:1-2:3-4/udp", "[2001:db8::1]:1-2:3-4/udp" },
	{ "[::ffff:1.2.3.4]:80:80", "1.2.3.4:80:80/tcp" }, { "unix:/a/b:80", "unix:/a/b:80/tcp" },
	{ "unix:/a:b/c:80/tcp", "unix:/a:b/c:80/tcp" }, { "unix:s:1", "unix:s:1/tcp" },
	{ "65535:65535", "65535:65535/tcp" }, { "1-1024", "1-1024:1-1024/tcp" },
};

static const struct { const char *text, *why; } wrong[] = {
	{ "", "empty" }, { "x", "not a number" }, { "+80", "not a number" }, { "0x50", "not a number" },
	{ " 80", "not a number" }, { "65536", "not a number" }, { "99999999999999999999", "not a number" },
	{ "80:", "not a number" }, { "8\n0", "8?0: " }, { "0", "no port 0" }, { "80:0", "no port 0" },
	{ ":", "not a number" }, { "10-5", "ascends" }, { "1-2-3", "not a number" }, { "-5", "not a number" },
	{ "5-", "not a number" }, { "0-5", "ascends" }, { "1-1025", "at most 1024" },
	{ "8000-8010:90", "11 host ports for 1" }, { "80:90-91", "1 host ports for 2" },
	{ ":8000-8001", "any free port is for one" }, { "80/sctp", "not tcp or udp" },
	{ "80/", "not tcp or udp" }, { "80/TCP", "not tcp or udp" }, { "80/tcp/udp", "not a number" },
	{ "127.0.0.1:80", "two are needed" }, { "[::1]:80", "two are needed" },
	{ "1.2.3.4:5:6:7", "too many colons" }, { "::1:80:80", "too many colons" },
	{ "1.2.3:80:80", "no IPv4 address" }, { "host:80:80", "no IPv4 address" },
	{ "80:80:80", "no IPv4 address" }, { "[127.0.0.1]:80:80", "no IPv6 address" },
	{ "[::1:80:80", "ends in ]:" }, { "[::1]80:80", "ends in ]:" }, { "[]:80:80", "no IPv6 address" },
	{ "[fe80::1%lo]:80:80", "no IPv6 address" }, { "unix:/a:80/udp", "for TCP" },
	{ "unix::80", "wants a path" }, { "unix:/a", "wants a path" }, { "unix:", "wants a path" },
	{ "unix:/a:80-90", "one port" }, { "unix:/a:0", "one port" }, { "unix:/a b:80", "blanks" },
	{ "unix:/a\n:80", "blanks" },
	{ "unix:/" AAA AAA AAA "aaaaaaaaaaaaaaaaa:80", "107 bytes" },
};

int main(void)
{
	char text[FWDSPEC_TEXT], again[FWDSPEC_TEXT], err[256], longer[400];
	struct fwdspec f, g;
	size_t i;
	bool ok;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ok = !fwdspec_parse(good[i].text, &f, err, sizeof(err)) &&
		     !strcmp(fwdspec_format(&f, text), good[i].canonical) &&
		     !fwdspec_parse(text, &g, err, sizeof(err)) && !strcmp(fwdspec_format(&g, again), text);
		CHECK(ok, good[i].text);
	}
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		ok = fwdspec_parse(wrong[i].text, &f, err, sizeof(err)) && strstr(err, wrong[i].why) &&
		     strstr(err, "; expected ") && !strncmp(err, "forward ", 8) && !strchr(err, '\n');
		CHECK(ok, wrong[i].why);
		if (!ok)
			printf("# %s\n", err);
	}
	memset(longer, '1', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CHECK(fwdspec_parse(longer, &f, err, sizeof(err)) && strstr(err, "too long"), "too long");
	CHECK(!fwdspec_parse("7", &f, err, sizeof(err)) && f.both && !f.udp, "the loopback unless it is said");
	return tap_done();
}

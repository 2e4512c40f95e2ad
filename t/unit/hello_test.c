// SPDX-License-Identifier: ISC
/* hello_test.c - which server a client wants: TLS and HTTP, however they are cut, and what only looks like them. */
#include "hello.h"

#include <stdlib.h>

#include "hello_bytes.h"
#include "tap.h"

static struct hello_bytes b;
static struct hello h;

/* A copy of just its size, @step bytes at a time. */
static enum hello_result feed(const void *data, size_t len, size_t step)
{
	enum hello_result r = HELLO_MORE;
	size_t at, n;

	hello_init(&h);
	for (at = 0; at < len; at += n) {
		uint8_t *exact;

		n = len - at < step ? len - at : step;
		exact = malloc(n);
		if (!exact)
			abort();
		memcpy(exact, (const uint8_t *)data + at, n);
		r = hello_feed(&h, exact, n);
		free(exact);
	}
	return r;
}

/* At once and byte by byte it is the same. */
static bool is(enum hello_result want, const char *name)
{
	bool ok = feed(b.b, b.len, b.len) == want && (!name || !strcmp(h.name, name));

	return feed(b.b, b.len, 1) == want && (!name || !strcmp(h.name, name)) && ok;
}

static bool http(enum hello_result want, const char *name, const char *text)
{
	b.len = strlen(text);
	memcpy(b.b, text, b.len);
	return is(want, name);
}

static bool host(const char *value, const char *name)
{
	char text[1024];

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", value);
	return http(name ? HELLO_HTTP : HELLO_NEITHER, name, text);
}

static void test_tls(void)
{
	size_t i;
	bool ok = true;

	hello_make(&b, "a.example", 0);
	CHECK(is(HELLO_TLS, "a.example") && h.used == b.len, "a name, at once and byte by byte");
	for (i = 1; i < b.len; i++)
		ok &= feed(b.b, i, i) == HELLO_MORE;
	CHECK(ok, "... not before its end");
	memset(b.b + b.len, 23, 100);
	b.len += 100;
	CHECK(is(HELLO_TLS, "a.example") && h.used == b.len - 100, "what follows is not looked at");
	hello_make(&b, "WWW.Example.COM.", 600);
	CHECK(is(HELLO_TLS, "www.example.com"), "in lower case, without the dot");
	hello_make(&b, NULL, 30);
	CHECK(is(HELLO_NAMELESS, NULL), "no name");
	hello_begin(&b);
	b.len = b.exts;
	hello_length(&b, b.message + 1, 3);
	hello_length(&b, 3, 2);
	CHECK(is(HELLO_NAMELESS, NULL), "no extensions");
	hello_make(&b, NULL, 0);
	b.b[b.message + 4 + 1] = 1;
	CHECK(is(HELLO_NAMELESS, NULL), "TLS 1.0");
	hello_begin(&b);
	hello_sni(&b, "outer.example", 13);
	hello_extension(&b, 0xfe0d, NULL, 300);
	hello_finish(&b);
	CHECK(is(HELLO_TLS, "outer.example"), "an encrypted hello has its outer name");
	for (i = 1, ok = true; i < 100; i++) {
		hello_make(&b, "a.example", 5);
		hello_cut(&b, i);
		ok &= is(HELLO_TLS, "a.example");
	}
	CHECK(ok, "in two records, in many");
	hello_make(&b, "a.example", 60000);
	CHECK(is(HELLO_NEITHER, NULL), "a record that is too long");
	hello_cut(&b, 16384);
	CHECK(is(HELLO_TLS, "a.example"), "... in several");
}

/* A hello of which a byte at @at is another. */
static bool bent(size_t at, uint8_t to)
{
	bool ok;
	uint8_t was = b.b[at];

	b.b[at] = to;
	ok = feed(b.b, b.len, b.len) == HELLO_NEITHER || feed(b.b, b.len, b.len) == HELLO_MORE;
	b.b[at] = was;
	return ok;
}

static void test_tls_bent(void)
{
	size_t i;
	bool ok;

	hello_make(&b, "a.example", 0);
	CHECK(bent(0, 21) && bent(0, 23) && bent(1, 2) && bent(4, 0) && bent(3, 0x41), "another record");
	CHECK(bent(b.message, 2) && bent(b.message + 4, 2) && bent(b.message + 3, 10), "another message");
	ok = bent(b.exts, 1) && bent(b.exts + 1, 1) && bent(b.names + 3, 15) && bent(b.names + 3, 13) &&
	     bent(b.names + 3, 0);
	CHECK(ok && bent(b.names + 5, 11) && bent(b.names + 5, 13) && bent(b.names + 8, 8) && bent(b.names + 8, 10),
	      "lengths that do not fit");
	CHECK(bent(b.names + 6, 1), "another type of name");
	CHECK(bent(b.names + 12, 0) && bent(b.names + 12, '/') && bent(b.names + 12, 0x80), "no name's bytes");
	hello_begin(&b);
	hello_sni(&b, "a.example", 9);
	hello_sni(&b, "b.example", 9);
	hello_finish(&b);
	CHECK(is(HELLO_NEITHER, NULL), "two lists of names");
	hello_begin(&b);
	hello_extension(&b, 0, "\0\14\0\0\11a.example\0\0\11b.example", 26);
	hello_finish(&b);
	CHECK(is(HELLO_NEITHER, NULL), "two names");
	hello_begin(&b);
	hello_extension(&b, 0, NULL, 0);
	hello_finish(&b);
	CHECK(is(HELLO_NEITHER, NULL), "an empty list, which is a server's");
	hello_begin(&b);
	hello_sni(&b, "", 0);
	hello_finish(&b);
	CHECK(is(HELLO_NEITHER, NULL), "an empty name");
	hello_begin(&b);
	hello_sni(&b, "a.example\0.b.example", 20);
	hello_finish(&b);
	CHECK(is(HELLO_NEITHER, NULL), "a name that ends twice");
	hello_make(&b, "192.0.2.1", 0);
	ok = is(HELLO_NEITHER, NULL);
	hello_make(&b, "2001:db8::1", 0);
	CHECK(ok && is(HELLO_NEITHER, NULL), "addresses");
	hello_make(&b, "a.example:443", 0);
	CHECK(is(HELLO_NEITHER, NULL), "a port");
	hello_make(&b, "a.example", 0);
	hello_put(&b, 4, 0x14000000);
	hello_length(&b, 3, 2);
	CHECK(is(HELLO_NEITHER, NULL), "another message in its last record");
	hello_make(&b, "a.example", 0);
	hello_cut(&b, 50);
	b.b[55] = 20;
	CHECK(is(HELLO_NEITHER, NULL), "another record in between");
	hello_make(&b, "a.example", 0);
	memmove(b.b + 5, b.b, b.len);
	memcpy(b.b, "\26\3\1\0\0", 5);
	b.len += 5;
	CHECK(is(HELLO_NEITHER, NULL), "an empty record");
	for (i = 0, ok = true; i < 254; i++)
		b.b[1000 + i] = i % 64 == 63 ? '.' : 'a';
	hello_begin(&b);
	hello_sni(&b, b.b + 1000, 253);
	hello_finish(&b);
	ok = is(HELLO_TLS, NULL) && strlen(h.name) == 253;
	hello_begin(&b);
	hello_sni(&b, b.b + 1000, 300);
	hello_finish(&b);
	CHECK(ok && is(HELLO_NEITHER, NULL), "as long as names are");
}

static void test_http(void)
{
	CHECK(http(HELLO_HTTP, "a.example", "GET /x?y HTTP/1.1\r\nHost: A.Example\r\n\r\n") && h.used == b.len,
	      "a Host");
	CHECK(http(HELLO_HTTP, "a.example", "POST / HTTP/1.0\r\nX: y\r\nhOST:a.example:8080 \t\r\nY:\r\n\r\nbody") &&
	      h.used == b.len - 4, "... with a port, among others, of HTTP/1.0");
	CHECK(http(HELLO_HTTP, "a.example", "OPTIONS * HTTP/1.1\r\nHost: a.example.\r\n\r\n"), "... of no path");
	CHECK(http(HELLO_HTTP, "a.example", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n") &&
	      http(HELLO_HTTP, "a.example", "GET HTTPS://A.example:443?x HTTP/1.1\r\nHost: a.example\r\n\r\n") &&
	      http(HELLO_HTTP, "a.example", "GET http://a.example HTTP/1.1\r\nHost: a.example:80\r\n\r\n"),
	      "a whole URI");
	CHECK(http(HELLO_NEITHER, NULL, "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
	      "... of another name");
	CHECK(http(HELLO_NEITHER, NULL, "GET http://a.example@b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n") &&
	      http(HELLO_NEITHER, NULL, "GET http:///x HTTP/1.1\r\nHost: a.example\r\n\r\n") &&
	      http(HELLO_NEITHER, NULL, "GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n") &&
	      http(HELLO_NEITHER, NULL, "GET http:/a.example HTTP/1.1\r\nHost: a.example\r\n\r\n"), "... bent");
	CHECK(http(HELLO_NAMELESS, NULL, "GET / HTTP/1.1\r\nX-Host: a.example\r\nHosts: b\r\nHos: c\r\n\r\n") &&
	      http(HELLO_NAMELESS, NULL, "GET http://a.example/ HTTP/1.0\r\n\r\n"), "no Host");
	CHECK(http(HELLO_NEITHER, NULL, "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n"), "two");
	CHECK(host("a.example", "a.example") && host(" \t a.example", "a.example") && host("a.example:", "a.example") &&
	      host("a_b.example:1", "a_b.example"), "ways to write it");
	CHECK(host("", NULL) && host("a.example:x", NULL) && host("a.example:123456", NULL) &&
	      host("a.example:80:80", NULL) &&
	      host("a.example b.example", NULL) && host("a.example,b.example", NULL) && host("a..example", NULL) &&
	      host("a.example/", NULL) && host("u@a.example", NULL) && host("a.ex\xc3\xa4mple", NULL),
	      "... that are none");
	CHECK(host("192.0.2.1", NULL) && host("192.0.2.1:80", NULL) && host("[2001:db8::1]", NULL) &&
	      host("[2001:db8::1]:80", NULL), "addresses");
}

static void test_http_bent(void)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\nHost: a.example\n\n", "GET / HTTP/1.1\r\nHost: a.example\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.example\r\rX", "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n",
		"GET / HTTP/1.1\r\nX: y\r\n Host: b.example\r\nHost: a.example\r\n\r\n",
		"GET / HTTP/1.1\r\n: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r ", "GET  / HTTP/1.1\r\n", "GET / HTTP/1.1 \r\n", "GET /\r\n",
		"GET / http/1.1\r\n", "GET / HTTP/1.2\r\n", "GET / HTTP/2.0\r\n", "GET\t/ HTTP/1.1\r\n",
		"\r\nGET / HTTP/1.1\r\n",
		" GET / HTTP/1.1\r\n", "GET a.example HTTP/1.1\r\n", "GET *x HTTP/1.1\r\n", "GET /\x01 HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\nX: \x01\r\n", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "EHLO a.example\r\n",
		"\x80\x2e\x01\x03\x01", "\x17\x03",
	};
	static const char zero[] = "GET / HTTP/1.1\r\nHost: a.ex\0mple\r\n\r\n";
	size_t i;
	bool ok = true;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!http(HELLO_NEITHER, NULL, bad[i])) {
			printf("# %zu\n", i);
			ok = false;
		}
	CHECK(ok, "what servers may read in another way, and what is no HTTP/1");
	b.len = 1;
	b.b[0] = 0;
	CHECK(is(HELLO_NEITHER, NULL), "a first byte of 0");
	memcpy(b.b, zero, sizeof(zero) - 1);
	b.len = sizeof(zero) - 1;
	CHECK(is(HELLO_NEITHER, NULL), "one in a Host");
	memset(b.b, 'x', sizeof(b.b));
	CHECK(feed(b.b, sizeof(b.b), sizeof(b.b)) == HELLO_MORE && h.used == sizeof(b.b), "a method of any length");
}

int main(void)
{
	test_tls();
	test_tls_bent();
	test_http();
	test_http_bent();
	return tap_done();
}

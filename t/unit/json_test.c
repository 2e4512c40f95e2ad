// SPDX-License-Identifier: ISC
/* json_test.c - the JSON reader: what it takes, refuses and finds; the writer: what it escapes. */
#include <errno.h>
#include <stdio.h>

#include "json.h"
#include "tap.h"
#include "util.h"

static int get(const char *text, const char *path, char *buf, size_t size)
{
	return json_get(text, strlen(text), path, buf, size);
}

static void test_found(void)
{
	static const struct {
		const char *text, *path, *value;
		int type;
	} cases[] = {
		{ "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-reset\"}}",
		  "data.reason", "guest-reset", JSON_STRING },
		{ "{\"a\":{\"b\":{\"c\":-1.5e+3}}}", "a.b.c", "-1.5e+3", JSON_NUMBER },
		{ " {\t\"a\" :\r\n 0 } \n", "a", "0", JSON_NUMBER },
		{ "{\"a\":true,\"b\":false,\"c\":null}", "b", "", JSON_FALSE },
		{ "{\"a\":true,\"b\":false,\"c\":null}", "a", "", JSON_TRUE },
		{ "{\"a\":true,\"b\":false,\"c\":null}", "c", "", JSON_NULL },
		{ "{\"return\":{}}", "return", "", JSON_OBJECT },
		{ "{\"return\":[1,{\"x\":[]}]}", "return", "", JSON_ARRAY },
		{ "{\"x\":[{\"a\":1}],\"a\":2}", "a", "2", JSON_NUMBER },
		{ "{\"a\":1,\"a\":2}", "a", "1", JSON_NUMBER },
		{ "{\"a\":{\"x\":1},\"a\":{\"y\":2}}", "a.y", "2", JSON_NUMBER },
		{ "{\"ab\":1,\"a\":2,\"abc\":3}", "a", "2", JSON_NUMBER },
		{ "{\"\\u0061\":1}", "a", "1", JSON_NUMBER },
		{ "\"plain\"", "", "plain", JSON_STRING },
		{ "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "s", "\"\\/\b\f\n\r\t", JSON_STRING },
		{ "{\"s\":\"\\u00e9\\u20AC\\ud83d\\ude00\"}", "s",
		  "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", JSON_STRING },
		{ "{\"s\":\"\xf4\x8f\xbf\xbf\"}", "s", "\xf4\x8f\xbf\xbf", JSON_STRING },
	};
	char name[128], buf[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int type = get(cases[i].text, cases[i].path, buf, sizeof(buf));

		snprintf(name, sizeof(name), "case %zu finds '%s'", i, cases[i].path);
		CHECK(type == cases[i].type && !strcmp(buf, cases[i].value), name);
	}
}

static void test_absent(void)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{ "{}", "a" },
		{ "{\"a\":1}", "a.b" },
		{ "{\"a\":{\"b\":1}}", "b" },
		{ "{\"ab\":1}", "a" },
		{ "{\"a\":1}", "ab" },
		{ "[{\"a\":1}]", "a" },
		{ "1", "a" },
	};
	char name[128], buf[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(name, sizeof(name), "%s has no '%s'", cases[i].text, cases[i].path);
		CHECK(get(cases[i].text, cases[i].path, buf, sizeof(buf)) == -ENOENT, name);
	}
}

static void test_refused(void)
{
	static const char *const cases[] = {
		"", " ", "{", "}", "{\"a\":1", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{,}",
		"{\"a\":1}x", "{\"a\":1}{\"a\":1}", "{\"a\":[1,]}", "{\"a\":[}", "{\"a\":01}",
		"{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":-}", "{\"a\":1e}", "{\"a\":nul}",
		"{\"a\":True}", "{\"a\":\"}", "{\"a\":\"\\\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\t\"}",
		"{\"a\":\"\\u12\"}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}",
		"{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800", "{'a':1}",
		"{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}",
		"{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "{\"a\":1}\v", "\xef\xbb\xbf{}",
	};
	char name[128], buf[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(name, sizeof(name), "malformed case %zu is refused", i);
		CHECK(get(cases[i], "a", buf, sizeof(buf)) == -EBADMSG, name);
	}
	CHECK(json_get("{\"a\":\"x\0y\"}", 11, "a", buf, sizeof(buf)) == -EBADMSG,
	      "a NUL byte is refused");
	CHECK(json_get("{\"a\":1}", 6, "a", buf, sizeof(buf)) == -EBADMSG, "the length bounds the text");
}

static void test_bounds(void)
{
	char deep[2 * JSON_DEPTH + 3] = "", buf[8];

	memset(deep, '[', JSON_DEPTH);
	memset(deep + JSON_DEPTH, ']', JSON_DEPTH);
	CHECK(get(deep, "", buf, sizeof(buf)) == JSON_ARRAY, "JSON_DEPTH levels are taken");
	memset(deep, '[', JSON_DEPTH + 1);
	memset(deep + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	CHECK(get(deep, "", buf, sizeof(buf)) == -EBADMSG, "one level more is refused");
	CHECK(get("{\"a\":\"1234567\"}", "a", buf, sizeof(buf)) == JSON_STRING &&
	      !strcmp(buf, "1234567"), "a value that just fits");
	CHECK(get("{\"a\":\"12345678\"}", "a", buf, sizeof(buf)) == -EMSGSIZE, "one that does not");
	CHECK(get("{\"a\":\"123456\\u20ac\"}", "a", buf, sizeof(buf)) == -EMSGSIZE,
	      "no character is cut in two");
	CHECK(get("{\"a\":12345678}", "a", buf, sizeof(buf)) == -EMSGSIZE, "a number that does not");
	CHECK(get("{\"a\":1}", "a", NULL, 0) == -EMSGSIZE, "no room at all");
}

static void test_quote(void)
{
	static const struct {
		const char *s;
		size_t len;
		const char *quoted;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "plain", 5, "\"plain\"" },
		{ "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" },
		{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
		{ "\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"" },
		{ "\xe2\x82\xac", 3, "\"\xe2\x82\xac\"" },
		{ "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"" },
	};
	char name[64], buf[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ssize_t n = json_quote(buf, sizeof(buf), cases[i].s, cases[i].len);

		snprintf(name, sizeof(name), "quote case %zu", i);
		CHECK(n == (ssize_t)strlen(cases[i].quoted) && !strcmp(buf, cases[i].quoted), name);
	}
	CHECK(json_quote(buf, 8, "12345", 5) == 7, "a quoted string that just fits");
	CHECK(json_quote(buf, 7, "12345", 5) == -EMSGSIZE, "one that does not");
}

int main(void)
{
	test_found();
	test_absent();
	test_refused();
	test_bounds();
	test_quote();
	return tap_done();
}

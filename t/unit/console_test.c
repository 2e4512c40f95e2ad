// SPDX-License-Identifier: ISC
/* console_test.c - vm-console's expressions, notations, records and checksum. TAP on stdout. */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "../../vm-console/guest.h"
#include "../../vm-console/match.h"
#include "../../vm-console/record.h"
#include "../../vm-console/regex.h"
#include "../../vm-console/sha256.h"
#include "../../vm-console/text.h"
#include "opts.h"
#include "util.h"

static int count, failures;

static void ok(bool good, const char *name)
{
	count++;
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", count, name);
}

/* Search @text in pieces of @piece. Return where the first match ends, or -1; -2: does not compile. */
static int search(const char *pattern, const char *text, size_t len, size_t piece)
{
	static struct regex re;
	static struct match m;
	size_t at = 0, used;
	char why[80];

	if (regex_compile(&re, pattern, why, sizeof(why)))
		return -2;
	match_start(&m, &re, '\n');
	for (;;) {
		size_t n = MIN(piece, len - at);
		bool found = match_feed(&m, text + at, n, &used);

		at += used;
		if (found)
			return (int)at;
		if (at == len)
			return -1;
	}
}

static void test_match(void)
{
	static const struct {
		const char *pattern, *text;
		int end;
	} cases[] = {
		{ "", "abc", 0 }, { "abc", "xxabcabc", 5 }, { "abc", "ababc", 5 }, { "a.c", "a\nc abc", 7 },
		{ "(", "", -2 }, { ")", "", -2 }, { "a)", "", -2 }, { "*a", "", -2 }, { "a{3,2}", "", -2 },
		{ "a{256}", "", -2 }, { "[a", "", -2 }, { "[z-a]", "", -2 }, { "[[:no:]]", "", -2 },
		{ "a\\", "", -2 }, { "\\w", "", -2 }, { "\\xg0", "", -2 }, { "a**", "aa", 0 },
		{ "a+", "baa", 2 }, { "a*b", "aaab", 4 }, { "(ab)+c", "ababc", 5 }, { "a?b", "b", 1 },
		{ "(a|bc)d", "abcd", 4 }, { "a|b|c", "xxc", 3 }, { "()x", "x", 1 }, { "(|a)b", "ab", 2 },
		{ "a{3}", "aaaa", 3 }, { "a{2,}b", "ab aab", 6 }, { "^a{1,2}b", "aaab\nab", 7 },
		{ "x{0}y", "y", 1 }, { "a{0,2}b", "aab", 3 }, { "a{", "a{", 2 }, { "a{x", "a{x", 3 },
		{ "[abc]+d", "abcd", 4 }, { "[^abc]", "abcx", 4 }, { "[^a]", "\nb", 2 }, { "[]]", "]", 1 },
		{ "[^]]", "]x", 2 }, { "[a-c-]d", "-d", 2 }, { "[[:digit:]]{2}", "a1b22", 5 },
		{ "[\\n]", "n", 1 }, { "\\n", "a\n", 2 }, { "\\x41\\e\\t\\r\\\\\\$", "A\033\t\r\\$", 6 },
		{ "^b", "ab\nb", 4 }, { "^", "a", 0 }, { "a$", "ab\na\n", 4 }, { "a$", "a\r\n", 1 },
		{ "a$", "a", -1 }, { "^$", "a\n\nb", 2 }, { "(^|x)y", "zxy", 3 }, { "a$\\r\\nb", "a\r\nb", 4 },
		{ "login: $", "login: \n", 7 }, { "[$#] ", "\r\nroot@vm:~# ", 13 }, { "\xff", "a\xff", 2 },
		{ "a.b", "a\xff" "b", 3 }, { "((((((a?){9}){9}){9}){9}){9}){9}", "", -2 },
		{ "((((((()){99}){99}){99}){99}){99}){99}", "", -2 }, { "(a|ab)(c|bcd)", "abcd", 3 },
	};
	char name[120];
	size_t i, piece;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool good = true;

		for (piece = 1; piece < 5; piece++)
			good &= search(cases[i].pattern, cases[i].text, strlen(cases[i].text),
				       piece) == cases[i].end;
		snprintf(name, sizeof(name), "match %zu: %.40s", i, cases[i].pattern);
		ok(good, name);
	}
	ok(search("a\\x00b", "xa\0b", 4, 2) == 4, "match: NUL bytes");
}

/* Whether regexec(3) finds @pattern in the first @end bytes of @text, and in no fewer. */
static bool agrees(const char *pattern, const char *text, int end)
{
	char copy[32];
	regex_t re;
	int n, first = -1;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NEWLINE | REG_NOSUB))
		return end == -2;
	for (n = 0; first < 0 && n <= (int)strlen(text); n++) {
		snprintf(copy, sizeof(copy), "%.*s", n, text);
		if (!regexec(&re, copy, 0, NULL, 0))
			first = n;
	}
	regfree(&re);
	return first == end;
}

static void test_against_libc(void)
{
	static const char pieces[][8] = { "a", "b", "ab", "(a|b)", "[ab]", "a*", "b+", "(ab)?", ".", "c",
					  "(a|bc)", "[^a]", "a{2}", "b{1,2}", "^", "\n" };
	unsigned int seed = 1, i, j;
	int bad = 0;

	for (i = 0; i < 20000; i++) {
		char pattern[40] = "", text[16];

		for (j = 0; j < 1 + i % 4; j++) {
			seed = seed * 1103515245 + 12345;
			strcat(pattern, pieces[(seed >> 16) % ARRAY_SIZE(pieces)]);
		}
		for (j = 0; j < sizeof(text) - 1; j++) {
			seed = seed * 1103515245 + 12345;
			text[j] = "abc\n"[(seed >> 16) % 4];
		}
		text[sizeof(text) - 1] = 0;
		if (!agrees(pattern, text, search(pattern, text, strlen(text), 1 + i % 5))) {
			printf("# differs from libc: %s\n", pattern);
			bad++;
		}
	}
	ok(!bad, "match: 20,000 random patterns as regexec(3) has it");
}

static void test_text(void)
{
	char out[64];
	size_t len;
	int key;

	ok(!text_unescape("a\\n\\r\\t\\e\\\\\\x00\\xFfb", out, &len) && len == 9 &&
	   !memcmp(out, "a\n\r\t\033\\\0\377b", 9), "text: escapes");
	ok(text_unescape("\\q", out, &len) == -EINVAL && text_unescape("\\", out, &len) == -EINVAL &&
	   text_unescape("\\x4", out, &len) == -EINVAL, "text: bad escapes");
	ok(!parse_key("^]", &key) && key == 0x1d && !parse_key("^a", &key) && key == 1 &&
	   !parse_key("^@", &key) && key == 0 && !parse_key("^?", &key) && key == 0x7f &&
	   !parse_key("~", &key) && key == '~' && !parse_key("^", &key) && key == '^' &&
	   !parse_key("", &key) && key == -1, "text: keys");
	ok(parse_key("^1", &key) && parse_key("ab", &key) && parse_key("^ab", &key), "text: bad keys");
}

static struct record_reader reader;

/* Feed @text. Return how many records of nonce "n" came; the last is in @rec. */
static int feed(const char *text, size_t len, struct record *rec)
{
	struct record r;
	int n = 0;
	size_t i;

	for (i = 0; i < len; i++)
		if (record_feed(&reader, (uint8_t)text[i]) && record_parse(&reader, "n", &r)) {
			*rec = r;
			n++;
		}
	return n;
}

static void test_records(void)
{
	static char big[RECORD_SIZE + 100];
	struct record r = { 0 };
#define FEED(s) feed(s, sizeof(s) - 1, &r)

	memset(&reader, 0, sizeof(reader));
	ok(FEED("noise\036n D 1 22 23\037") == 1 && r.op == 'D' && r.args == 3 &&
	   !strcmp(r.arg[1], "22") && reader.noise, "record: found in noise");
	ok(FEED("\036m D 1\037\036n\037\036\037\036n DD\037\036n D 1\r\n2\037\036n D 1\0002\037"
		"\036n D\0331\037") == 0, "record: foreign, empty and spoilt ones are none");
	ok(FEED("\036n D 1\036n X\037") == 1 && r.op == 'X', "record: a new one ends a torn one");
	ok(FEED("\036n D 1 2 3 4 5 6\037") == 0, "record: too many words");
	ok(FEED("\036n g 7 2 ff - b aG\r\nk=\r\n\037") == 1 && r.args == 5 &&
	   record_decode('b', r.data, r.len, big, sizeof(big)) == 2 && !memcmp(big, "hi", 2),
	   "record: a chunk");
	memset(big, 'a', sizeof(big));
	big[0] = RECORD_BEGIN;
	ok(feed(big, sizeof(big), &r) == 0 && !reader.open && FEED("\037\036n X\037") == 1,
	   "record: endless ones are given up");
}

static void test_decode(void)
{
	static const char *const bad[] = { "a", "aGk", "aGk=a", "aGk==", "aGl=", "aG k\x01=", "aGkA=" };
	unsigned char out[8];
	bool good = true;
	size_t i;

#define DECODE(c, s) record_decode(c, s, strlen(s), out, sizeof(out))
	ok(DECODE('b', "") == 0 && DECODE('b', "AP+A") == 3 && !memcmp(out, "\0\377\200", 3) &&
	   DECODE('b', "/w==") == 1 && out[0] == 0xff, "decode: base64");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		good &= DECODE('b', bad[i]) == -EBADMSG;
	ok(good, "decode: bad base64");
	ok(DECODE('x', " 00 ff\r\n 7f\r\n") == 3 && !memcmp(out, "\0\377\177", 3), "decode: od");
	ok(DECODE('x', "0") == -EBADMSG && DECODE('x', "0g") == -EBADMSG && DECODE('?', "") == -EBADMSG,
	   "decode: bad od");
	ok(DECODE('x', "000000000000000000") == -EMSGSIZE, "decode: too much");
}

static void test_sha256(void)
{
	char text[SHA256_TEXT], million[1000];
	bool good;

	sha256_text("", 0, text);
	good = !strcmp(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_text("abc", 3, text);
	good &= !strcmp(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text);
	good &= !strcmp(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(million, 'a', sizeof(million));
	sha256_text(million, sizeof(million), text);
	good &= !strcmp(text, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
	ok(good, "sha256: known answers");
}

static void test_guest(void)
{
	char line[GUEST_LINE], *quoted = guest_quote("-a%\\ '\n\377b");
	const char *p;
	bool good = true;

	ok(quoted && !strcmp(quoted, "\\055a\\045\\134\\040'\\012\\377b"), "guest: quoting");
	free(quoted);
	for (p = guest_helper; *p; p++)
		good &= *p >= ' ' && *p < 0x7f;
	ok(good, "guest: the helper is one line of visible characters");
	guest_loader(line, "01234567");
	ok(strlen(line) < 400 && line[0] == 025 && !strpbrk(line + 1, "!\t\036\037") &&
	   line[strlen(line) - 1] == '\n', "guest: the loader can be typed into a line editor");
	guest_probe(line, "01234567", 4294967295u);
	ok(!strpbrk(line + 1, "!\t\036\037") && !memcmp(line + strlen(line) - 2, "'\n", 2),
	   "guest: no echo of a probe is its answer");
}

int main(void)
{
	test_match();
	test_against_libc();
	test_text();
	test_records();
	test_decode();
	test_sha256();
	test_guest();
	printf("1..%d\n", count);
	return failures ? 1 : 0;
}

// SPDX-License-Identifier: ISC
/* names_test.c - which addresses stand for which names, for how long, and how many. */
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tap.h"

#define LABEL63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static struct addr number(unsigned int i)
{
	uint8_t b[4] = { 198, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

	return addr_v4(b);
}

static int learn(struct names *n, const char *name, unsigned int address, uint32_t ttl, uint64_t now)
{
	struct addr a = number(address);

	return names_learn(n, name, &a, ttl, now);
}

static bool has(const struct names *n, const char *name, unsigned int address, uint64_t now)
{
	struct addr a = number(address);

	return names_has(n, &a, name, now);
}

static unsigned int count(const struct names *n, unsigned int address, uint64_t now)
{
	const struct names_entry *at = NULL;
	struct addr a = number(address);
	unsigned int i = 0;

	while (names_next(n, &a, now, &at))
		i++;
	return i;
}

static bool is(const char *text, const char *want)
{
	char name[NAMES_TEXT];

	return !names_canonical(text, name) && !strcmp(name, want);
}

static void test_canonical(void)
{
	static const char *const bad[] = { "", ".", "..", ".a", "a..b", "a..", " a", "a b", "a\tb", "a*", "*.a", "a/b", "a\xc3\xbc", "a\x7f",
		LABEL63 "l", LABEL63 "l.a", "a." LABEL63 "l" };
	char longest[NAMES_TEXT + 2], name[NAMES_TEXT];
	bool refused = true;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused &= names_canonical(bad[i], name) == -EINVAL;
	CHECK(refused, "what is no name is none");
	CHECK(is("WWW.Example.COM.", "www.example.com") && is("_a._b", "_a._b") && is("1.2.in-addr.arpa", "1.2.in-addr.arpa"),
	      "a name in small letters, without the last dot");
	CHECK(is(LABEL63 "." LABEL63, LABEL63 "." LABEL63), "labels of 63");
	for (i = 0; i < NAMES_TEXT - 1; i++)
		longest[i] = i % 2 ? '.' : 'a';
	longest[i] = '\0';
	CHECK(!names_canonical(longest, name) && strlen(name) == 253, "253 bytes");
	strcpy(longest + i, ".");
	CHECK(!names_canonical(longest, name) && strlen(name) == 253, "... and a dot");
	strcpy(longest + i, "a");
	CHECK(names_canonical(longest, name) == -EINVAL, "... and no more");
}

static void test_life(void)
{
	struct names *n = names_new(100);
	const struct names_entry *at = NULL;
	struct addr a = number(1);

	CHECK(!names_next(n, &a, 0, &at), "nothing at first");
	CHECK(!learn(n, "A.example.", 1, 10, 1000) && has(n, "a.example", 1, 1000), "a name is learnt");
	CHECK(!has(n, "a.example", 2, 1000) && !has(n, "b.example", 1, 1000), "... for its address");
	CHECK(has(n, "a.example", 1, 300999) && !has(n, "a.example", 1, 301000), "... for 300 s at least");
	CHECK(!learn(n, "a.example", 1, 10, 301000) && has(n, "a.example", 1, 600999), "it is learnt anew when it has expired");
	CHECK(names_stats(n).entries == 1, "... in its place");
	CHECK(!learn(n, "a.example", 1, 1000, 301000) && has(n, "a.example", 1, 1300999) && !has(n, "a.example", 1, 1301000),
	      "a longer life");
	CHECK(!learn(n, "a.example", 1, 0, 302000) && has(n, "a.example", 1, 1300999), "... is not made shorter");
	CHECK(learn(n, "not a name", 1, 0, 0) == -EINVAL && names_stats(n).entries == 1 && !names_stats(n).refused, "no name");
	CHECK(!learn(n, "b.example", 1, 0, 302000) && has(n, "a.example", 1, 302000) && has(n, "b.example", 1, 302000) &&
	      count(n, 1, 302000) == 2, "an address has a set of names");
	CHECK(!learn(n, "b.example", 2, 0, 302000) && has(n, "b.example", 1, 302000) && count(n, 2, 302000) == 1,
	      "... and a name of addresses");
	CHECK(count(n, 1, 700000) == 1, "only those that live");
	CHECK(names_lifetime(0) == 300 && names_lifetime(301) == 301 && names_lifetime(86401) == 86400 && names_lifetime(1u << 31) == 300 &&
	      names_lifetime(UINT32_MAX) == 300, "from five minutes to a day");
	CHECK(!learn(n, "long.example", 3, 0x7fffffff, 0) && has(n, "long.example", 3, 86399999) && !has(n, "long.example", 3, 86400000),
	      "no answer lives longer");
	names_free(n);
	names_free(NULL);
}

static void test_room(void)
{
	struct names *n = names_new(4);
	char name[32];
	unsigned int i;
	int err = 0;

	for (i = 0; i < 4; i++)
		learn(n, "a.example", i, 1000 - 100 * i, 0);
	CHECK(learn(n, "a.example", 9, 0, 699999) == -ENOSPC && names_stats(n).refused == 1 && names_stats(n).entries == 4,
	      "a full table refuses, and counts");
	CHECK(!learn(n, "a.example", 2, 800, 0) && names_stats(n).refused == 1, "... not what it has");
	CHECK(!learn(n, "a.example", 9, 600, 700000) && names_stats(n).evicted == 1 && has(n, "a.example", 9, 700000) &&
	      has(n, "a.example", 0, 0) && has(n, "a.example", 1, 0) && has(n, "a.example", 2, 0) && !has(n, "a.example", 3, 0),
	      "what expires first makes room when it has");
	CHECK(learn(n, "a.example", 10, 0, 799999) == -ENOSPC, "... and then no other");
	CHECK(!learn(n, "a.example", 10, 0, 900000) && !has(n, "a.example", 2, 0) && has(n, "a.example", 1, 0) &&
	      !learn(n, "a.example", 11, 0, 900000) && !has(n, "a.example", 1, 0), "... one after the other");
	names_free(n);

	n = names_new(NAMES_PER_ADDR + 10);
	for (i = 0; i < NAMES_PER_ADDR && !err; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		err = learn(n, name, 1, 0, 0);
	}
	CHECK(!err && count(n, 1, 0) == NAMES_PER_ADDR, "many names of one address");
	CHECK(learn(n, "more.example", 1, 0, 0) == -ENOSPC && names_stats(n).refused == 1, "... but no more");
	CHECK(!learn(n, "more.example", 2, 0, 0), "... others have theirs");
	CHECK(!learn(n, "more.example", 1, 0, 300000) && count(n, 1, 300000) == 1 && names_stats(n).entries == 2,
	      "... until they have expired, and are gone then");
	names_free(n);
}

/* Against a table that is nothing but an array. */
static void test_many(void)
{
	enum { ADDRESSES = 50, NAMES = 40, CAP = 700, ROUNDS = 100000 };
	static uint64_t expires[ADDRESSES][NAMES];
	struct names *n = names_new(CAP);
	unsigned int i, a, k, seed = 1;
	uint64_t now = 0;
	bool same = true;

	for (i = 0; i < ROUNDS; i++) {
		char name[32];
		uint32_t ttl;

		seed = seed * 1664525 + 1013904223;
		a = (seed >> 8) % ADDRESSES;
		k = (seed >> 16) % NAMES;
		ttl = (seed >> 4) % 2000;
		now += seed >> 23;
		snprintf(name, sizeof(name), "n%u", k);
		same &= has(n, name, a, now) == (expires[a][k] > now);
		if (learn(n, name, a, ttl, now) == 0 && expires[a][k] < now + names_lifetime(ttl) * 1000ull)
			expires[a][k] = now + names_lifetime(ttl) * 1000ull;
		same &= names_stats(n).entries <= CAP;
	}
	CHECK(same, "as many as there are, none is lost and none kept");
	CHECK(names_stats(n).refused && names_stats(n).evicted, "... with the table full");
	names_free(n);
}

/* What it costs to learn, and to look an address up, with a table that is full and all of it alive or expired. */
static void measure(void)
{
	enum { CAP = 65536 };
	struct names *n = names_new(CAP);
	struct timespec t[4];
	unsigned int i, known = 0;

	clock_gettime(CLOCK_MONOTONIC, &t[0]);
	for (i = 0; i < CAP; i++)
		learn(n, "www.some.example", i, 300 + i % 1000, 0);
	clock_gettime(CLOCK_MONOTONIC, &t[1]);
	for (i = 0; i < CAP; i++)
		known += has(n, "www.some.example", i, 0);
	clock_gettime(CLOCK_MONOTONIC, &t[2]);
	for (i = 0; i < CAP; i++)
		learn(n, "www.other.example", CAP + i, 300, 2000000);
	clock_gettime(CLOCK_MONOTONIC, &t[3]);
	CHECK(known == CAP && names_stats(n).evicted == CAP, "a large table, filled twice");
	for (i = 0; i < 3; i++)
		printf("# %s: %ld ns\n", i ? i == 1 ? "look-up" : "to learn in another's place" : "to learn",
		       ((t[i + 1].tv_sec - t[i].tv_sec) * 1000000000 + t[i + 1].tv_nsec - t[i].tv_nsec) / CAP);
	names_free(n);
}

int main(void)
{
	test_canonical();
	test_life();
	test_room();
	test_many();
	measure();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* policy_index_test.c - the first of many rules, as one finds it that looks at them one by one. */
#include "policy_world.h"

enum { RULES = 400, QUERIES = 20000 };

static unsigned int seed = 1;

static unsigned int chance(unsigned int n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 10) % n;
}

/* An address among few, of either family. */
static struct addr some_address(void)
{
	uint8_t v4[4] = { 203, 0, (uint8_t)(112 + chance(16)), (uint8_t)chance(256) };
	struct addr a = address("2001:db8::");

	if (chance(2))
		return addr_v4(v4);
	a.b[14] = (uint8_t)chance(16);
	a.b[15] = (uint8_t)chance(256);
	return a;
}

static void cut(struct addr_range *r)
{
	unsigned int i;

	for (i = r->bits; i < 128; i++)
		r->addr.b[i / 8] &= (uint8_t)~(0x80 >> i % 8);
}

static struct policy *ranges(struct addr_range *r)
{
	static char text[RULES * 80];
	char error[POLICY_ERROR];
	size_t len = 0;
	int i;

	for (i = 0; i < RULES; i++) {
		char a[ADDR_TEXT];
		bool v4;

		r[i] = (struct addr_range){ some_address(), 128 - chance(chance(8) ? 5 : 9) };
		cut(&r[i]);
		v4 = addr_is_v4(&r[i].addr);
		if (chance(3)) {
			len += (size_t)sprintf(text + len, "deny tcp %s/%u\n", addr_format(&r[i].addr, a), r[i].bits - (v4 ? 96 : 0));
		} else {
			r[i].bits = 128;
			len += (size_t)sprintf(text + len, "deny tcp %s\n", addr_format(&r[i].addr, a));
		}
	}
	return policy(text, error);
}

static void test_ranges(void)
{
	static struct addr_range r[RULES];
	unsigned int round, i, q, found = 0;
	bool same = true;

	for (round = 0; round < 10; round++) {
		struct policy *p = ranges(r);

		for (q = 0; q < QUERIES / 10; q++) {
			struct policy_flow f = { POLICY_TCP, some_address(), 80 };
			struct policy_verdict v;

			for (i = 0; i < RULES && !addr_in(&f.to, &r[i]); i++)
				;
			policy_judge(p, &f, &world.view, &v);
			same &= v.line == (i < RULES ? i + 1 : 0);
			found += i < RULES;
		}
		policy_unref(p);
	}
	CHECK(same, "prefixes within prefixes");
	printf("# %u of %u matched\n", found, QUERIES);
	CHECK(found > QUERIES / 10 && found < QUERIES / 10 * 9, "... some match and some do not");
}

static void some_name(char name[64])
{
	unsigned int labels = 1 + chance(3), i;
	size_t len = 0;

	for (i = 0; i < labels; i++)
		len += (size_t)sprintf(name + len, "%c%s", 'a' + (char)chance(5), chance(4) ? "" : "b");
	for (i = 0; i < labels; i++)
		len += (size_t)sprintf(name + len, ".%c", 'a' + (char)chance(5));
}

static bool naive(const char *pattern, const char *name)
{
	size_t p = strlen(pattern + 1), n = strlen(name);

	if (*pattern != '*')
		return !strcmp(pattern, name);
	return n > p && !strcmp(name + n - p, pattern + 1);
}

static void test_names(void)
{
	static char pattern[RULES][66], text[RULES * 80];
	char error[POLICY_ERROR], name[64];
	unsigned int i, q, found = 0;
	struct policy_verdict v;
	bool same = true;
	struct policy *p;
	size_t len = 0;

	for (i = 0; i < RULES; i++) {
		some_name(name);
		sprintf(pattern[i], "%s%s", chance(2) ? "*." : "", name);
		len += (size_t)sprintf(text + len, "deny dns %s\n", pattern[i]);
	}
	p = policy(text, error);
	for (q = 0; q < QUERIES; q++) {
		some_name(name);
		for (i = 0; i < RULES && !naive(pattern[i], name); i++)
			;
		policy_judge_name(p, name, &world.space, &v);
		same &= v.line == (i < RULES ? i + 1 : 0);
		found += i < RULES;
	}
	policy_unref(p);
	CHECK(same, "names and wildcards");
	printf("# %u of %u matched\n", found, QUERIES);
	CHECK(found > QUERIES / 10 && found < QUERIES / 10 * 9, "... some match and some do not");
}

int main(void)
{
	world_new();
	test_ranges();
	test_names();
	world_free();
	return tap_done();
}

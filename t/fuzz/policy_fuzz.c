// SPDX-License-Identifier: ISC
/*
 * policy_fuzz.c - no text makes the parser of policies misbehave, what it refuses it explains in one line, and what
 * it takes never opens protected space but by what says so. The first byte says what the rest is: a policy, a number for each
 * word of one, a name, or messages of the kernel.
 */
#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hostaddr.h"
#include "names.h"
#include "policy.h"
#include "policy_parse.h"
#include "space.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const known[] = { "a.example", "www.b.example", "x", "1.2.arpa" };

/* Whether a text has anything that may open an address: digits and colons are in all of those, or one is called host. */
static bool may_open(const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if ((text[i] >= '0' && text[i] <= '9') || text[i] == ':' || (i + 4 <= size && !memcmp(text + i, "host", 4)))
			return true;
	return false;
}

static void judge_all(const struct policy *p, const struct policy_view *view, bool opened)
{
	static const char *const to[] = { "127.0.0.1", "169.254.169.254", "::1", "198.51.100.1", "2001:db8::1", "10.0.2.2" };
	struct policy_verdict v;
	unsigned int i, proto;

	for (i = 0; i < ARRAY_SIZE(to); i++)
		for (proto = 0; proto < POLICY_DNS; proto++) {
			struct policy_flow f = { .proto = proto, .port = proto == POLICY_ICMP ? 0 : 443 };

			if (addr_parse(to[i], &f.to))
				abort();
			policy_judge(p, &f, view, &v);
			assert(!v.redirect || (v.allow && proto == POLICY_TCP));
			assert(!v.protected || !v.allow);
			assert(!v.sni || (v.allow && proto == POLICY_TCP));
			assert(opened || !v.allow || !space_protected(view->space, &f.to) || space_role(view->space, &f.to));
			policy_judge_as(p, &f, view, known[i % ARRAY_SIZE(known)], &v);
		}
	for (i = 0; i < ARRAY_SIZE(known); i++)
		policy_judge_name(p, known[i], view->space, &v);
	policy_judge_name(p, ".", view->space, &v);
}

static void try_policy(const uint8_t *data, size_t size)
{
	static const char *const shared[] = { "127.0.0.1", "169.254.169.254", "::1", "198.51.100.1" };
	struct policy *p = NULL;
	struct policy_view view;
	struct space space;
	struct addr_range virtual;
	char error[POLICY_ERROR] = "", *text = malloc(size + 1);
	struct addr a;
	size_t i;

	memcpy(text, data, size);
	if (policy_parse(text, size, "p", &p, error)) {
		assert(!p && !strncmp(error, "p:", 2));
		for (i = 0; error[i]; i++)
			assert(isprint((unsigned char)error[i]));
		free(text);
		return;
	}
	free(text);
	space_init(&space);
	if (addr_parse_range("10.0.2.0/24", &virtual) || space_add_virtual(&space, &virtual) || addr_parse("10.0.2.2", &a) ||
	    space_add_router(&space, &a, SPACE_GATEWAY))
		abort();
	view = (struct policy_view){ &space, names_new(64), 0 };
	for (i = 0; i < 16; i++)
		if (addr_parse(shared[i % 4], &a) || names_learn((struct names *)view.names, known[i / 4], &a, 0, 0))
			abort();
	judge_all(p, &view, may_open((const char *)data, size));
	names_free((struct names *)view.names);
	policy_unref(p);
}

/* A policy of words that mean something, a byte for each. */
static void try_words(const uint8_t *data, size_t size)
{
	static const char *const words[] = {
		"\n", "\nallow", "\ndeny", "\nlog", "\nredirect", "\ndefault", " allow", " deny", " tcp", " udp", " icmp", " dns", " any",
		" *", " *.", " host", " a.example", " *.example", " x", ",", ",*", ",host", ",www.b.example", " port", " 443", " 80-90", "-",
		" sni", " to", " unix:/s", " proxy-v2", " 127.0.0.1", " 0.0.0.0/0", " ::/0", " ::1-::2", ",10.0.0.0/8", " 127.0.0.1:1",
		" [::1]:1", ",443", "#", " allow tcp a.example", "\nallow tcp *", "\nredirect tcp * port 443 to unix:/s",
		"\nallow tcp a.example,*.example port 443 sni", " 169.254.0.0/16", "\nlog any *", "\nallow any *,a.example,x",
	};
	char *text;
	size_t len = 0, i;

	size = MIN(size, (size_t)1000);
	text = malloc(64 * size + 1);
	for (i = 0; i < size; i++)
		len += (size_t)sprintf(text + len, "%s", words[data[i] % ARRAY_SIZE(words)]);
	try_policy((const uint8_t *)text, len);
	free(text);
}

static void try_names(const uint8_t *data, size_t size)
{
	char text[300], name[NAMES_TEXT], again[NAMES_TEXT];

	size = MIN(size, sizeof(text) - 1);
	memcpy(text, data, size);
	text[size] = '\0';
	if (names_canonical(text, name))
		return;
	assert(!names_canonical(name, again) && !strcmp(name, again) && *name && strlen(name) <= strlen(text));
}

/* Each datagram is a length and its bytes. */
static void try_netlink(const uint8_t *data, size_t size)
{
	struct hostaddr *h = hostaddr_new();
	struct addr a = { { 0 } };

	while (size > 1) {
		size_t len = MIN((size_t)data[0], size - 1);
		uint8_t *bytes = malloc(len ? len : 1);

		memcpy(bytes, data + 1, len);
		hostaddr_feed(h, bytes, len);
		free(bytes);
		data += 1 + len;
		size -= 1 + len;
	}
	hostaddr_has(h, &a);
	hostaddr_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] == 'n')
		try_names(data + 1, size - 1);
	else if (data[0] == 'w')
		try_words(data + 1, size - 1);
	else if (data[0] == 'k')
		try_netlink(data + 1, size - 1);
	else
		try_policy(data + 1, size - 1);
	return 0;
}

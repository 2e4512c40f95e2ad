// SPDX-License-Identifier: ISC
/* policy_dest.c - the words of a policy's rule that need more than a comparison: destinations, ports, targets. */
#include "policy_dest.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "opts.h"
#include "util.h"

/* Copy the part of a text before @end. Return: false when it does not fit. */
static bool before(const char *text, const char *end, char *out, size_t size)
{
	size_t len = (size_t)(end - text);

	if (len >= size)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

/* FIRST-LAST. Return: 0; -EINVAL. */
static int parse_span(const char *text, struct addr *first, struct addr *last)
{
	const char *dash = strchr(text, '-');
	char left[ADDR_TEXT];

	if (!before(text, dash, left, sizeof(left)) || addr_parse(left, first) || addr_parse(dash + 1, last))
		return -EINVAL;
	return addr_is_v4(first) == addr_is_v4(last) && memcmp(first, last, sizeof(*first)) <= 0 ? 0 : -EINVAL;
}

/* Set the bits beyond a prefix. */
static struct addr last_of(const struct addr_range *r)
{
	struct addr last = r->addr;
	unsigned int i;

	for (i = r->bits; i < 128; i++)
		last.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return last;
}

/* A name or *.NAME, whose last label is no number: that is an address gone wrong. Return: 0; -EINVAL. */
static int parse_name(const char *text, char name[NAMES_TEXT + 2])
{
	bool wild = !strncmp(text, "*.", 2);
	const char *last;

	if (names_canonical(text + (wild ? 2 : 0), name + (wild ? 2 : 0)))
		return -EINVAL;
	if (wild)
		memcpy(name, "*.", 2);
	last = strrchr(name, '.');
	last = last ? last + 1 : name;
	return last[strspn(last, "0123456789")] && strncmp(last, "0x", 2) != 0 ? 0 : -EINVAL;
}

/* Whether a text was meant as an address: it begins like one. */
static bool like_address(const char *text, const char *end)
{
	char part[ADDR_TEXT];
	struct addr a;

	return before(text, end, part, sizeof(part)) && !addr_parse(part, &a);
}

static int add_address(struct policy_index *x, uint32_t rule, const char *text, const char **why)
{
	const char *mark = strpbrk(text, "/-");
	struct addr_range r;
	struct addr last;

	if (mark && *mark == '-') {
		*why = "is no range; expected two addresses of one family, the lower one first";
		if (parse_span(text, &r.addr, &last))
			return -EINVAL;
	} else {
		*why = "is no prefix; expected ADDRESS/BITS, at most 32 bits, of IPv6 128, and none of the address "
		       "beyond them";
		if (addr_parse_range(text, &r))
			return -EINVAL;
		last = last_of(&r);
	}
	return policy_index_add_range(x, rule, &r.addr, &last);
}

/**
 * policy_dest_add() - add a destination of a rule to the index
 * @x: not finished
 * @rule: its number
 * @text: the word
 * @kind: set to what it is
 * @why: set to what is wrong with it, to follow the word
 * Return: 0; -EINVAL; -ENOMEM.
 */
int policy_dest_add(struct policy_index *x, uint32_t rule, const char *text, enum policy_dest *kind, const char **why)
{
	const char *mark = strpbrk(text, "/-");
	char name[NAMES_TEXT + 2];

	*kind = POLICY_DEST_ADDRESS;
	if (like_address(text, mark ? mark : text + strlen(text)))
		return add_address(x, rule, text, why);
	*why = "is no destination; expected an address, ADDRESS/BITS, FIRST-LAST, a name, *.NAME, host or *";
	if (!strcmp(text, "*")) {
		*kind = POLICY_DEST_STAR;
		policy_index_add_star(x, rule);
		return 0;
	}
	if (!strcmp(text, "host")) {
		*kind = POLICY_DEST_HOST;
		policy_index_add_host(x, rule);
		return 0;
	}
	*kind = POLICY_DEST_NAME;
	return parse_name(text, name) ? -EINVAL : policy_index_add_name(x, rule, name);
}

/** policy_dest_ports() - read P or P-P. @text. @ports: set. Return: 0; -EINVAL. */
int policy_dest_ports(const char *text, struct policy_ports *ports)
{
	const char *dash = strchr(text, '-');
	uint64_t first, last;
	char left[8];

	if (!before(text, dash ? dash : text + strlen(text), left, sizeof(left)) || parse_u64(left, 1, UINT16_MAX, &first) ||
	    parse_u64(dash ? dash + 1 : left, first, UINT16_MAX, &last))
		return -EINVAL;
	*ports = (struct policy_ports){ (uint16_t)first, (uint16_t)last };
	return 0;
}

static int parse_socket(const char *path, struct policy_target *t, const char **why)
{
	if (*path != '/') {
		*why = "is no target; expected a path from / on after unix:";
		return -EINVAL;
	}
	if (strlen(path) >= sizeof(t->path)) {
		*why = "is no target; expected a path of at most 107 bytes";
		return -EINVAL;
	}
	strcpy(t->path, path);
	return 0;
}

/**
 * policy_dest_target() - read unix:PATH or ADDRESS:PORT, IPv6 in brackets
 * @text: the word
 * @t: filled in
 * @why: set to what is wrong with it
 * Return: 0; -EINVAL.
 */
int policy_dest_target(const char *text, struct policy_target *t, const char **why)
{
	bool bracket = *text == '[';
	const char *colon = strrchr(text, ':'), *end;
	char address[ADDR_TEXT];
	uint64_t port;

	*t = (struct policy_target){ 0 };
	if (!strncmp(text, "unix:", 5))
		return parse_socket(text + 5, t, why);
	*why = "is no target; expected unix:/PATH, ADDRESS:PORT or [IPV6]:PORT";
	if (!colon || colon == text)
		return -EINVAL;
	end = bracket ? colon - 1 : colon;
	if ((bracket && *end != ']') || !before(text + bracket, end, address, sizeof(address)) ||
	    addr_parse(address, &t->addr) || !strchr(address, ':') != !bracket ||
	    parse_u64(colon + 1, 1, UINT16_MAX, &port))
		return -EINVAL;
	t->port = (uint16_t)port;
	return 0;
}

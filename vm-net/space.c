// SPDX-License-Identifier: ISC
/*
 * space.c - what addresses are: protected, of this host, the virtual router's, or given a name on purpose.
 *
 * Protected is what a guest must not reach because of a mere name, a star or a default: this host in every
 * notation, what the clouds tell their machines about themselves, and what is not unicast.
 */
#include "space.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "hostaddr.h"
#include "util.h"

static const char *const fixed[] = {
	"0.0.0.0/8",                    /* this host on this network, RFC 1122 §3.2.1.3 */
	"127.0.0.0/8",
	"169.254.0.0/16",               /* link-local; 169.254.169.254 is most clouds' metadata service */
	"224.0.0.0/4",                  /* multicast */
	"240.0.0.0/4",                  /* reserved, and 255.255.255.255 */
	"100.100.100.200",              /* metadata of Alibaba Cloud */
	"168.63.129.16",                /* ... of Azure, beside 169.254.169.254 */
	"192.0.0.192",                  /* ... of Oracle Cloud */
	"::/96",                        /* ::, ::1, and IPv4-compatible addresses, RFC 4291 §2.5.5.1 */
	"fe80::/10",                    /* link-local */
	"ff00::/8",                     /* multicast */
	"fd00:ec2::254",                /* metadata of AWS */
	"fd20:ce::254",                 /* ... of Google Cloud */
};

/* Prefixes that routers on the way translate to IPv4, and where in the address that is. */
static const struct { struct addr_range prefix; unsigned int at; } embedding[] = {
	{ { { { 0, 0x64, 0xff, 0x9b } }, 96 }, 12 },            /* 64:ff9b::/96, NAT64, RFC 6052 */
	{ { { { [8] = 0xff, 0xff } }, 96 }, 12 },               /* ::ffff:0:0:0/96, SIIT, RFC 2765 */
	{ { { { 0x20, 0x02 } }, 16 }, 2 },                      /* 2002::/16, 6to4, RFC 3056 */
};

/** space_init() - what is protected everywhere, and no more. @s: filled in. */
void space_init(struct space *s)
{
	size_t i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < ARRAY_SIZE(fixed); i++) {
		int err = addr_parse_range(fixed[i], &s->range[s->ranges++]);

		assert(!err);
		(void)err;
	}
}

/** space_virtual() - the prefix of the virtual network that has an address. @s, @a. Return: @s's, or NULL. */
const struct addr_range *space_virtual(const struct space *s, const struct addr *a)
{
	size_t i;

	for (i = ARRAY_SIZE(fixed); i < s->ranges; i++)
		if (addr_in(a, &s->range[i]))
			return &s->range[i];
	return NULL;
}

/** space_add_virtual() - protect a prefix of the virtual network. @s. @r: copied. Return: 0; -ENOSPC. */
int space_add_virtual(struct space *s, const struct addr_range *r)
{
	if (s->ranges == SPACE_RANGES)
		return -ENOSPC;
	s->range[s->ranges++] = *r;
	return 0;
}

/** space_add_router() - an address of ours in the virtual network. @s. @a: copied. @role. Return: 0; -ENOSPC. */
int space_add_router(struct space *s, const struct addr *a, enum space_role role)
{
	if (s->routers == SPACE_ROUTERS)
		return -ENOSPC;
	s->router[s->routers].addr = *a;
	s->router[s->routers++].role = role;
	return 0;
}

/**
 * space_map() - give an address a name for good, the deliberate way in to protected space
 * @s: filled in
 * @text: NAME=ADDRESS
 * Return: 0; -EINVAL for what is not that; -ENOSPC.
 */
int space_map(struct space *s, const char *text)
{
	const char *equals = strchr(text, '=');
	char name[NAMES_TEXT + 1];

	if (!equals || (size_t)(equals - text) >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	if (s->maps == SPACE_MAPS)
		return -ENOSPC;
	if (names_canonical(name, s->map[s->maps].name) || addr_parse(equals + 1, &s->map[s->maps].addr))
		return -EINVAL;
	s->maps++;
	return 0;
}

/* The IPv4 address that an IPv6 address ends up as. Return: false when it does not. */
static bool embedded(const struct addr *a, struct addr *v4)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(embedding); i++) {
		if (!addr_in(a, &embedding[i].prefix))
			continue;
		*v4 = addr_v4(a->b + embedding[i].at);
		return true;
	}
	return false;
}

static bool is_fixed(const struct space *s, const struct addr *a)
{
	size_t i;

	for (i = 0; i < s->ranges; i++)
		if (addr_in(a, &s->range[i]))
			return true;
	return false;
}

/** space_protected() - whether an address is protected; one with a mapped name is, too. @s, @a. Return: so. */
bool space_protected(const struct space *s, const struct addr *a)
{
	struct addr v4;

	if (is_fixed(s, a) || (s->host && hostaddr_has(s->host, a)))
		return true;
	return !addr_is_v4(a) && embedded(a, &v4) && space_protected(s, &v4);
}

/**
 * space_host() - whether `host` in a policy means an address: the gateway, and this host's addresses but those that
 * are protected for another reason (loopback, link-local)
 * @s, @a
 * Return: so.
 */
bool space_host(const struct space *s, const struct addr *a)
{
	return space_role(s, a) == SPACE_GATEWAY || (s->host && hostaddr_has(s->host, a) && !is_fixed(s, a));
}

/** space_role() - which address of the virtual router one is. @s, @a. Return: so. */
enum space_role space_role(const struct space *s, const struct addr *a)
{
	size_t i;

	for (i = 0; i < s->routers; i++)
		if (addr_equal(&s->router[i].addr, a))
			return s->router[i].role;
	return SPACE_ORDINARY;
}

/** space_mapped() - walk an address's mapped names. @s, @a. @at: 0 at first; moved on. Return: one; NULL at the end. */
const char *space_mapped(const struct space *s, const struct addr *a, size_t *at)
{
	while (*at < s->maps)
		if (addr_equal(&s->map[(*at)++].addr, a))
			return s->map[*at - 1].name;
	return NULL;
}

/** space_knows() - whether a name is mapped. @s. @name: canonical. Return: so. */
bool space_knows(const struct space *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->maps; i++)
		if (!strcmp(s->map[i].name, name))
			return true;
	return false;
}

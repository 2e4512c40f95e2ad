// SPDX-License-Identifier: ISC
/* networds.c - what a network card is to be, in the host's words (proto.h, NET): "MAC KEY=VALUE[,VALUE]... ..." */
#include "networds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum { MTU_MIN = 68, MTU_MAX = 65535 };

/* Digits alone, @most at most. */
static bool parse_number(const char *text, unsigned long most, unsigned int *n)
{
	unsigned long value;

	if (!*text || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
		return false;
	value = strtoul(text, NULL, 10);
	*n = (unsigned int)value;
	return value <= most;
}

/* ADDRESS[/BITS] */
static bool parse_address(const char *text, struct networds_address *a)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	a->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	a->len = a->family == AF_INET6 ? 16 : 4;
	a->bits = a->family == AF_INET6 ? 64 : 24;
	if (len >= sizeof(host) || (slash && !parse_number(slash + 1, 8 * a->len, &a->bits)))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return inet_pton(a->family, host, a->bytes) == 1;
}

static bool take_address(struct networds_address list[NETWORDS_ADDRESSES], unsigned int *n, const char *text)
{
	return *n < NETWORDS_ADDRESSES && parse_address(text, &list[(*n)++]);
}

static bool take_server(struct networds *w, const char *text)
{
	struct networds_address a;

	if (w->servers == NETWORDS_ADDRESSES || strchr(text, '/') || !parse_address(text, &a))
		return false;
	return inet_ntop(a.family, a.bytes, w->server[w->servers++], INET6_ADDRSTRLEN);
}

/* One word. Return: false for a value that means nothing; what a later host may say means no harm. */
static bool take_word(struct networds *w, char *word)
{
	char *value = strchr(word, '='), *one;
	bool good = true;

	if (!value)
		return true;
	*value++ = '\0';
	while (good && (one = strsep(&value, ","))) {
		if (strcmp(word, "mtu") == 0)
			good = parse_number(one, MTU_MAX, &w->mtu) && w->mtu >= MTU_MIN;
		else if (strcmp(word, "addr") == 0 || strcmp(word, "addr6") == 0)
			good = take_address(w->address, &w->addresses, one);
		else if (strcmp(word, "gateway") == 0 || strcmp(word, "gateway6") == 0)
			good = take_address(w->gateway, &w->gateways, one);
		else if (strcmp(word, "dns") == 0 && *one)
			good = take_server(w, one);
	}
	return good;
}

/**
 * networds_parse() - read them
 * @text: of any length
 * @w: filled in
 * Return: 0; -EINVAL: they mean nothing.
 */
int networds_parse(const char *text, struct networds *w)
{
	char copy[NETWORDS_SIZE], *rest = copy, *word;
	size_t len = strlen(text);

	memset(w, 0, sizeof(*w));
	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len + 1);
	word = strsep(&rest, " ");
	if (strlen(word) != NETWORDS_MAC - 1 || strspn(word, "0123456789abcdef:") != NETWORDS_MAC - 1)
		return -EINVAL;
	memcpy(w->mac, word, NETWORDS_MAC);
	while ((word = strsep(&rest, " ")))
		if (!take_word(w, word))
			return -EINVAL;
	return 0;
}

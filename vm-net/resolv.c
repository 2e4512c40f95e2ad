// SPDX-License-Identifier: ISC
/*
 * resolv.c - which servers the host asks: the nameserver lines of resolv.conf(5), and nothing else of it.
 *
 * A stub on loopback (127.0.0.53) is a server like any other: vm-net runs where it can be reached, and no guest is ever
 * told an address from here.
 */
#include "resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>

#include "addr.h"
#include "opts.h"
#include "util.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* An address with, for a link-local one, %INTERFACE behind it. Return: whether it is one. */
static bool parse_server(char *text, struct dns_server *s)
{
	char *scope = strchr(text, '%');
	uint64_t index;

	*s = (struct dns_server){ 0 };
	if (scope)
		*scope++ = '\0';
	if (addr_parse(text, &s->addr))
		return false;
	if (!scope || addr_is_v4(&s->addr))
		return !scope;
	if (parse_u64(scope, 1, UINT32_MAX, &index))
		index = if_nametoindex(scope);
	s->scope = (uint32_t)index;
	return index != 0;
}

/* Return: whether a line names a server. */
static bool parse_line(const char *p, const char *end, struct dns_server *s)
{
	static const char keyword[] = "nameserver";
	char word[ADDR_TEXT + IF_NAMESIZE + 1];
	size_t n = 0;

	/* As the C library: the keyword begins the line, blanks follow. */
	if ((size_t)(end - p) < sizeof(keyword) || memcmp(p, keyword, sizeof(keyword) - 1) != 0)
		return false;
	p += sizeof(keyword) - 1;
	if (!is_blank(*p))
		return false;
	while (p < end && is_blank(*p))
		p++;
	while (p < end && !is_blank(*p) && *p && *p != '#' && *p != ';' && n < sizeof(word) - 1)
		word[n++] = *p++;
	word[n] = '\0';
	return n < sizeof(word) - 1 && parse_server(word, s);
}

static bool known(const struct dns_server *servers, size_t n, const struct dns_server *s)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (addr_equal(&servers[i].addr, &s->addr) && servers[i].scope == s->scope)
			return true;
	return false;
}

/**
 * resolv_parse() - the servers that a resolv.conf names
 * @text, @len: of the file; what cannot be understood is skipped
 * @servers: filled in, in order, each once
 * Return: how many.
 */
size_t resolv_parse(const char *text, size_t len, struct dns_server servers[RESOLV_SERVERS])
{
	const char *end = text + len;
	struct dns_server s;
	size_t n = 0;

	while (text < end && n < RESOLV_SERVERS) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));

		eol = eol ? eol : end;
		if (parse_line(text, eol, &s) && !known(servers, n, &s))
			servers[n++] = s;
		text = eol + (eol < end);
	}
	return n;
}

/** resolv_read() - the servers of an open file. @fd: read on. @servers, Return: as resolv_parse(); 0 if unreadable. */
size_t resolv_read(int fd, struct dns_server servers[RESOLV_SERVERS])
{
	autofree char *text = malloc(RESOLV_BYTES);
	size_t len = 0;
	ssize_t n = 1;

	while (text && n > 0 && len < RESOLV_BYTES) {
		n = read(fd, text + len, RESOLV_BYTES - len);
		len += n > 0 ? (size_t)n : 0;
	}
	return text ? resolv_parse(text, len, servers) : 0;
}

/** resolv_open() - the servers of a file, if it is one. @path. @servers, Return: as resolv_read(). */
size_t resolv_open(const char *path, struct dns_server servers[RESOLV_SERVERS])
{
	/* A pipe of that name must not hold us up. */
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return resolv_read(fd, servers);
}

// SPDX-License-Identifier: ISC
/*
 * fwdspec.c - what a port forward is to do, in words.
 *
 *	[ADDR:]HOST:GUEST[/tcp|/udp]	ADDR: IPv4, or IPv6 in brackets. HOST, GUEST: a port, or FIRST-LAST
 *	PORT[/tcp|/udp]			the same port, or ports, on both sides
 *	unix:PATH:GUEST[/tcp]		a UNIX stream socket of the host
 *
 * As docker's -p has it, but for one thing: without ADDR it is 127.0.0.1 and ::1, not all that the host has. Who wants
 * the network to come in says so: 0.0.0.0:8080:80. HOST 0 or empty is any port that is free. A spec is one word, and so
 * is what fwdspec_format() makes of it, which means the same.
 */
#include "fwdspec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "opts.h"
#include "util.h"

#define EXPECTED "expected [ADDR:]HOST:GUEST[/tcp|/udp], PORT or unix:PATH:GUEST"

struct ports {
	uint16_t first, count;
};

struct parse {
	const char *text;
	char *err;
	size_t errsize;
};

/* Say what is wrong, in one line whatever the text is. Return: -EINVAL. */
__attribute__((format(printf, 2, 3)))
static int bad(const struct parse *ps, const char *fmt, ...)
{
	char shown[64], what[160];
	va_list ap;
	size_t i;

	for (i = 0; i + 1 < sizeof(shown) && ps->text[i]; i++)
		shown[i] = ps->text[i] < ' ' || ps->text[i] > '~' ? '?' : ps->text[i];
	shown[i] = '\0';
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(ps->err, ps->errsize, "forward %s: %s; " EXPECTED, shown, what);
	return -EINVAL;
}

static int parse_port(const char *text, uint16_t *port)
{
	uint64_t n;

	if (!*text || text[strspn(text, "0123456789")] || parse_u64(text, 0, 65535, &n))
		return -EINVAL;
	*port = (uint16_t)n;
	return 0;
}

/* @text: changed. */
static int parse_ports(const struct parse *ps, char *text, const char *whose, struct ports *p)
{
	char *dash = strchr(text, '-');
	uint16_t last;

	if (dash)
		*dash = '\0';
	if (parse_port(text, &p->first) || (dash && parse_port(dash + 1, &last)))
		return bad(ps, "the %s port is not a number up to 65535, or two with - between them", whose);
	p->count = 1;
	if (!dash)
		return 0;
	if (!p->first || last < p->first || last - p->first >= FWDSPEC_PORTS)
		return bad(ps, "a range of %s ports ascends from 1 on, and has at most %d", whose, FWDSPEC_PORTS);
	p->count = (uint16_t)(last - p->first + 1);
	return 0;
}

/* HOST:GUEST, or one for both. @text: changed. */
static int parse_pair(const struct parse *ps, char *text, struct fwdspec *f)
{
	struct ports host = { 0, 1 }, guest;
	char *colon = strchr(text, ':');

	if (colon)
		*colon = '\0';
	if (colon && *text && parse_ports(ps, text, "host", &host))
		return -EINVAL;
	if (parse_ports(ps, colon ? colon + 1 : text, "guest", &guest))
		return -EINVAL;
	if (!colon)
		host = guest;
	if (!guest.first)
		return bad(ps, "the guest has no port 0");
	if (!host.first && guest.count > 1)
		return bad(ps, "any free port is for one port, not for a range");
	if (host.count != guest.count)
		return bad(ps, "%u host ports for %u guest ports", host.count, guest.count);
	f->host = host.first;
	f->guest = guest.first;
	f->count = guest.count;
	return 0;
}

/* Take an address off the front. Return: the rest; NULL: said what is wrong. */
static char *parse_addr(const struct parse *ps, char *text, struct fwdspec *f)
{
	bool v6 = *text == '[';
	char *end = strchr(text, v6 ? ']' : ':'), *more = end ? strchr(end + 1, ':') : NULL;

	if (v6 && (!end || end[1] != ':')) {
		bad(ps, "an address in brackets ends in ]:");
		return NULL;
	}
	if (!v6 && !more) {
		f->both = true;
		if (!end || (!strchr(text, '.') && !strchr(text, '*')))
			return text;
		bad(ps, "an address, but one port: two are needed");
		return NULL;
	}
	if (!v6 && strchr(more + 1, ':')) {
		bad(ps, "too many colons: an IPv6 address goes in brackets");
		return NULL;
	}
	*end = '\0';
	if (addr_parse(text + v6, &f->addr) || v6 != !!strchr(text, ':')) {
		bad(ps, "no %s address before the ports", v6 ? "IPv6" : "IPv4");
		return NULL;
	}
	if (!v6)
		return end + 1;
	if (!strchr(end + 2, ':')) {
		bad(ps, "an address, but one port: two are needed");
		return NULL;
	}
	return end + 2;
}

static int parse_unix(const struct parse *ps, char *text, struct fwdspec *f)
{
	char *colon = strrchr(text, ':');
	struct ports guest;
	size_t i;

	if (f->udp)
		return bad(ps, "a UNIX socket is for TCP");
	if (!colon || colon == text)
		return bad(ps, "unix: wants a path and a guest port");
	*colon = '\0';
	if (strlen(text) >= sizeof(f->path))
		return bad(ps, "the path has more than %zu bytes", sizeof(f->path) - 1);
	for (i = 0; text[i]; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return bad(ps, "the path has blanks or control characters");
	if (parse_ports(ps, colon + 1, "guest", &guest))
		return -EINVAL;
	if (!guest.first || guest.count > 1)
		return bad(ps, "a UNIX socket is for one port of the guest");
	strcpy(f->path, text);
	f->guest = guest.first;
	f->count = 1;
	return 0;
}

/* Take /tcp or /udp off the end. Return: 0, -EINVAL. */
static int parse_proto(const struct parse *ps, char *text, bool path, struct fwdspec *f)
{
	char *slash = strrchr(text, '/'), *colon = path ? strrchr(text + 5, ':') : text;

	if (!colon || (path && slash < colon))
		return 0;
	if (!slash)
		return 0;
	if (strcmp(slash, "/tcp") != 0 && strcmp(slash, "/udp") != 0)
		return bad(ps, "the protocol is not tcp or udp");
	f->udp = slash[1] == 'u';
	*slash = '\0';
	return 0;
}

/**
 * fwdspec_parse() - read a spec
 * @text: see above
 * @f: filled in
 * @err, @errsize: why not, in one line
 * Return: 0; -EINVAL.
 */
int fwdspec_parse(const char *text, struct fwdspec *f, char *err, size_t errsize)
{
	struct parse ps = { text, err, errsize };
	char copy[FWDSPEC_TEXT], *rest = copy;
	bool path = !strncmp(text, "unix:", 5);

	memset(f, 0, sizeof(*f));
	if (strlen(text) >= sizeof(copy))
		return bad(&ps, "too long");
	strcpy(copy, text);
	if (!*text)
		return bad(&ps, "it is empty");
	if (parse_proto(&ps, copy, path, f))
		return -EINVAL;
	if (path)
		return parse_unix(&ps, copy + 5, f);
	rest = parse_addr(&ps, rest, f);
	return rest ? parse_pair(&ps, rest, f) : -EINVAL;
}

static void format_ports(char text[16], uint16_t first, uint16_t count)
{
	if (count > 1)
		snprintf(text, 16, "%u-%u", first, first + count - 1u);
	else
		snprintf(text, 16, "%u", first);
}

/** fwdspec_format() - write a spec in its one canonical form. @f. @text: filled in. Return: @text. */
char *fwdspec_format(const struct fwdspec *f, char text[FWDSPEC_TEXT])
{
	char host[16], guest[16], a[ADDR_TEXT], front[ADDR_TEXT + 4] = "";

	format_ports(host, f->host, f->count);
	format_ports(guest, f->guest, f->count);
	if (*f->path) {
		snprintf(text, FWDSPEC_TEXT, "unix:%s:%s/tcp", f->path, guest);
		return text;
	}
	if (!f->both)
		snprintf(front, sizeof(front), addr_is_v4(&f->addr) ? "%s:" : "[%s]:", addr_format(&f->addr, a));
	snprintf(text, FWDSPEC_TEXT, "%s%s:%s/%s", front, host, guest, f->udp ? "udp" : "tcp");
	return text;
}

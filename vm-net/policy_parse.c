// SPDX-License-Identifier: ISC
/*
 * policy_parse.c - read a policy file, vm-policy(5).
 *
 * A line is a statement of words between blanks. The first thing that is wrong ends it all, with one line of text that
 * says where, what, and what was expected: a policy holds as a whole or not at all.
 */
#include "policy_parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "policy_dest.h"
#include "util.h"

enum { WORDS = 9, SHOWN = 80 };         /* words that the longest statement has and one more; bytes of one in an error */

struct parser {
	struct policy *p;
	const char *path;
	unsigned int line;
	char *word[WORDS + 1];          /* NULL after the last */
	size_t at;
	bool ended;                     /* `default` was there */
	bool other;                     /* the rule has destinations that are no names */
	char *error;
};

/* Bytes that a terminal could take amiss are shown as question marks. */
static const char *show(const char *word, char shown[SHOWN + 4])
{
	size_t i;

	for (i = 0; word[i] && i < SHOWN; i++)
		shown[i] = isprint((unsigned char)word[i]) ? word[i] : '?';
	strcpy(shown + i, word[i] ? "..." : "");
	return shown;
}

/* Note what is wrong with the line: @word, or NULL for the line's end, and why. Return: -EINVAL. */
static int fail(const struct parser *ps, const char *word, const char *why)
{
	char shown[SHOWN + 4];

	if (word)
		snprintf(ps->error, POLICY_ERROR, "%.255s:%u: '%s' %s", ps->path, ps->line, show(word, shown), why);
	else
		snprintf(ps->error, POLICY_ERROR, "%.255s:%u: the line ends too early; %s", ps->path, ps->line, why);
	return -EINVAL;
}

static int fail_errno(const struct parser *ps, int err)
{
	snprintf(ps->error, POLICY_ERROR, "%.255s: %s", ps->path, errstr(-err));
	return err;
}

static char *next(struct parser *ps)
{
	return ps->word[ps->at] ? ps->word[ps->at++] : NULL;
}

/* Whether the next word is @text, which is passed then. */
static bool have(struct parser *ps, const char *text)
{
	if (!ps->word[ps->at] || strcmp(ps->word[ps->at], text) != 0)
		return false;
	ps->at++;
	return true;
}

/* Find a word in a table. Return: its place; -1. */
static int find(const char *const table[], size_t count, const char *word)
{
	size_t i;

	for (i = 0; word && i < count; i++)
		if (!strcmp(table[i], word))
			return (int)i;
	return -1;
}

static int parse_proto(struct parser *ps, struct policy_rule *r)
{
	static const char *const names[] = {
		[POLICY_TCP] = "tcp", [POLICY_UDP] = "udp", [POLICY_ICMP] = "icmp", [POLICY_DNS] = "dns",
		[POLICY_PROTOS] = "any",
	};
	const char *word = next(ps);
	int proto = find(names, ARRAY_SIZE(names), word);

	_Static_assert(ARRAY_SIZE(names) == POLICY_PROTOS + 1, "a name for every protocol");
	if (r->action == POLICY_REDIRECT && proto != POLICY_TCP)
		return fail(ps, word, word ? "cannot be redirected; expected tcp" : "expected tcp");
	if (proto < 0)
		return fail(ps, word, word ? "is no protocol; expected tcp, udp, icmp, dns or any" :
					     "expected tcp, udp, icmp, dns or any");
	r->protos = proto == POLICY_PROTOS ? (1u << POLICY_PROTOS) - 1 : 1u << proto;
	return 0;
}

static int parse_dest(struct parser *ps, const struct policy_rule *r, const char *text)
{
	const char *why = NULL;
	enum policy_dest kind;
	int err;

	if (!*text)
		return fail(ps, ps->word[ps->at - 1], "has an empty place; expected a list with commas and without blanks");
	err = policy_dest_add(&ps->p->index, (uint32_t)ps->p->rules, text, &kind, &why);
	if (err)
		return err == -EINVAL ? fail(ps, text, why) : fail_errno(ps, err);
	if (r->protos == 1u << POLICY_DNS && (kind == POLICY_DEST_ADDRESS || kind == POLICY_DEST_HOST))
		return fail(ps, text, "cannot be resolved; expected a name, *.NAME or * in a rule for dns");
	ps->other |= kind != POLICY_DEST_NAME;
	return 0;
}

static int parse_dests(struct parser *ps, const struct policy_rule *r)
{
	char *list = next(ps), *text = list, *comma;
	int err;

	if (!list)
		return fail(ps, NULL, "expected an address, ADDRESS/BITS, FIRST-LAST, a name, *.NAME, host or *");
	list = strdup(list);
	if (!list)
		return fail_errno(ps, -ENOMEM);
	ps->other = false;
	text = list;
	do {
		comma = strchr(text, ',');
		if (comma)
			*comma = '\0';
		err = parse_dest(ps, r, text);
		text = comma ? comma + 1 : text;
	} while (comma && !err);
	free(list);
	return err;
}

static int parse_ports(struct parser *ps, struct policy_rule *r)
{
	const unsigned int with = 1u << POLICY_TCP | 1u << POLICY_UDP;
	char *list, *text;

	if (!(r->protos & with))
		return fail(ps, "port", "needs a protocol that has ports; expected tcp, udp or any");
	list = next(ps);
	if (!list)
		return fail(ps, NULL, "expected a port, P-P, or a list of these with commas");
	r->protos &= with;
	r->port = ps->p->ports;
	do {
		struct policy_ports ports;

		text = strsep(&list, ",");
		if (policy_dest_ports(text, &ports))
			return fail(ps, text, "is no port; expected 1 to 65535, P-P, or a list of these with commas");
		if (policy_rule_add_ports(ps->p, &ports))
			return fail_errno(ps, -ENOMEM);
	} while (list);
	r->ports = ps->p->ports - r->port;
	return 0;
}

static int parse_target(struct parser *ps, struct policy_rule *r)
{
	struct policy_target t;
	const char *word, *why;

	if (!r->ports)
		return fail(ps, ps->word[ps->at], ps->word[ps->at] ? "is not the port; expected port P" : "expected port P");
	if (!have(ps, "to"))
		return fail(ps, ps->word[ps->at], ps->word[ps->at] ? "is in the place of to; expected to TARGET" :
								     "expected to TARGET");
	word = next(ps);
	if (!word)
		return fail(ps, NULL, "expected unix:/PATH, ADDRESS:PORT or [IPV6]:PORT");
	if (policy_dest_target(word, &t, &why))
		return fail(ps, word, why);
	t.proxy_v2 = have(ps, "proxy-v2");
	r->target = ps->p->targets;
	return policy_rule_add_target(ps->p, &t) ? fail_errno(ps, -ENOMEM) : 0;
}

static int parse_sni(struct parser *ps, struct policy_rule *r)
{
	if (!have(ps, "sni"))
		return 0;
	r->sni = true;
	if (r->action != POLICY_ALLOW || r->protos != 1u << POLICY_TCP)
		return fail(ps, "sni", "is not for this rule; expected it after allow tcp");
	if (ps->other)
		return fail(ps, "sni", "needs something to compare with; expected names and nothing else before it");
	return 0;
}

static int parse_end(struct parser *ps)
{
	return ps->word[ps->at] ? fail(ps, ps->word[ps->at], "is too much; expected the end of the line") : 0;
}

static int parse_rule(struct parser *ps, enum policy_action action)
{
	struct policy_rule r = { .action = action, .line = ps->line };
	int err;

	if (ps->p->rules == POLICY_RULES_MAX)
		return fail(ps, ps->word[0], "is one rule too many; expected at most 16384, with lists where there are "
			    "more");
	err = parse_proto(ps, &r);
	if (!err)
		err = parse_dests(ps, &r);
	if (!err && have(ps, "port"))
		err = parse_ports(ps, &r);
	if (!err)
		err = action == POLICY_REDIRECT ? parse_target(ps, &r) : parse_sni(ps, &r);
	if (!err)
		err = parse_end(ps);
	if (!err && policy_rule_add(ps->p, &r))
		err = fail_errno(ps, -ENOMEM);
	return err;
}

static int parse_default(struct parser *ps)
{
	const char *word = next(ps);

	if (!word)
		return fail(ps, NULL, "expected default allow or default deny");
	ps->p->allow = !strcmp(word, "allow");
	if (!ps->p->allow && strcmp(word, "deny") != 0)
		return fail(ps, word, "is no default; expected default allow or default deny");
	ps->ended = true;
	return parse_end(ps);
}

static int parse_statement(struct parser *ps)
{
	static const char *const actions[] = {
		[POLICY_ALLOW] = "allow", [POLICY_DENY] = "deny", [POLICY_LOG] = "log", [POLICY_REDIRECT] = "redirect",
	};
	const char *word = next(ps);
	int action = find(actions, ARRAY_SIZE(actions), word);

	_Static_assert(ARRAY_SIZE(actions) == POLICY_ACTIONS, "a name for every action");
	if (ps->ended)
		return fail(ps, word, "comes after the default; expected default once, as the last line");
	if (!strcmp(word, "default"))
		return parse_default(ps);
	if (action < 0)
		return fail(ps, word, "is no action; expected allow, deny, log, redirect or default");
	return parse_rule(ps, (enum policy_action)action);
}

/* Split a line into words, which end at a comment. What the longest statement has not is left out. */
static void split(struct parser *ps, char *line)
{
	size_t n = 0;

	while (n < WORDS) {
		line += strspn(line, " \t\r\v\f");
		if (!*line || *line == '#')
			break;
		ps->word[n++] = line;
		line += strcspn(line, " \t\r\v\f");
		if (*line)
			*line++ = '\0';
	}
	ps->word[n] = NULL;
	ps->at = 0;
}

/**
 * policy_parse() - read a policy from memory
 * @text: writable, of which byte @len is there and is overwritten
 * @len: bytes
 * @path: its name in errors
 * @p: set to it, with one reference
 * @error: on failure, set to one line without a newline
 * Return: 0; -EINVAL; -ENOMEM.
 */
int policy_parse(char *text, size_t len, const char *path, struct policy **p, char error[POLICY_ERROR])
{
	struct parser ps = { .path = path, .error = error, .p = policy_rule_new() };
	char *line, *rest = text;
	int err = 0;

	if (!ps.p)
		return fail_errno(&ps, -ENOMEM);
	text[len] = '\0';
	while (!err && (line = strsep(&rest, "\n"))) {
		ps.line++;
		if (!rest && line + strlen(line) < text + len)
			err = fail(&ps, line, "is followed by a NUL; expected text");
		split(&ps, line);
		if (!err && ps.word[0])
			err = parse_statement(&ps);
	}
	if (!err && policy_index_finish(&ps.p->index, ps.p->rules))
		err = fail_errno(&ps, -ENOMEM);
	if (err)
		policy_unref(ps.p);
	else
		*p = ps.p;
	return err;
}

/**
 * policy_read() - read a policy file
 * @fd: open for reading, from its present place to its end; waited for
 * @path, @p, @error: as for policy_parse()
 * Return: 0; -EINVAL; -EFBIG; another -errno. @error says it all.
 */
int policy_read(int fd, const char *path, struct policy **p, char error[POLICY_ERROR])
{
	struct parser ps = { .path = path, .error = error };
	autofree char *text = malloc(POLICY_BYTES + 2);
	size_t len = 0;
	ssize_t n;

	if (!text)
		return fail_errno(&ps, -ENOMEM);
	while (len <= POLICY_BYTES && (n = read(fd, text + len, POLICY_BYTES + 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return fail_errno(&ps, -errno);
		len += n > 0 ? (size_t)n : 0;
	}
	if (len > POLICY_BYTES) {
		snprintf(error, POLICY_ERROR, "%.255s: larger than a policy may be; expected at most 1 MiB", path);
		return -EFBIG;
	}
	return policy_parse(text, len, path, p, error);
}

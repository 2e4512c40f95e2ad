// SPDX-License-Identifier: ISC
/* bracket.c - the [...] of a regular expression. */
#include <ctype.h>
#include <string.h>

#include "regex.h"
#include "util.h"

/* [:name:] at @p. Return whether it was one. */
static bool class(const char **p, uint8_t set[32])
{
	static const struct {
		const char *name;
		int (*is)(int);
	} classes[] = {
		{ "[:alpha:]", isalpha }, { "[:digit:]", isdigit }, { "[:alnum:]", isalnum },
		{ "[:upper:]", isupper }, { "[:lower:]", islower }, { "[:space:]", isspace },
		{ "[:blank:]", isblank }, { "[:punct:]", ispunct }, { "[:print:]", isprint },
		{ "[:graph:]", isgraph }, { "[:cntrl:]", iscntrl }, { "[:xdigit:]", isxdigit },
	};
	size_t i;
	int c;

	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strncmp(*p, classes[i].name, strlen(classes[i].name)))
			continue;
		for (c = 0; c < 128; c++)
			if (classes[i].is(c))
				regex_add(set, (uint8_t)c);
		*p += strlen(classes[i].name);
		return true;
	}
	return false;
}

static const char *member(const char **p, uint8_t set[32])
{
	unsigned int from, to;

	if (**p == '[' && (*p)[1] && strchr(".=:", (*p)[1]))
		return class(p, set) ? NULL : "names a class that is not known";
	from = to = (uint8_t)*(*p)++;
	if ((*p)[0] == '-' && (*p)[1] && (*p)[1] != ']') {
		to = (uint8_t)(*p)[1];
		*p += 2;
	}
	if (from > to)
		return "has a range that runs backwards";
	for (; from <= to; from++)
		regex_add(set, (uint8_t)from);
	return NULL;
}

/**
 * regex_bracket() - the bytes that a bracket expression stands for (POSIX.1-2017, XBD 9.3.5)
 * @p: behind the opening bracket; moved behind the closing one
 * @set: all zero; its bytes are added
 * Return: NULL, or what is wrong with it.
 */
const char *regex_bracket(const char **p, uint8_t set[32])
{
	bool negated = **p == '^', first = true;
	unsigned int i;

	*p += negated;
	for (; **p && (first || **p != ']'); first = false) {
		const char *wrong = member(p, set);

		if (wrong)
			return wrong;
	}
	if (!**p)
		return "has an unmatched [";
	(*p)++;
	for (i = 0; negated && i < 32; i++)
		set[i] = (uint8_t)~set[i];
	if (negated)
		regex_remove(set, '\n');
	return NULL;
}

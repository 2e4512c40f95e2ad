// SPDX-License-Identifier: ISC
/*
 * opts.c - one table per tool: parser, --help and usage errors.
 *
 * getopt_long(3) does the walking; this turns our table into its tables, refuses its abbreviations
 * of long names (a new option must never change what an old script means), and answers --help and
 * --version, which every tool has. Options stop at the first operand.
 */
#include "opts.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"

#ifndef PIPEVM_VERSION
#define PIPEVM_VERSION "0"
#endif

enum { OPTS_MAX = 64, OPT_HELP = 10000, OPT_VERSION };

static void print_option(const struct opt *op)
{
	char left[64];
	int n = 0;

	if (op->id < OPT_LONG)
		n = snprintf(left, sizeof(left), "-%c%s", op->id, op->name ? ", " : "");
	else
		n = snprintf(left, sizeof(left), "    ");
	if (op->name)
		n += snprintf(left + n, sizeof(left) - (size_t)n, "--%s", op->name);
	if (op->arg)
		snprintf(left + n, sizeof(left) - (size_t)n, " %s", op->arg);
	printf("  %-28s %s\n", left, op->help);
}

static void print_help(const struct opts *o)
{
	static const struct opt common[] = {
		{ OPT_LONG, "help", NULL, "print this and exit" },
		{ OPT_LONG, "version", NULL, "print the version and exit" },
	};
	unsigned int i;

	printf("usage: %s %s\n%s\n\n", o->tool, o->synopsis, o->about);
	for (i = 0; i < o->count; i++)
		print_option(&o->table[i]);
	for (i = 0; i < ARRAY_SIZE(common); i++)
		print_option(&common[i]);
	if (o->epilog)
		printf("\n%s\n", o->epilog);
}

static void finish_stdout(void)
{
	exit(fflush(stdout) || ferror(stdout) ? 1 : 0);
}

/**
 * opts_usage() - refuse the command line: one line, then where help is; exits
 * @o: the tool's table
 * @fmt: as printf(3): what is wrong
 */
void opts_usage(const struct opts *o, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	die(o->usage_status, "%s (try '%s --help')", what, o->tool);
}

/* The long option that @word (with its dashes and perhaps =VALUE) names exactly, or NULL. */
static const char *exact_long(const struct opts *o, const char *word)
{
	size_t len = strcspn(word + 2, "=");
	unsigned int i;

	for (i = 0; i < o->count; i++)
		if (o->table[i].name && strlen(o->table[i].name) == len &&
		    !strncmp(o->table[i].name, word + 2, len))
			return o->table[i].name;
	if ((len == 4 && !strncmp(word + 2, "help", 4)) ||
	    (len == 7 && !strncmp(word + 2, "version", 7)))
		return word + 2;
	return NULL;
}

/**
 * opts_next() - the next option of the command line
 * @o: the tool's table
 * @argc, @argv: main's
 * @arg: set to the option's argument, or NULL
 *
 * Answers --help and --version itself, and exits with o->usage_status on an unknown option or a
 * missing argument. Return: the option's id, or -1 when the operands begin (see opts_end()).
 */
int opts_next(const struct opts *o, int argc, char *const argv[], const char **arg)
{
	static struct option longs[OPTS_MAX + 3];
	static char shorts[2 * OPTS_MAX + 3];
	const char *word;
	int c;

	if (!shorts[0]) {
		char *s = shorts;
		unsigned int i, n = 0;

		*s++ = '+';     /* stop at the first operand */
		*s++ = ':';     /* tell a missing argument from an unknown option */
		for (i = 0; i < MIN(o->count, (unsigned int)OPTS_MAX); i++) {
			const struct opt *op = &o->table[i];

			if (op->id < OPT_LONG) {
				*s++ = (char)op->id;
				if (op->arg)
					*s++ = ':';
			}
			if (op->name)
				longs[n++] = (struct option){ op->name, !!op->arg, NULL, op->id };
		}
		longs[n++] = (struct option){ "help", 0, NULL, OPT_HELP };
		longs[n++] = (struct option){ "version", 0, NULL, OPT_VERSION };
		opterr = 0;
	}

	word = optind < argc ? argv[optind] : "";
	if (!strncmp(word, "--", 2) && word[2] && !exact_long(o, word))
		opts_usage(o, "%.*s: unknown option", (int)strcspn(word, "="), word);

	c = getopt_long(argc, argv, shorts, longs, NULL);
	*arg = optarg;
	switch (c) {
	case OPT_HELP:
		print_help(o);
		finish_stdout();
		break;
	case OPT_VERSION:
		printf("%s (pipevm) %s\n", o->tool, PIPEVM_VERSION);
		finish_stdout();
		break;
	case ':':
		opts_usage(o, "%s: needs an argument", argv[optind - 1]);
	case '?':
		if (!strncmp(word, "--", 2))
			opts_usage(o, "%.*s: takes no argument", (int)strcspn(word, "="), word);
		opts_usage(o, "-%c: unknown option", optopt);
	}
	return c;
}

/** opts_end() - where the operands begin. Return: index into argv. */
int opts_end(void)
{
	return optind;
}

/**
 * parse_u64() - a whole decimal number within a range
 * @s: text, all of it
 * @min, @max: inclusive
 * @out: result
 * Return: 0; -EINVAL if it is not a number; -ERANGE if it is outside.
 */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE || v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

/**
 * parse_size() - bytes, with an optional K, M or G (powers of 1024); a bare number is MiB
 * @s, @min, @max, @out: as parse_u64(), in bytes
 * Return: as parse_u64().
 */
int parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	char num[24];
	size_t len = strspn(s, "0123456789");
	uint64_t unit = MIB, v;
	int err;

	if (len >= sizeof(num))
		return -ERANGE;
	memcpy(num, s, len);
	num[len] = 0;
	switch (s[len]) {
	case 0:
		break;
	case 'k': case 'K':
		unit = KIB;
		break;
	case 'm': case 'M':
		break;
	case 'g': case 'G':
		unit = GIB;
		break;
	default:
		return -EINVAL;
	}
	if (s[len] && s[len + 1])
		return -EINVAL;
	err = parse_u64(num, 0, UINT64_MAX / unit, &v);
	if (err)
		return err;
	if (v * unit < min || v * unit > max)
		return -ERANGE;
	*out = v * unit;
	return 0;
}

/**
 * parse_msec() - a time in seconds, with at most three decimals
 * @s: text, all of it: "5", "0.25"
 * @out: milliseconds, at most a year
 * Return: 0, -EINVAL or -ERANGE.
 */
int parse_msec(const char *s, uint64_t *out)
{
	size_t len = strspn(s, "0123456789"), i;
	uint64_t sec, ms = 0;
	char num[24];
	int err;

	if (len >= sizeof(num))
		return -ERANGE;
	memcpy(num, s, len);
	num[len] = 0;
	err = parse_u64(num, 0, 366 * 86400, &sec);
	if (err)
		return err;
	if (s[len] == '.') {
		size_t digits = strspn(s + len + 1, "0123456789");

		if (!digits || digits > 3 || s[len + 1 + digits])
			return -EINVAL;
		for (i = 0; i < 3; i++)
			ms = ms * 10 + (i < digits ? (uint64_t)(s[len + 1 + i] - '0') : 0);
	} else if (s[len]) {
		return -EINVAL;
	}
	*out = sec * 1000 + ms;
	return 0;
}

/**
 * parse_fd() - a descriptor number, bare or as fd:N
 * @s: text, all of it
 * @out: the number; whether it is open is for the caller to see
 * Return: 0, -EINVAL or -ERANGE.
 */
int parse_fd(const char *s, int *out)
{
	uint64_t n;
	int err;

	if (!strncmp(s, "fd:", 3))
		s += 3;
	err = parse_u64(s, 0, 1 << 20, &n);
	if (!err)
		*out = (int)n;
	return err;
}

/**
 * parse_key() - the byte that an --escape argument names
 * @s: "^X" for a control key, a single character, or empty for none
 * @key: set to 0-255, or -1 for none
 * Return: 0 or -EINVAL.
 */
int parse_key(const char *s, int *key)
{
	size_t len = strlen(s);

	if (!len)
		*key = -1;
	else if (len == 1)
		*key = (unsigned char)s[0];
	else if (len == 2 && s[0] == '^' && s[1] == '?')
		*key = 0x7f;
	else if (len == 2 && s[0] == '^' && toupper((unsigned char)s[1]) >= '@' &&
		 toupper((unsigned char)s[1]) <= '_')
		*key = toupper((unsigned char)s[1]) & 0x1f;
	else
		return -EINVAL;
	return 0;
}

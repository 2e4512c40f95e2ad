// SPDX-License-Identifier: ISC
/*
 * regex.c - POSIX extended regular expressions over bytes, compiled for a stream.
 *
 * regexec(3) wants the whole text, so waiting on a console would mean to search the same bytes again
 * with every byte that comes. This compiles to a small program that match.c steps through a byte at a
 * time, in time that is linear in the stream and in memory that does not grow with it.
 *
 * The language is the ERE of POSIX in its REG_NEWLINE form: | * + ? {m,n} () [] [^] [:class:] ^ $ and
 * `.`; `.` and [^] do not match a newline. Bytes are bytes: no locale, no UTF-8. `$` also stands
 * before the carriage return of a terminal's line end. A backslash takes the meaning from a special
 * character; \n \r \t \e and \xHH are bytes, and any other letter behind one is refused rather than
 * guessed.
 *
 * Every jump is relative, so a piece of program stays right when another instruction is put in front
 * of it: that is how a repetition or an alternative is made after its operand. {m,n} parses its
 * operand anew for each copy.
 */
#include "regex.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "util.h"

enum { DEPTH_MAX = 500, REPEAT_MAX = 255, WORK_MAX = 100000 };

struct parser {
	struct regex *re;
	const char *p;
	int depth;              /* of parentheses and alternatives */
	int work;               /* atoms parsed: a repetition parses its operand again and again */
	const char *wrong;      /* the first thing that is wrong, or NULL */
};

static void alternatives(struct parser *ps);

static void fail(struct parser *ps, const char *what)
{
	if (!ps->wrong)
		ps->wrong = what;
}

/* Put an instruction at @at, moving what is there up. */
static struct regex_insn *insert(struct parser *ps, int at, enum regex_op op, int x, int y)
{
	struct regex *re = ps->re;
	struct regex_insn *in = &re->insn[at];

	if (re->len == REGEX_SIZE) {
		fail(ps, "is too large");
		return &re->insn[REGEX_SIZE - 1];       /* a valid place; nothing runs after failing */
	}
	memmove(in + 1, in, (size_t)(re->len - at) * sizeof(*in));
	re->len++;
	*in = (struct regex_insn){ .op = op, .x = x, .y = y };
	return in;
}

static struct regex_insn *emit(struct parser *ps, enum regex_op op)
{
	return insert(ps, ps->re->len, op, 0, 0);
}

static void bracket(struct parser *ps)
{
	struct regex_insn *in = emit(ps, REGEX_BYTES);
	const char *wrong = regex_bracket(&ps->p, in->set);

	if (wrong)
		fail(ps, wrong);
}

static void escape(struct parser *ps)
{
	int byte = text_escape(&ps->p);

	if (byte < 0 && *ps->p && !isalnum((unsigned char)*ps->p))
		byte = (uint8_t)*ps->p++;
	if (byte < 0)
		fail(ps, *ps->p ? "has an unknown escape" : "ends in a backslash");
	else
		regex_add(emit(ps, REGEX_BYTES)->set, (uint8_t)byte);
}

static void atom(struct parser *ps)
{
	char c = *ps->p++;

	if (++ps->work > WORK_MAX)
		fail(ps, "is too large");
	switch (c) {
	case '(':
		if (++ps->depth > DEPTH_MAX)
			fail(ps, "is nested too deep");
		else
			alternatives(ps);
		ps->depth--;
		if (*ps->p == ')')
			ps->p++;
		else
			fail(ps, "has an unmatched (");
		break;
	case '[':
		bracket(ps);
		break;
	case '.': {
		struct regex_insn *in = emit(ps, REGEX_BYTES);

		memset(in->set, 0xff, sizeof(in->set));
		regex_remove(in->set, '\n');
		break;
	}
	case '^':
		emit(ps, REGEX_LINE_START);
		break;
	case '$':
		emit(ps, REGEX_LINE_END);
		break;
	case '\\':
		escape(ps);
		break;
	case '*': case '+': case '?':
		fail(ps, "repeats nothing");
		break;
	default:
		regex_add(emit(ps, REGEX_BYTES)->set, (uint8_t)c);
	}
}

/* {m}, {m,} or {m,n} at ps->p; otherwise an ordinary brace. Return whether it was one. */
static bool bounds(struct parser *ps, int *min, int *max)
{
	const char *p = ps->p;
	int used = 0;

	if (*p != '{' || !isdigit((unsigned char)p[1]))
		return false;
	if (sscanf(p, "{%3d}%n", min, &used) == 1 && used)
		*max = *min;
	else if (sscanf(p, "{%3d,}%n", min, &used) == 1 && used)
		*max = -1;
	else if (sscanf(p, "{%3d,%3d}%n", min, max, &used) != 2)
		used = 0;
	if (!used || *min > REPEAT_MAX || *max > REPEAT_MAX || (*max >= 0 && *max < *min)) {
		fail(ps, "has bad bounds");
		return false;
	}
	ps->p += used;
	return true;
}

static void optional(struct parser *ps, int start)
{
	insert(ps, start, REGEX_SPLIT, 1, ps->re->len - start + 1);
}

static void star(struct parser *ps, int start)
{
	struct regex_insn *jump;

	optional(ps, start);
	ps->re->insn[start].y++;
	jump = emit(ps, REGEX_JUMP);
	jump->x = start - (int)(jump - ps->re->insn);
}

static void plus(struct parser *ps, int start)
{
	struct regex_insn *split = emit(ps, REGEX_SPLIT);

	split->x = start - (int)(split - ps->re->insn);
	split->y = 1;
}

/* The atom parsed from @source to @start, repeated. */
static void repeat(struct parser *ps, const char *source, int start, int min, int max)
{
	const char *behind = ps->p;
	int i, copies = max < 0 ? MAX(min, 1) : max;

	ps->re->len = start;
	for (i = 0; i < copies && !ps->wrong; i++) {
		start = ps->re->len;
		ps->p = source;
		atom(ps);
		if (i >= min && max >= 0)
			optional(ps, start);
	}
	if (max < 0 && !ps->wrong)
		min ? plus(ps, start) : star(ps, start);
	ps->p = behind;
}

static void sequence(struct parser *ps)
{
	while (!ps->wrong && *ps->p && *ps->p != '|' && *ps->p != ')') {
		const char *source = ps->p;
		int start = ps->re->len, min, max;

		atom(ps);
		while (!ps->wrong) {
			if (*ps->p == '*')
				star(ps, start);
			else if (*ps->p == '+')
				plus(ps, start);
			else if (*ps->p == '?')
				optional(ps, start);
			else
				break;
			ps->p++;
			source = NULL;
		}
		if (!ps->wrong && bounds(ps, &min, &max)) {
			if (source)
				repeat(ps, source, start, min, max);
			else
				fail(ps, "repeats a repetition");
		}
	}
}

static void alternatives(struct parser *ps)
{
	for (;;) {
		int start = ps->re->len, jump;

		sequence(ps);
		if (ps->wrong || *ps->p != '|')
			return;
		ps->p++;
		insert(ps, start, REGEX_SPLIT, 1, ps->re->len - start + 2);
		emit(ps, REGEX_JUMP);
		jump = ps->re->len - 1;
		if (++ps->depth > DEPTH_MAX)
			fail(ps, "has too many alternatives");
		alternatives(ps);
		ps->depth--;
		ps->re->insn[jump].x = ps->re->len - jump;
		return;
	}
}

/**
 * regex_compile() - make a program of a pattern
 * @re: filled in
 * @pattern: extended regular expression
 * @err, @errsize: what is wrong with it, to follow "the expression "
 * Return: 0 or -EINVAL.
 */
int regex_compile(struct regex *re, const char *pattern, char *err, size_t errsize)
{
	struct parser ps = { .re = re, .p = pattern };

	re->len = 0;
	alternatives(&ps);
	if (!ps.wrong && *ps.p)
		fail(&ps, "has an unmatched )");
	emit(&ps, REGEX_MATCH);
	if (!ps.wrong)
		return 0;
	snprintf(err, errsize, "%s", ps.wrong);
	return -EINVAL;
}

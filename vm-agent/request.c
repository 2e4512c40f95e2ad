// SPDX-License-Identifier: ISC
/*
 * request.c - what a client wants run: the `exec` record, checked and copied.
 *
 * A record is counted first and copied then, into one piece of memory no larger than itself and
 * its fields' pointers. Everything in it is hostile until it is here.
 */
#include "request.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "proto.h"
#include "user.h"
#include "util.h"
#include "wire.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
	PIPES = 1 << PROTO_STDIN | 1 << PROTO_STDOUT | 1 << PROTO_STDERR,
	TTY = 1 << PROTO_TTY,
	DEFAULTS = 6,			/* PATH to SHELL, TERM */
};

/* What has been counted, and where to copy it. */
struct census {
	size_t args, envs, bytes;
	uint32_t seen;			/* 1 << kind of fields that may come once */
};

static bool is_text(const struct wire_field *f)
{
	return !memchr(f->data, 0, f->len);
}

static bool is_variable(const struct wire_field *f)
{
	return f->len && is_text(f) && f->data[0] != '=' && memchr(f->data, '=', f->len);
}

/* Check a field and count it. Return: NULL, or what is wrong with it. */
static const char *count(struct census *c, const struct wire_field *f)
{
	switch (f->kind) {
	case PROTO_K_ARG:
		c->args++;
		c->bytes += f->len + 1;
		return is_text(f) ? NULL : "an argument holds a NUL";
	case PROTO_K_ENV:
		c->envs++;
		c->bytes += f->len + 1;
		return is_variable(f) ? NULL : "an environment variable is not NAME=VALUE";
	case PROTO_K_CWD:
	case PROTO_K_USER:
		c->bytes += f->len + 1;
		if (!is_text(f))
			return "directory or user holds a NUL";
		break;
	case PROTO_K_STREAMS:
	case PROTO_K_FLAGS:
	case PROTO_K_SIZE:
		if (f->len != 4)
			return "a field has a wrong length";
		break;
	default:
		return NULL;
	}
	if (c->seen & 1u << f->kind)
		return "a field comes twice";
	c->seen |= 1u << f->kind;
	return NULL;
}

/* Copy a field's text to *@at, which moves on. Return: the copy. */
static char *copy(char **at, const struct wire_field *f)
{
	char *s = *at;

	memcpy(s, f->data, f->len);
	s[f->len] = '\0';
	*at += f->len + 1;
	return s;
}

static int fill(struct request *r, const struct wire_record *record, const struct census *c)
{
	char **argv, **env, *text;
	struct wire_field f;
	size_t at = 0;

	r->argv = argv = calloc(c->args + 1, sizeof(*argv));
	r->env = env = calloc(c->envs + DEFAULTS + 1, sizeof(*env));
	r->text = text = malloc(c->bytes + 1);
	if (!argv || !env || !text)
		return -ENOMEM;
	while (wire_field(record, &at, &f)) {
		if (f.kind == PROTO_K_ARG)
			*argv++ = copy(&text, &f);
		else if (f.kind == PROTO_K_ENV)
			*env++ = copy(&text, &f);
		else if (f.kind == PROTO_K_CWD && f.len)
			r->cwd = copy(&text, &f);
		else if (f.kind == PROTO_K_USER && f.len)
			r->user = copy(&text, &f);
	}
	wire_get_u32(record, PROTO_K_STREAMS, &r->streams);
	wire_get_u32(record, PROTO_K_FLAGS, &r->flags);
	request_size(&r->size, record);
	return 0;
}

/* Return: NULL, or what is wrong with the whole. */
static const char *judge(const struct request *r)
{
	if (!r->argv[0])
		return "no command";
	if (r->flags & ~(uint32_t)PROTO_DETACH)
		return "a flag is not known";
	if ((r->flags & PROTO_DETACH) && r->streams)
		return "a detached command has no streams";
	if ((r->streams & ~(uint32_t)PIPES) && r->streams != TTY)
		return "these streams do not go together";
	return NULL;
}

/**
 * request_parse() - check and copy an `exec` record
 * @r: filled in; request_free() it, on failure too
 * @record: valid; not needed any more afterwards
 * @why: set to what is wrong with it
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int request_parse(struct request *r, const struct wire_record *record, const char **why)
{
	struct census c = { 0 };
	struct wire_field f;
	size_t at = 0;

	*r = (struct request){ 0 };
	*why = NULL;
	while (!*why && wire_field(record, &at, &f))
		*why = count(&c, &f);
	if (*why)
		return -EINVAL;
	if (fill(r, record, &c) < 0) {
		*why = "out of memory";
		return -ENOMEM;
	}
	*why = judge(r);
	return *why ? -EINVAL : 0;
}

/** request_free() - free a request's memory. @r: parsed, or all zero, as it is afterwards. */
void request_free(struct request *r)
{
	free(r->argv);
	free(r->env);
	free(r->text);
	*r = (struct request){ 0 };
}

/* -- environment -- */

static size_t name_length(const char *variable)
{
	return strcspn(variable, "=");
}

/* By name; what came later is the larger. Strings lie in one text in the order they came. */
static int by_name(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t m = name_length(x), n = name_length(y);
	int order = memcmp(x, y, MIN(m, n));

	if (!order && m != n)
		return m < n ? -1 : 1;
	return order ? order : (x > y) - (x < y);
}

static bool same_name(const char *a, const char *b)
{
	size_t n = name_length(a);

	return n == name_length(b) && !memcmp(a, b, n);
}

/* Keep the last of each name. Return: how many are left. */
static size_t unique(char **env)
{
	size_t n = 0, i, kept = 0;

	while (env[n])
		n++;
	qsort(env, n, sizeof(*env), by_name);
	for (i = 0; i < n; i++)
		if (i + 1 == n || !same_name(env[i], env[i + 1]))
			env[kept++] = env[i];
	env[kept] = NULL;
	return kept;
}

static bool has(char *const *env, const char *variable)
{
	for (; *env; env++)
		if (same_name(*env, variable))
			return true;
	return false;
}

/**
 * request_environment() - the command's environment: what every login has, then the client's, of
 * which the last one of a name counts
 * @r: parsed
 * @id: who will run it; its strings are used until request_free()
 *
 * Return: NULL-terminated, @r's own. Call once.
 */
char **request_environment(struct request *r, const struct identity *id)
{
	const char *defaults[DEFAULTS] = {
		"PATH=" DEFAULT_PATH, id->home_variable, id->user_variable, id->logname_variable,
		id->shell_variable, r->streams & TTY ? "TERM=xterm" : NULL,
	};
	size_t n = unique(r->env), i;

	for (i = 0; i < DEFAULTS; i++) {
		if (!defaults[i] || has(r->env, defaults[i]))
			continue;
		r->env[n++] = (char *)defaults[i];	/* execve(2) takes them as not const */
		r->env[n] = NULL;
	}
	return r->env;
}

/* -- small things -- */

/** request_signal() - a signal's number. @name: as in "INT". Return: it; 0 when there is none. */
int request_signal(const char *name)
{
	int sig;

	for (sig = 1; sig < SIGRTMIN; sig++) {
		const char *known = sigabbrev_np(sig);

		if (known && !strcmp(name, known))
			return sig;
	}
	return 0;
}

/** request_size() - the size in a record. @size: set when there is one that is not 0. @record. */
void request_size(struct winsize *size, const struct wire_record *record)
{
	uint8_t b[4];

	if (!wire_get_bytes(record, PROTO_K_SIZE, b, sizeof(b)) || !get_le16(b) || !get_le16(b + 2))
		return;
	*size = (struct winsize){ .ws_col = get_le16(b), .ws_row = get_le16(b + 2) };
}

/* SPDX-License-Identifier: ISC */
/* opts.h - one table per tool: parser, --help and usage errors. */
#ifndef OPTS_H
#define OPTS_H

#include <stdbool.h>
#include <stdint.h>

/* Ids from here on have no short letter. */
#define OPT_LONG 256

struct opt {
	int id;                 /* the short letter, or OPT_LONG + n */
	const char *name;       /* long name without dashes, or NULL */
	const char *arg;        /* the argument's name in the help, NULL for a flag */
	const char *help;       /* one line */
};

struct opts {
	const char *tool;
	const char *synopsis;   /* what follows the tool's name in the usage line */
	const char *about;      /* one sentence */
	const char *epilog;     /* further lines of the help, or NULL */
	const struct opt *table;
	unsigned int count;
	int usage_status;       /* 125 for tools that pass a status on, 2 for the others */
};

int opts_next(const struct opts *o, int argc, char *const argv[], const char **arg);
int opts_end(void);
void opts_usage(const struct opts *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);
int parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *out);
int parse_msec(const char *s, uint64_t *out);
int parse_fd(const char *s, int *out);
int parse_key(const char *s, int *key);

#endif

/* SPDX-License-Identifier: ISC */
/* log.h - one line to stderr, `tool: object: what failed: reason`. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

void log_init(const char *tool, bool verbose);
void log_bound(size_t bytes);
const char *log_tool(void);
const char *errstr(int err);

void warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void die(int status, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));

/* A budget of lines for one call site that a guest or a peer can reach. */
struct log_limit {
	unsigned int left;
};

#define LOG_LIMIT_INIT { .left = 8 }
void warn_limited(struct log_limit *limit, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif

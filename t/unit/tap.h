/* SPDX-License-Identifier: ISC */
/* tap.h - what every unit test prints: `ok N - name`, and `1..N` at the end. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>

static unsigned int tap_tests, tap_failures;

static inline void check_at(bool ok, const char *name, const char *file, int line)
{
	printf("%s %u - %s\n", ok ? "ok" : "not ok", ++tap_tests, name);
	if (!ok) {
		printf("# at %s:%d\n", file, line);
		tap_failures++;
	}
}

#define CHECK(ok, name) check_at((ok), (name), __FILE__, __LINE__)

/* Return: main's exit status. */
static inline int tap_done(void)
{
	printf("1..%u\n", tap_tests);
	return tap_failures != 0;
}

#endif

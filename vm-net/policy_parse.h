/* SPDX-License-Identifier: ISC */
/* policy_parse.h - read a policy file, vm-policy(5). */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include <stddef.h>

enum {
	POLICY_BYTES = 1 << 20,         /* largest file */
	POLICY_ERROR = 512,             /* bytes that hold any error's text */
};

struct policy;

int policy_read(int fd, const char *path, struct policy **p, char error[POLICY_ERROR]);
int policy_parse(char *text, size_t len, const char *path, struct policy **p, char error[POLICY_ERROR]);

#endif

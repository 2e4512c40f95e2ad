/* SPDX-License-Identifier: ISC */
/* dnshosts.h - names and addresses that are answered here and asked of nobody. */
#ifndef DNSHOSTS_H
#define DNSHOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr;
struct dns_question;
struct dnshosts;

enum { DNSHOSTS_MAX = 4096, DNSHOSTS_TTL = 60 };

struct dnshosts *dnshosts_new(void);
void dnshosts_free(struct dnshosts *h);
int dnshosts_add(struct dnshosts *h, const char *name, const struct addr *a);
bool dnshosts_knows(const struct dnshosts *h, const char *name);
void dnshosts_remove(struct dnshosts *h, const char *name);
size_t dnshosts_answer(const struct dnshosts *h, const struct dns_question *q, uint8_t *out, size_t limit);

#endif

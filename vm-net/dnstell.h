/* SPDX-License-Identifier: ISC */
/* dnstell.h - an answer is told to policy, and then to the guest. */
#ifndef DNSTELL_H
#define DNSTELL_H

#include <stddef.h>
#include <stdint.h>

struct dns_config;
struct dns_stats;
struct dnsanswer;

size_t dnstell(const struct dns_config *c, struct dns_stats *s, struct dnsanswer *a, size_t limit, uint8_t *out);

#endif

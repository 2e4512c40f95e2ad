/* SPDX-License-Identifier: ISC */
/* dnstcp.h - the DNS forwarder's clients that come by TCP. */
#ifndef DNSTCP_H
#define DNSTCP_H

#include <stddef.h>
#include <stdint.h>

struct dns;
struct dns_client;
struct dnstcp;
struct loop;

enum { DNSTCP_CONNS = 32, DNSTCP_QUERY = 4096 };

struct dnstcp *dnstcp_new(struct loop *loop, struct dns *dns);
void dnstcp_free(struct dnstcp *t);
void dnstcp_take(struct dnstcp *t, int *fd);
uint64_t dnstcp_refused(const struct dnstcp *t);
void dnstcp_answer(struct dnstcp *t, const struct dns_client *c, const uint8_t *msg, size_t len);

#endif

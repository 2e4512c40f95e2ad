/* SPDX-License-Identifier: ISC */
/* dnsroom.h - room for the questions that wait for servers. */
#ifndef DNSROOM_H
#define DNSROOM_H

#include "dns.h"

struct dns_question;
struct dnsroom;

struct dnsroom *dnsroom_new(const struct dns_config *c, struct dns_stats *stats);
void dnsroom_free(struct dnsroom *r);
void dnsroom_servers(struct dnsroom *r, const struct dns_server *servers, size_t n);
bool dnsroom_merge(struct dnsroom *r, const struct dns_client *c, const struct dns_question *q);
bool dnsroom_start(struct dnsroom *r, const struct dns_client *c, const struct dns_question *q);
void dnsroom_cancel(struct dnsroom *r, const struct dns_client *c);
unsigned int dnsroom_waiting(const struct dnsroom *r);

#endif

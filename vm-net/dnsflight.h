/* SPDX-License-Identifier: ISC */
/* dnsflight.h - questions that wait for servers. */
#ifndef DNSFLIGHT_H
#define DNSFLIGHT_H

#include "dns.h"
#include "dnsmsg.h"

struct dnsflights;

struct dnsflights *dnsflights_new(const struct dns_config *c, struct dns_stats *stats);
void dnsflights_free(struct dnsflights *d);
void dnsflights_servers(struct dnsflights *d, const struct dns_server *servers, size_t n);
bool dnsflights_merge(struct dnsflights *d, const struct dns_client *c, const struct dns_question *q);
bool dnsflights_start(struct dnsflights *d, const struct dns_client *c, const struct dns_question *q);
void dnsflights_cancel(struct dnsflights *d, const struct dns_client *c);
unsigned int dnsflights_waiting(const struct dnsflights *d);

/* Bytes of the largest reply that a client takes. @c: whole. */
static inline size_t dns_limit(const struct dns_config *c, const struct dns_client *client, const struct dns_question *q)
{
	if (client->tcp)
		return DNS_LARGEST;
	return q->udp < c->udp_max ? q->udp : c->udp_max;
}

#endif

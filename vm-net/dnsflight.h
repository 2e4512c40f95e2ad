/* SPDX-License-Identifier: ISC */
/* dnsflight.h - a question that waits for servers. */
#ifndef DNSFLIGHT_H
#define DNSFLIGHT_H

#include "dns.h"
#include "dnsanswer.h"
#include "dnsmsg.h"
#include "dnspool.h"

enum { DNSFLIGHT_ASKS = 4, DNSFLIGHT_IDS = 4 };

/* What all flights have in common. */
struct dnsflight_base {
	const struct dns_config *c;
	struct dns_stats *stats;
	struct dnspool pool;
	unsigned int waiting;
	void (*moved)(struct dnsflight_base *b);        /* when a flight is due may have changed */
	struct dnsanswer answer;                        /* that is being judged */
	uint8_t out[DNS_LARGEST];                       /* reply that is being written */
};

struct dnsflight {
	struct dnsflight_base *b;
	bool waiting;
	struct dns_client client;
	struct dns_question q;
	uint16_t id[DNSFLIGHT_IDS];     /* under which the client waits for the one answer */
	unsigned int ids;
	uint64_t due, deadline;         /* when the next server is asked; when it is over */
	uint32_t tried;                 /* 1 << server */
	int last;                       /* server that was asked last */
	unsigned int tries, round;
	bool truncated;                 /* a server said that there is more, and over TCP there was nothing */
	unsigned int oldest;            /* ask to give up for another */
	struct dnsask ask[DNSFLIGHT_ASKS];
};

void dnsflight_init(struct dnsflight *f, struct dnsflight_base *b);
void dnsflight_start(struct dnsflight *f, const struct dns_client *c, const struct dns_question *q);
bool dnsflight_merge(struct dnsflight *f, const struct dns_client *c, const struct dns_question *q);
void dnsflight_restart(struct dnsflight *f);
void dnsflight_due(struct dnsflight *f, uint64_t now);
void dnsflight_stop(struct dnsflight *f);

/* Bytes of the largest reply that a client takes. @c: whole. */
static inline size_t dns_limit(const struct dns_config *c, const struct dns_client *client,
			       const struct dns_question *q)
{
	if (client->tcp)
		return DNS_LARGEST;
	return q->udp < c->udp_max ? q->udp : c->udp_max;
}

#endif

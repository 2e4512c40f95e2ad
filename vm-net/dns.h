/* SPDX-License-Identifier: ISC */
/* dns.h - the forwarder: a guest's questions to the host's servers, under the caller's policy. */
#ifndef DNS_H
#define DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsask.h"

struct dns;
struct dnshosts;
struct loop;

/* Who asks, and how. Compared as bytes: what is not used is 0. */
struct dns_client {
	uint8_t tcp;                    /* 1: over a connection, which takes DNS_LARGEST bytes */
	uint8_t ref[39];                /* the caller's: address and port, or whatever finds it again */
};

struct dns_config {
	struct loop *loop;
	void *arg;
	/* Whether a name may be asked for at all. @name: as dnsname_text(). */
	bool (*allowed)(void *arg, const char *name);
	/* An address that is told now, for the name that was asked and each alias to it, good for so many seconds. */
	void (*learned)(void *arg, const char *name, const struct addr *a, uint32_t seconds);
	/* Whether an address may be told; NULL: all may. */
	bool (*keep)(void *arg, const struct addr *a);
	/* A reply, without the length that TCP has before it. It may call dns_cancel(), but not dns_query(). */
	void (*answer)(void *arg, const struct dns_client *c, const uint8_t *msg, size_t len);
	uint64_t (*now)(void *arg);     /* msec of a clock that never goes back; NULL: CLOCK_MONOTONIC */
	unsigned int flights;           /* questions that may wait for servers; 0: 256 */
	uint64_t try_msec;              /* for one server before the next is asked, too; 0: 1000 */
	uint64_t total_msec;            /* for a question; 0: 5000 */
	size_t udp_max;                 /* bytes of the largest datagram to a guest; 0: DNS_UDP_ASKED */
};

struct dns_stats {
	uint64_t queries, answered;
	uint64_t malformed;             /* queries that were dropped or answered FORMERR and the like */
	uint64_t refused;               /* by policy, type or class */
	uint64_t local;                 /* answered from names by option */
	uint64_t merged;                /* with the same question of the same client */
	uint64_t overflow;              /* SERVFAIL, for too many were waiting */
	uint64_t failed;                /* SERVFAIL, for no server had an answer */
	uint64_t cancelled;
	uint64_t asked, asked_tcp;      /* messages that left */
	uint64_t strays;                /* messages from a server's address that answer nothing */
	uint64_t bad_answers;           /* answers that made no sense */
	uint64_t dropped;               /* records that were not told */
	uint64_t protected;             /* addresses that keep() refused */
};

struct dns *dns_new(const struct dns_config *c);
void dns_free(struct dns *d);
struct dnshosts *dns_hosts(struct dns *d);
void dns_servers(struct dns *d, const struct dns_server *servers, size_t n);
int dns_query(struct dns *d, const struct dns_client *c, const uint8_t *msg, size_t len);
void dns_cancel(struct dns *d, const struct dns_client *c);
unsigned int dns_waiting(const struct dns *d);
const struct dns_stats *dns_stats(const struct dns *d);

#endif

/* SPDX-License-Identifier: ISC */
/* dnspool.h - the servers that can be asked, and how they have been doing. */
#ifndef DNSPOOL_H
#define DNSPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsask.h"

enum { DNSPOOL_MAX = 8 };

struct dnspool {
	unsigned int count;
	struct dnspool_member {
		struct dns_server server;
		unsigned int fails;     /* questions in a row that it left without an answer, about */
		uint64_t until;         /* with fails: others come first until then */
		bool plain;             /* it does not know EDNS */
	} member[DNSPOOL_MAX];
};

bool dnspool_set(struct dnspool *p, const struct dns_server *servers, size_t n);
int dnspool_pick(struct dnspool *p, uint32_t tried, uint64_t now);
bool dnspool_spare(const struct dnspool *p, uint32_t tried);
void dnspool_well(struct dnspool *p, int i);
void dnspool_failed(struct dnspool *p, int i, uint64_t now);

#endif

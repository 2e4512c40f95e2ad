/* SPDX-License-Identifier: ISC */
/* frag.h - IPv4 fragments: later ones pass once their first did. */
#ifndef FRAG_H
#define FRAG_H

#include <stdint.h>

#include "pkt.h"

enum {
	FRAG_MAX = 64,                  /* datagrams under way */
	FRAG_MSEC = 15000,              /* for how long; RFC 1122 §3.3.2 has 60 s at least for who assembles */
	FRAG_REUSE_MSEC = 2000,         /* then an identifier may begin another */
	FRAG_UNITS = 8192,              /* of 8 bytes */
};

struct frag {
	uint64_t born;                  /* 0: free */
	struct addr src, dst;
	uint16_t ip_id, sport, dport, id;
	uint8_t proto, type, code;
	bool bad;                       /* overlapped: nothing of it passes any more */
	size_t units, end;              /* seen; in all, 0 until the last one came */
	uint8_t seen[FRAG_UNITS / 8];
};

struct frag_table {
	struct frag entry[FRAG_MAX];
};

enum pkt_drop frag_admit(struct frag_table *t, uint64_t now, const struct pkt *p);
enum pkt_drop frag_pass(struct frag_table *t, uint64_t now, struct pkt *p);

#endif

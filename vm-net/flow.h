/* SPDX-License-Identifier: ISC */
/* flow.h - what is under way between the guest and others, judged once. */
#ifndef FLOW_H
#define FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "pkt.h"

enum { FLOW_MAX = 16384 };

enum flow_class {
	FLOW_OPENING,                   /* TCP: a SYN was seen, its answer not */
	FLOW_OPEN,                      /* TCP */
	FLOW_CLOSING,                   /* TCP: FINs of both */
	FLOW_UDP,
	FLOW_ECHO,
	FLOW_CLASSES
};

/* The check of a flow's name, when its verdict says `sni`. */
enum flow_name {
	FLOW_NAME_AWAITED,
	FLOW_NAME_SETTLING,             /* it is allowed; the stack has not acknowledged what said it */
	FLOW_NAME_KNOWN,
};

struct held;

enum flow_end {
	FLOW_END_CLOSED,                /* FINs of both */
	FLOW_END_RESET,                 /* a RST of either */
	FLOW_END_IDLE,
	FLOW_END_POLICY,                /* judged again, and denied */
	FLOW_END_NAME,                  /* the name that it is for is denied, or not known in time: see hold.h */
	FLOW_END_REPLACED,              /* the guest began a new one between the same ports */
	FLOW_END_GONE,                  /* the guest, or vm-net itself */
	FLOW_ENDS
};

/* Between whom. All bytes count: build it from { 0 }. */
struct flow_key {
	struct addr guest, remote;
	uint16_t guest_port, remote_port;       /* echo: its id, and 0 */
	uint8_t proto, zero[3];
};

/* What a judge says of a flow that it allows: kept with it. */
struct flow_verdict {
	uint32_t rule;
	uint32_t flags;
	bool sni;                       /* TCP alone: nothing goes on before its name is judged, see hold.h */
	bool redirect;                  /* TCP alone: carried to @to, of its family, see nat.h */
	uint16_t to_port;
	uint16_t place;                 /* the judge's: which of those that are reached there */
	struct addr to;
};

struct flow_count {
	uint64_t packets, bytes;        /* of IP */
};

struct flow {
	struct flow_key key;
	struct flow_verdict verdict;
	bool inbound;                   /* a forward's: the other side began */
	uint16_t nat;                   /* of nat_open(); 0: it goes where it says */
	uint32_t generation;            /* of the policy that judged it */
	uint64_t start, last;           /* milliseconds */
	struct flow_count sent, received;       /* by the guest */
	uint32_t guest_next, remote_next;       /* TCP: what each said it expects, last */

	/* With @verdict.sni: hold.c's. */
	enum flow_name naming;
	char *name;                     /* of the server that the client wants, once it is known; freed with the flow */
	struct held *held;              /* NULL: nothing yet, or nothing any more */
	uint32_t named_end;             /* the sequence number behind what said the name */

	/* flow.c's */
	uint8_t class, fins;
	bool used;
	uint32_t chain, prev, next;
};

typedef void flow_done_fn(void *arg, const struct flow *f, enum flow_end why);

struct flow_table {
	uint32_t count, generation;
	uint64_t opened, refused;

	/* flow.c's */
	struct flow *flows;
	uint32_t *bucket;
	uint32_t max, mask, fresh, free;
	uint64_t key[2];
	struct { uint32_t first, last; } list[FLOW_CLASSES];
	flow_done_fn *done;
	void *arg;
};

struct flow_key flow_key_of(const struct pkt *p, bool from_guest);
bool flow_opens(const struct pkt *p);
bool flow_changes(const struct pkt *p);

int flow_init(struct flow_table *t, uint32_t max, flow_done_fn *done, void *arg);
void flow_free(struct flow_table *t);
struct flow *flow_find(const struct flow_table *t, const struct flow_key *key);
struct flow *flow_open(struct flow_table *t, uint64_t now, const struct flow_key *key,
		       const struct flow_verdict *v, bool inbound);
bool flow_packet(struct flow_table *t, struct flow *f, uint64_t now, const struct pkt *p, bool from_guest);
void flow_end(struct flow_table *t, struct flow *f, enum flow_end why);
struct flow *flow_expired(const struct flow_table *t, uint64_t now);
struct flow *flow_next(const struct flow_table *t, const struct flow *f);
const char *flow_end_name(enum flow_end why);

#endif

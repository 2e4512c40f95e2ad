/* SPDX-License-Identifier: ISC */
/* hold.h - what a guest says is held back until it has said which server it wants. */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "pkt.h"

enum {
	HOLD_BYTES = 16384,             /* of one flow */
	HOLD_MSEC = 10 * 1000,          /* since its first one */
	HOLD_FLOWS = 1024,              /* at a time */
	HOLD_TOTAL = 4 << 20,           /* bytes, of all */
};

/* What is to be done with a packet. */
enum hold_step {
	HOLD_PASS,                      /* it says nothing: pass it on */
	HOLD_REPEAT,                    /* not the next bytes: drop it, and say which are */
	HOLD_DROP,
	HOLD_KEPT,                      /* it was copied: say so to the guest, or its next bytes may not come */
	HOLD_ASK,                       /* the flow has its name: hold_settle() it if that is allowed */
	HOLD_REFUSE,                    /* end the flow */
};

/* What became of flows. */
enum hold_end {
	HOLD_NAMED,
	HOLD_DENIED,                    /* the name is */
	HOLD_NAMELESS,                  /* TLS or HTTP without a name */
	HOLD_NEITHER,                   /* no TLS and no HTTP, or malformed */
	HOLD_SHORT,                     /* the guest's end came first */
	HOLD_LONG,                      /* HOLD_BYTES did */
	HOLD_LATE,                      /* HOLD_MSEC did */
	HOLD_FULL,                      /* HOLD_FLOWS or HOLD_TOTAL did, or no memory was left */
	HOLD_ENDS
};

struct hold {
	unsigned int count;             /* flows that are held */
	size_t bytes;                   /* of memory for what they said */
	uint64_t ended[HOLD_ENDS];
	struct held *first, *last;      /* hold.c's: the oldest, the newest */
};

/* What was held: free() it. */
struct hold_bytes {
	uint8_t *data;
	uint32_t seq, len;
};

const char *hold_end_name(enum hold_end why);
void hold_free(struct hold *h);
enum hold_step hold_packet(struct hold *h, struct flow *fl, uint64_t now, const struct pkt *p, enum hold_end *why);
struct hold_bytes hold_settle(struct hold *h, struct flow *fl);
void hold_forget(struct hold *h, struct held *d);
struct flow *hold_expired(const struct hold *h, uint64_t now);
void hold_expects(const struct flow *fl, uint32_t *seq, uint16_t *room);

#endif

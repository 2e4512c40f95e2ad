/* SPDX-License-Identifier: ISC */
/* pump.h - one direction of a stream: bytes from one descriptor to another, with back-pressure. */
#ifndef PUMP_H
#define PUMP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* Called once, when the pump is over. @broken: its sink is gone, bytes may be lost. */
typedef void pump_fn(void *arg, bool broken);

enum pump_state {
	PUMP_NONE,
	PUMP_FLOWING,
	PUMP_FLUSHING,
	PUMP_OVER,
	PUMP_STATE_COUNT
};

struct pump {
	enum pump_state state;
	struct loop *loop;
	int from, to;			/* -1: none (any more) */
	int from_watch, to_watch;	/* -1: none */
	bool socket;			/* @to is one */
	bool lingers;			/* set by the caller: read on when the sink is gone, until pump_stop() */
	uint32_t hear_shutdown;		/* EPOLLRDHUP while it says something new */
	uint8_t *buf;
	uint32_t start, end;		/* of what is held in @buf */
	uint64_t left;			/* to be taken from @from yet */
	uint64_t sent;
	pump_fn *over;
	void *arg;
};

#define PUMP_INIT { .from = -1, .to = -1, .from_watch = -1, .to_watch = -1 }

int pump_start(struct pump *p, struct loop *l, int *from, int *to, pump_fn *over, void *arg);
void pump_finish(struct pump *p, uint64_t left);
bool pump_blocked(const struct pump *p);
void pump_discard(struct pump *p);
void pump_stop(struct pump *p);

#endif

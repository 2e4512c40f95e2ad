/* SPDX-License-Identifier: ISC */
/* pump.h - the bytes of one stream, one way. */
#ifndef PUMP_H
#define PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fdio.h"
#include "loop.h"

enum { PUMP_SIZE = 64 << 10 };

enum pump_state { PUMP_IDLE, PUMP_OPEN, PUMP_ENDING, PUMP_DONE };

struct pump;
typedef void pump_fn(void *arg, struct pump *p);
typedef size_t pump_filter(void *arg, uint8_t *data, size_t len);

struct pump {
	enum pump_state state;
	struct fdio from, to;
	struct loop *loop;
	int from_watch, to_watch;
	bool from_ready, to_ready;      /* a file, which is never waited for */
	pump_fn *done;
	pump_filter *filter;            /* of a keyboard, which is read whatever happens; or NULL */
	void *arg;                      /* of both */
	uint64_t moved;                 /* bytes read */
	uint64_t limit;                 /* more than this is an error */
	int read_error, write_error;    /* 0 or -errno, once done */
	size_t at, len;                 /* read and not yet written: data[at] to data[len] */
	uint8_t data[PUMP_SIZE];
};

void pump_init(struct pump *p);
int pump_start(struct pump *p, struct loop *loop, pump_fn *done, pump_filter *filter, void *arg);
void pump_stop(struct pump *p);
bool pump_waits(const struct pump *p);
void pump_look(struct pump *p);
void pump_end(struct pump *p);
void pump_limit(struct pump *p, uint64_t limit);

#endif

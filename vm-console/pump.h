/* SPDX-License-Identifier: ISC */
/* pump.h - the console's stream for automation: wait, send, print, all within one deadline. */
#ifndef PUMP_H
#define PUMP_H

#include "console.h"
#include "fdio.h"

enum { PUMP_SIZE = 1 << 20 };

struct pump {
	struct console *con;
	struct fdio out;
	uint64_t deadline;      /* on now_msec()'s clock; 0: none */
	bool ended;             /* no more bytes will come */
	size_t at, len;         /* received and not yet used: buf[at] to buf[len] */
	char why[512];          /* what a failure that is not the VM's end was */
	uint8_t buf[PUMP_SIZE];
};

int pump_init(struct pump *p, struct console *con, uint64_t deadline);
int pump_signal(void);
int pump_wait(struct pump *p, int64_t quiet);
int pump_send(struct pump *p, const void *data, size_t len);
int pump_print(struct pump *p, const void *data, size_t len);

#endif

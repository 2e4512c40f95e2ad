/* SPDX-License-Identifier: ISC */
/* power.h - the end of the machine. */
#ifndef POWER_H
#define POWER_H

struct session;

enum power_kind {
	POWER_OFF,
	POWER_OFF_UNTOLD,	/* and nobody was told how the main process ended */
	POWER_REBOOT,
	POWER_KIND_COUNT
};

void power_stop(struct session *s);
void power_end(enum power_kind kind, int console) __attribute__((noreturn));

#endif

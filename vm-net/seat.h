/* SPDX-License-Identifier: ISC */
/* seat.h - the addresses of a network of several guests, and who had which. */
#ifndef SEAT_H
#define SEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "subnet.h"

enum { SEATS = 64, SEAT_NAME = 64 };

/* One guest's addresses: guest4 + i, guest6 + i. */
struct seat {
	bool taken, barred;             /* barred: nobody can have it */
	bool has_mac;
	uint8_t mac[PKT_MAC];           /* whose it is, or was last */
	char name[SEAT_NAME];           /* "": it has said none */
	uint64_t left;                  /* when it became free, in a count of such events; 0: never had */
};

struct seats {
	const struct subnet *s;
	uint64_t leaves;
	struct seat seat[SEATS];
};

void seats_init(struct seats *t, const struct subnet *s);
void seats_bar(struct seats *t, const struct addr *a);
int seats_take(struct seats *t, const char *name);
void seats_keep(struct seats *t, unsigned int i, const uint8_t mac[PKT_MAC]);
void seats_leave(struct seats *t, unsigned int i);
void seats_move(struct seats *t, unsigned int from, unsigned int to);
int seats_of(const struct seats *t, const uint8_t mac[PKT_MAC]);
struct addr seats_v4(const struct seats *t, unsigned int i);
struct addr seats_v6(const struct seats *t, unsigned int i);
void seats_mac(const struct seats *t, unsigned int i, uint8_t mac[PKT_MAC]);
bool seat_name_ok(const char *name);

#endif

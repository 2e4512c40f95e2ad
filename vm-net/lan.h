/* SPDX-License-Identifier: ISC */
/* lan.h - several guests on one wire: who may say what, and who hears it. */
#ifndef LAN_H
#define LAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkt.h"
#include "seat.h"

enum { LAN_PORTS = SEATS, LAN_ADDRS = 16 };

struct lan_port {
	bool used;
	bool pinned;                    /* it has spoken: its MAC is what it will be */
	unsigned int seat;
	uint8_t mac[PKT_MAC];           /* that it speaks from; that it was told, before */
	struct addr addr4, addr6;       /* its seat's */
	struct addr learned[LAN_ADDRS]; /* IPv6 ones that it made itself; the last used come first */
	unsigned int learned_n;
};

struct lan_ops {
	/* A frame for a port's guest. Borrowed until the return. */
	void (*send)(void *arg, unsigned int port, const uint8_t *frame, size_t len);
	/* Its guest is one that was here before, and has the addresses of that time again. */
	void (*moved)(void *arg, unsigned int port);
};

struct lan {
	const struct subnet *s;
	const struct lan_ops *ops;
	void *arg;
	struct seats seats;
	struct lan_port port[LAN_PORTS];
	uint64_t frames, groups;        /* from guest to guest; from one to all others */
};

void lan_init(struct lan *l, const struct subnet *s, const struct lan_ops *ops, void *arg);
int lan_join(struct lan *l, const char *name);
void lan_leave(struct lan *l, unsigned int port);
const char *lan_name(const struct lan *l, unsigned int port);
enum pkt_drop lan_frame(struct lan *l, unsigned int port, const struct pkt *p, bool *up);
int lan_owner(const struct lan *l, const struct addr *a);
int lan_target(const struct lan *l, const uint8_t *frame, size_t len, bool *asks);

#endif

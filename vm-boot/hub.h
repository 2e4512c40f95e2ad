/* SPDX-License-Identifier: ISC */
/* hub.h - the console's hub: one guest port, many readers. */
#ifndef HUB_H
#define HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;
struct worker;

/* The guest's side of the console. */
struct hub_port {
	void (*input)(void *arg);       /* input waits: take it with hub_input() */
	void (*room)(void *arg);        /* hub_room() is not 0 any more */
	void *arg;
};

enum {
	HUB_REPLAY = 1,         /* begin with what was printed before */
	HUB_READ_ONLY = 2,
	HUB_HOLD = 4,           /* hold the guest back, for a moment, rather than lose bytes */
};

struct hub *hub_new(struct worker *w);
void hub_free(struct hub *h);
void hub_set_port(struct hub *h, const struct hub_port *port);
void hub_port_up(struct hub *h);
bool hub_is_up(struct hub *h);
size_t hub_room(struct hub *h);
void hub_write(struct hub *h, const void *buf, size_t len);
void hub_flush(struct hub *h);
size_t hub_input(struct hub *h, void *buf, size_t len);
void hub_set_up_hook(struct hub *h, void (*fn)(void *arg), void *arg);
int hub_attach(struct hub *h, unsigned int flags, uint64_t owner, int *client);
uint64_t hub_lost(struct hub *h, uint64_t owner);
void hub_drain(struct hub *h, void (*fn)(void *arg), void *arg);

#endif

/* SPDX-License-Identifier: ISC */
/* dnsask.h - one question to one server, over a socket of its own. */
#ifndef DNSASK_H
#define DNSASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

struct loop;

/* A server. What one cannot be told from another by is all here. */
struct dns_server {
	struct addr addr;
	uint32_t scope;                 /* interface of a link-local IPv6 address; else 0 */
	uint16_t port;                  /* 0: 53 */
};

struct dnsask;

/*
 * A message came (not yet checked), or with @msg NULL: no answer will come, -@len is why not.
 * Return: whether to go on listening; false when the ask was stopped, as it must be after a failure.
 */
typedef bool dnsask_fn(void *arg, struct dnsask *a, const uint8_t *msg, size_t len);

enum dnsask_state { DNSASK_IDLE, DNSASK_UDP, DNSASK_CONNECTING, DNSASK_TCP };

struct dnsask {
	enum dnsask_state state;
	struct loop *loop;
	int fd, watch;                  /* -1 while idle */
	dnsask_fn *fn;
	void *arg;
	int server;                     /* the caller's */
	uint16_t id;                    /* the caller's: of the message that was asked */
	unsigned int strays;            /* the caller's: messages that were no answer */
	uint8_t *out, *in;              /* over TCP, with the length before each message */
	size_t out_len, in_len, in_size;
};

#define DNSASK_INIT { .fd = -1, .watch = -1 }

int dnsask_udp(struct dnsask *a, const struct dns_server *s, const uint8_t *msg, size_t len);
int dnsask_tcp(struct dnsask *a, const struct dns_server *s, const uint8_t *msg, size_t len);
void dnsask_stop(struct dnsask *a);

#endif

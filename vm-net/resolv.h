/* SPDX-License-Identifier: ISC */
/* resolv.h - which servers the host asks: resolv.conf, now and whenever it changes. */
#ifndef RESOLV_H
#define RESOLV_H

#include <stddef.h>

#include "dnsask.h"

struct loop;
struct resolv;

enum { RESOLV_SERVERS = 8, RESOLV_BYTES = 65536 };

#define RESOLV_PATH "/etc/resolv.conf"

/* The servers are these now, maybe none. */
typedef void resolv_fn(void *arg, const struct dns_server *servers, size_t n);

size_t resolv_parse(const char *text, size_t len, struct dns_server servers[RESOLV_SERVERS]);
size_t resolv_read(int fd, struct dns_server servers[RESOLV_SERVERS]);
size_t resolv_open(const char *path, struct dns_server servers[RESOLV_SERVERS]);

struct resolv *resolv_follow(struct loop *loop, const char *path, resolv_fn *fn, void *arg);
void resolv_free(struct resolv *r);

#endif

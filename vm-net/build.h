/* SPDX-License-Identifier: ISC */
/* build.h - frames that we send ourselves. */
#ifndef BUILD_H
#define BUILD_H

#include <stdint.h>
#include <sys/uio.h>

#include "pkt.h"

enum { BUILD_HEAD = PKT_ETH + 40 + 20 };

enum { BUILD_ARP_REQUEST = 1, BUILD_ARP_REPLY = 2 };

/* Between whom. Both addresses are of one family. */
struct build_path {
	const uint8_t *src_mac, *dst_mac;
	struct addr src, dst;
};

/* A frame: headers here, and the payload where it lies. */
struct built {
	uint8_t head[BUILD_HEAD];
	struct iovec iov[2];
	unsigned int n;
};

void build_arp(struct built *b, const struct build_path *path, unsigned int op);
int build_udp(struct built *b, const struct build_path *path, uint16_t sport, uint16_t dport,
	      const void *data, size_t len);
void build_tcp(struct built *b, const struct build_path *path, const struct pkt *tcp);
int build_icmp(struct built *b, const struct build_path *path, unsigned int type, unsigned int code, uint32_t rest,
	       const void *data, size_t len);
size_t build_len(const struct built *b);
size_t build_copy(const struct built *b, void *frame, size_t size);

#endif

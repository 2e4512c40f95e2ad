/* SPDX-License-Identifier: ISC */
/* vsock_pkt.h - the header of a vsock packet (virtio 1.2 §5.10.6). */
#ifndef VSOCK_PKT_H
#define VSOCK_PKT_H

#include <stdint.h>

#include "util.h"

enum { VSOCK_HEADER = 44, VSOCK_TYPE_STREAM = 1 };

enum vsock_op {
	VSOCK_OP_INVALID, VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE, VSOCK_OP_RST, VSOCK_OP_SHUTDOWN,
	VSOCK_OP_RW, VSOCK_OP_CREDIT_UPDATE, VSOCK_OP_CREDIT_REQUEST,
	VSOCK_OPS
};

/* Flags of SHUTDOWN: what its sender will not do any more. */
enum { VSOCK_SHUT_RCV = 1, VSOCK_SHUT_SEND = 2, VSOCK_SHUT_BOTH = 3 };

struct vsock_pkt {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len;
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt;
};

static inline void vsock_pkt_read(struct vsock_pkt *p, const uint8_t b[VSOCK_HEADER])
{
	*p = (struct vsock_pkt){
		.src_cid = get_le64(b), .dst_cid = get_le64(b + 8), .src_port = get_le32(b + 16),
		.dst_port = get_le32(b + 20), .len = get_le32(b + 24), .type = get_le16(b + 28),
		.op = get_le16(b + 30), .flags = get_le32(b + 32), .buf_alloc = get_le32(b + 36),
		.fwd_cnt = get_le32(b + 40),
	};
}

static inline void vsock_pkt_write(const struct vsock_pkt *p, uint8_t b[VSOCK_HEADER])
{
	put_le64(b, p->src_cid);
	put_le64(b + 8, p->dst_cid);
	put_le32(b + 16, p->src_port);
	put_le32(b + 20, p->dst_port);
	put_le32(b + 24, p->len);
	put_le16(b + 28, p->type);
	put_le16(b + 30, p->op);
	put_le32(b + 32, p->flags);
	put_le32(b + 36, p->buf_alloc);
	put_le32(b + 40, p->fwd_cnt);
}

#endif

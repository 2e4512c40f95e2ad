// SPDX-License-Identifier: ISC
/*
 * vsock_fuzz.c - a guest's driver that sends anything: each packet of the input is a header's worth of bytes, some of
 * them bent to what exists, and perhaps data. A dial, a listener and a client that reads now and then are there to be hit.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "vsock_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the device gave back: keep it in buffers, and learn a port of its. */
static uint32_t drain_rx(uint32_t host)
{
	uint32_t id, len;

	while (used_one(&g.ring[RX], &id, &len)) {
		struct vsock_pkt p;

		g.posted--;
		if (len < VSOCK_HEADER)
			continue;
		vsock_pkt_read(&p, g.ram + g.ring[RX].buf + id * BUF);
		if (len != VSOCK_HEADER + p.len || p.src_cid != VSOCK_CID_HOST)
			abort();
		if (p.op == VSOCK_OP_REQUEST)
			host = p.src_port;
	}
	post(SIZE);
	return host;
}

static void take_results(int *client)
{
	struct vsock_result r;
	unsigned int i;

	while (vsock_result(g.v, &r))
		for (i = 0; i < r.count; i++) {
			if (*client >= 0)
				close(*client);
			*client = r.fd[i];
		}
}

static void take_listened(int sock)
{
	struct msg m;

	if (msg_recv(sock, &m, false) > 0)
		msg_drop(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t host = 0x40000001;
	int client = -1, pair[2];
	char waste[4096] = { 0 };
	size_t at;

	if (size < 2 || size > 64 * 48 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return 0;
	set_up(true);
	vsock_dial(g.v, 1, 5, 1 + data[0] % 4);
	vsock_listen(g.v, 50, &pair[0]);
	for (at = 2; at + 12 <= size; at += 12) {
		const uint8_t *b = data + at;
		struct vsock_pkt p = pkt(b[0] & 1 ? 5 : b[1], b[0] & 2 ? host : b[0] & 4 ? 50 : get_le32(b + 2),
					 b[6] % (VSOCK_OPS + 1));
		size_t len = b[7] & 0x80 ? (size_t)(b[7] & 0x7f) * 32 : 0;

		p.len = b[0] & 8 ? get_le32(b + 8) : (uint32_t)len;
		p.flags = b[8];
		p.buf_alloc = b[0] & 16 ? get_le32(b + 8) : PEER;
		p.fwd_cnt = b[0] & 32 ? get_le32(b + 8) : 0;
		if (b[0] & 64)
			p.type = b[9];
		send_raw(&p, waste, len, b[0] & 128 ? b[10] % (VSOCK_HEADER + 1) : VSOCK_HEADER);
		host = drain_rx(host);
		take_results(&client);
		if (client >= 0 && b[11] & 1 && recv(client, waste, sizeof(waste), MSG_DONTWAIT) < 0 && errno == EBADF)
			abort();
		if (client >= 0 && b[11] & 2 && send(client, waste, b[11], MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EBADF)
			abort();
		if (client >= 0 && b[11] == 255) {
			close(client);
			client = -1;
		}
		if (b[11] & 4)
			take_listened(pair[1]);
	}
	tear_down();
	if (client >= 0)
		close(client);
	if (pair[0] >= 0)
		close(pair[0]);
	close(pair[1]);
	return 0;
}

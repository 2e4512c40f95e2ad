/* SPDX-License-Identifier: ISC */
/* vsock_driver.h - a guest's driver of virtio-vsock, for tests: rings in a memory of its own, packets as it likes. */
#ifndef VSOCK_DRIVER_H
#define VSOCK_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "gmem.h"
#include "msg.h"
#include "tap.h"
#include "util.h"
#include "virtio.h"
#include "virtio_vsock.h"
#include "vsock_pkt.h"
#include "wait.h"
#include "worker.h"

enum { MEM = 4 << 20, SIZE = 256, BUF = 4096 + VSOCK_HEADER, WAIT_MS = 10000, PEER = 1 << 20 };
enum { RX, TX };

/* A ring as the driver has it: descriptors, available and used rings, a buffer of its own per descriptor. */
struct ring {
	uint64_t desc, avail, used, buf;
	uint16_t next, seen;
	int kick, call;
};

static struct {
	struct gmem mem;
	uint8_t *ram;
	struct worker *w;
	struct vsock *v;
	struct ring ring[2];
	size_t rx_len;          /* of the buffers that are posted */
	unsigned int posted;
	bool broken;
} g;

static inline void on_call(void *arg, unsigned int ring)
{
	uint64_t one = 1;

	(void)arg;
	if (write(g.ring[ring].call, &one, sizeof(one)) < 0)
		abort();
}

static inline void on_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	g.broken = true;
}

static inline void kick(struct ring *r)
{
	uint64_t one = 1;

	if (write(r->kick, &one, sizeof(one)) < 0)
		abort();
}

static inline void avail(struct ring *r, uint16_t head)
{
	uint8_t *a = g.ram + r->avail;

	put_le16(a + 4 + 2 * (r->next++ % SIZE), head);
	__atomic_store_n((uint16_t *)(void *)(a + 2), r->next, __ATOMIC_RELEASE);
}

static inline void describe(struct ring *r, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint8_t *d = g.ram + r->desc + 16 * i;

	put_le64(d, addr);
	put_le32(d + 8, len);
	put_le16(d + 12, flags);
	put_le16(d + 14, 0);
}

/* Give the device @n buffers of rx_len. */
static inline void post(unsigned int n)
{
	struct ring *r = &g.ring[RX];
	unsigned int i;

	n = MIN(n, SIZE - g.posted);
	g.posted += n;
	for (i = 0; i < n; i++) {
		unsigned int at = r->next % SIZE;

		describe(r, at, r->buf + at * BUF, (uint32_t)g.rx_len, 2);
		avail(r, (uint16_t)at);
	}
	kick(r);
}

static inline void start_rings(uint64_t features)
{
	unsigned int i;

	vsock_dev(g.v)->features = features;
	g.posted = 0;
	for (i = 0; i < 2; i++) {
		struct ring *r = &g.ring[i];
		struct virtio_ring_setup setup = {
			.at = { SIZE, r->desc, r->avail, r->used }, .kick = r->kick,
		};

		memset(g.ram + r->desc, 0, r->buf - r->desc);
		r->next = r->seen = 0;
		if (virtio_ring_start(vsock_dev(g.v), i, &setup))
			abort();
	}
}

static inline void set_up(bool start)
{
	struct gmem_region region = { .len = MEM };
	unsigned int i;

	memset(&g, 0, sizeof(g));
	g.ram = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region.host = g.ram;
	gmem_add(&g.mem, &region);
	g.w = worker_new("test");
	g.v = vsock_new(&g.mem, g.w);
	g.rx_len = BUF;
	vsock_dev(g.v)->call = on_call;
	vsock_dev(g.v)->broken = on_broken;
	for (i = 0; i < 2; i++) {
		struct ring *r = &g.ring[i];

		r->desc = (uint64_t)i * MEM / 2;
		r->avail = r->desc + 16 * SIZE;
		r->used = r->avail + 4096;
		r->buf = r->used + 4096;
		r->kick = eventfd(0, EFD_NONBLOCK);
		r->call = eventfd(0, EFD_NONBLOCK);
	}
	if (worker_start(g.w))
		abort();
	if (start)
		start_rings(0);
	if (start)
		post(SIZE);
}

static inline void tear_down(void)
{
	unsigned int i;

	virtio_reset(vsock_dev(g.v));
	worker_stop(g.w);
	vsock_free(g.v);
	worker_free(g.w);
	for (i = 0; i < 2; i++) {
		close(g.ring[i].kick);
		close(g.ring[i].call);
	}
	munmap(g.ram, MEM);
}

static inline bool readable(int fd)
{
	return wait_readable(fd, WAIT_MS);
}

static inline bool used_one(struct ring *r, uint32_t *id, uint32_t *len)
{
	const uint8_t *u = g.ram + r->used;
	const uint8_t *e = u + 4 + 8 * (r->seen % SIZE);

	if (__atomic_load_n((const uint16_t *)(const void *)(u + 2), __ATOMIC_ACQUIRE) == r->seen)
		return false;
	*id = get_le32(e);
	*len = get_le32(e + 4);
	r->seen++;
	return true;
}

/* Wait until the device is done with one descriptor of @r. */
static inline bool wait_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	uint64_t n;

	while (!used_one(r, id, len))
		if (!readable(r->call) || read(r->call, &n, sizeof(n)) < 0)
			return false;
	return true;
}

/* Send @p with @len bytes of @data behind it, declared as p->len, and wait until it is taken. */
static inline void send_raw(const struct vsock_pkt *p, const void *data, size_t len, size_t header)
{
	struct ring *r = &g.ring[TX];
	unsigned int at = r->next % SIZE;
	uint8_t *buf = g.ram + r->buf + at * BUF, h[VSOCK_HEADER];
	uint32_t id, n;

	vsock_pkt_write(p, h);
	memcpy(buf, h, header);
	if (len)
		memcpy(buf + header, data, len);
	describe(r, at, r->buf + at * BUF, (uint32_t)(header + len), 0);
	avail(r, (uint16_t)at);
	kick(r);
	if (!wait_used(r, &id, &n))
		abort();
}

static inline struct vsock_pkt pkt(uint32_t guest, uint32_t host, uint16_t op)
{
	return (struct vsock_pkt){
		.src_cid = VSOCK_CID_GUEST, .dst_cid = VSOCK_CID_HOST, .src_port = guest,
		.dst_port = host, .type = VSOCK_TYPE_STREAM, .op = op, .buf_alloc = PEER,
	};
}

static inline void send_op(uint32_t guest, uint32_t host, uint16_t op)
{
	struct vsock_pkt p = pkt(guest, host, op);

	send_raw(&p, NULL, 0, VSOCK_HEADER);
}

static inline void send_shutdown(uint32_t guest, uint32_t host, uint32_t flags)
{
	struct vsock_pkt p = pkt(guest, host, VSOCK_OP_SHUTDOWN);

	p.flags = flags;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
}

static inline void send_data(uint32_t guest, uint32_t host, const void *data, size_t len)
{
	struct vsock_pkt p = pkt(guest, host, VSOCK_OP_RW);

	p.len = (uint32_t)len;
	send_raw(&p, data, len, VSOCK_HEADER);
}

/* The next packet to the guest; its bytes stay in place until SIZE more came. Its buffer is posted again. */
static inline bool recv_pkt(struct vsock_pkt *p, const uint8_t **data)
{
	struct ring *r = &g.ring[RX];
	uint32_t id, len;

	do {
		if (!wait_used(r, &id, &len))
			return false;
		g.posted--;
	} while (!len);
	vsock_pkt_read(p, g.ram + r->buf + id * BUF);
	if (data)
		*data = g.ram + r->buf + id * BUF + VSOCK_HEADER;
	return len == VSOCK_HEADER + p->len && p->src_cid == VSOCK_CID_HOST && p->dst_cid == VSOCK_CID_GUEST;
}

static inline bool recv_op(uint16_t op, struct vsock_pkt *p)
{
	bool ok = recv_pkt(p, NULL) && p->op == op && p->type == VSOCK_TYPE_STREAM;

	post(1);
	return ok;
}

static inline bool result(struct vsock_result *r)
{
	uint64_t n;

	while (!vsock_result(g.v, r))
		if (!readable(vsock_event(g.v)) || read(vsock_event(g.v), &n, sizeof(n)) < 0)
			return false;
	return true;
}

/* One open connection. Return: the client's end; @host is its port. */
static inline int dial(uint32_t port, uint32_t *host)
{
	struct vsock_result r = { .err = -1 };
	struct vsock_pkt p;

	if (vsock_dial(g.v, 7, port, 1) || !recv_op(VSOCK_OP_REQUEST, &p) || p.dst_port != port)
		return -1;
	*host = p.src_port;
	send_op(port, *host, VSOCK_OP_RESPONSE);
	return result(&r) && !r.err && r.count == 1 && r.cookie == 7 ? r.fd[0] : -1;
}

static inline bool reads(int fd, const char *text)
{
	char buf[64];
	ssize_t n = readable(fd) ? read(fd, buf, sizeof(buf)) : -1;

	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

#endif

/* SPDX-License-Identifier: ISC */
/* net_driver.h - a guest's driver of virtio-net and the peer at its cable's end, for tests. It kicks only when asked to. */
#ifndef NET_DRIVER_H
#define NET_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "frames.h"
#include "gmem.h"
#include "net.h"
#include "netwire.h"
#include "tap.h"
#include "util.h"
#include "virtio.h"
#include "virtio_net.h"
#include "worker.h"

enum { SIZE = 256, STRIDE = 72 << 10, HALF = 20 << 20, MEM = 2 * HALF, WAIT_MS = 10000, HEADER = 12 };
enum { RX, TX };

#define F_MTU (1ULL << 3)
#define F_MRG (1ULL << 15)
#define F_STATUS (1ULL << 16)

struct ring {
	uint64_t desc, avail, used, buf;
	uint16_t next, seen;
	unsigned int posted, kicks;
	int kick, call;
};

static struct {
	struct gmem mem;
	uint8_t *ram;
	struct worker *w;
	struct virtio_net *n;
	struct virtio_dev *dev;
	struct ring ring[2];
	uint64_t features;
	size_t rx_len;          /* of the buffers that are posted */
	bool broken;            /* atomics */
	int changes, lost;
	int peer;
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
	__atomic_store_n(&g.broken, true, __ATOMIC_RELEASE);
}

static inline void on_config(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&g.changes, 1, __ATOMIC_RELEASE);
}

static inline void on_lost(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&g.lost, 1, __ATOMIC_RELEASE);
}

static inline void kick(struct ring *r)
{
	uint64_t one = 1;

	r->kicks++;
	if (write(r->kick, &one, sizeof(one)) < 0)
		abort();
}

/* Kick if the device asked for it: entries from @old on are new. */
static inline void kick_if_asked(struct ring *r, uint16_t old)
{
	uint16_t event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(g.features & VIRTIO_F_EVENT_IDX)) {
		if (!(__atomic_load_n((uint16_t *)(void *)(g.ram + r->used), __ATOMIC_ACQUIRE) & 1))
			kick(r);
		return;
	}
	event = __atomic_load_n((uint16_t *)(void *)(g.ram + r->used + 4 + 8 * SIZE), __ATOMIC_ACQUIRE);
	if ((uint16_t)(r->next - event - 1) < (uint16_t)(r->next - old))
		kick(r);
}

static inline void avail(struct ring *r, uint16_t head)
{
	uint8_t *a = g.ram + r->avail;

	put_le16(a + 4 + 2 * (r->next++ % SIZE), head);
	__atomic_store_n((uint16_t *)(void *)(a + 2), r->next, __ATOMIC_RELEASE);
}

static inline void describe(struct ring *r, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	uint8_t *d = g.ram + r->desc + 16 * i;

	put_le64(d, addr);
	put_le32(d + 8, len);
	put_le16(d + 12, flags);
	put_le16(d + 14, next);
}

static inline void post(unsigned int n)
{
	struct ring *r = &g.ring[RX];
	uint16_t old = r->next;

	for (n = MIN(n, SIZE - r->posted); n; n--, r->posted++) {
		unsigned int at = r->next % SIZE;

		describe(r, at, r->buf + at * (uint64_t)STRIDE, (uint32_t)g.rx_len, 2, 0);
		avail(r, (uint16_t)at);
	}
	kick_if_asked(r, old);
}

static inline void start_rings(void)
{
	unsigned int i;

	g.dev->features = g.features;
	for (i = 0; i < 2; i++) {
		struct ring *r = &g.ring[i];
		struct virtio_ring_setup setup = { .at = { SIZE, r->desc, r->avail, r->used }, .kick = r->kick };

		memset(g.ram + r->desc, 0, r->buf - r->desc);
		r->next = r->seen = 0;
		r->posted = 0;
		if (virtio_ring_start(g.dev, i, &setup))
			abort();
	}
}

struct attach {
	int fd, err;
};

static inline void do_attach(void *arg)
{
	struct attach *a = arg;

	a->err = virtio_net_attach(g.n, &a->fd);
}

/* A peer comes: g.peer is its end. */
static inline void plug(void)
{
	struct attach a;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	a.fd = pair[0];
	worker_call(g.w, do_attach, &a);
	if (a.err)
		abort();
	g.peer = pair[1];
}

static inline void set_up(uint64_t features, size_t rx_len)
{
	static const struct virtio_net_card card = { { 2, 1, 2, 3, 4, 5 }, 9000 };
	struct gmem_region region = { .len = MEM };
	unsigned int i;

	memset(&g, 0, sizeof(g));
	g.features = features | VIRTIO_F_VERSION_1;
	g.rx_len = rx_len;
	g.ram = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	region.host = g.ram;
	gmem_add(&g.mem, &region);
	g.w = worker_new("test");
	g.n = virtio_net_new(&g.mem, g.w, &card, on_lost, NULL);
	g.dev = virtio_net_dev(g.n);
	g.dev->call = on_call;
	g.dev->broken = on_broken;
	g.dev->config_changed = on_config;
	for (i = 0; i < 2; i++) {
		struct ring *r = &g.ring[i];

		r->desc = (uint64_t)i * HALF;
		r->avail = r->desc + 16 * SIZE;
		r->used = r->avail + 4096;
		r->buf = r->used + 4096;
		r->kick = eventfd(0, EFD_NONBLOCK);
		r->call = eventfd(0, EFD_NONBLOCK);
	}
	g.peer = -1;
	if (worker_start(g.w))
		abort();
	start_rings();
	plug();
	post(SIZE);
}

static inline void tear_down(void)
{
	unsigned int i;

	virtio_reset(g.dev);
	worker_stop(g.w);
	virtio_net_free(g.n);
	worker_free(g.w);
	for (i = 0; i < 2; i++) {
		close(g.ring[i].kick);
		close(g.ring[i].call);
	}
	cleanup_fd(&g.peer);
	munmap(g.ram, MEM);
}

static inline bool readable(int fd, int msec)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, msec) == 1;
}

static inline bool used_one(struct ring *r, uint32_t *id, uint32_t *len)
{
	const uint8_t *u = g.ram + r->used, *e = u + 4 + 8 * (r->seen % SIZE);

	if (__atomic_load_n((const uint16_t *)(const void *)(u + 2), __ATOMIC_ACQUIRE) == r->seen)
		return false;
	*id = get_le32(e);
	*len = get_le32(e + 4);
	r->seen++;
	/* The next one is wanted at once. */
	__atomic_store_n((uint16_t *)(void *)(g.ram + r->avail + 4 + 2 * SIZE), r->seen, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return true;
}

static inline bool wait_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	uint64_t n;

	while (!used_one(r, id, len))
		if (!readable(r->call, WAIT_MS) || read(r->call, &n, sizeof(n)) < 0)
			return false;
	return true;
}

/* Offer the device a frame in @parts descriptors; slots as they come, at most SIZE / parts under way. */
static inline void offer(const void *frame, size_t len, unsigned int parts)
{
	struct ring *r = &g.ring[TX];
	uint16_t old = r->next;
	unsigned int head = (r->next * parts) % SIZE, i;
	uint64_t at = r->buf + (r->next % SIZE) * (uint64_t)STRIDE;
	size_t all = HEADER + len, done = 0;

	memset(g.ram + at, 0, HEADER);
	memcpy(g.ram + at + HEADER, frame, len);
	for (i = 0; i < parts; i++) {
		size_t n = i + 1 == parts ? all - done : MIN(all - done, (size_t)7);

		describe(r, (head + i) % SIZE, at + done, (uint32_t)n, i + 1 < parts, (uint16_t)((head + i + 1) % SIZE));
		done += n;
	}
	avail(r, (uint16_t)head);
	kick_if_asked(r, old);
}

static inline bool send_frame(const void *frame, size_t len, unsigned int parts)
{
	uint32_t id, n;

	offer(frame, len, parts);
	return wait_used(&g.ring[TX], &id, &n);
}

/* The next frame that the device gave us, put together. Return: its length; 0 for none or a bad one. */
static inline size_t recv_frame(uint8_t *frame)
{
	struct ring *r = &g.ring[RX];
	unsigned int buffers, i;
	uint32_t id, len;
	size_t done;

	if (!wait_used(r, &id, &len) || len <= HEADER)
		return 0;
	buffers = get_le16(g.ram + r->buf + id * (uint64_t)STRIDE + 10);
	done = len - HEADER;
	memcpy(frame, g.ram + r->buf + id * (uint64_t)STRIDE + HEADER, done);
	/* All that belong together are there together. */
	for (i = 1; i < buffers; i++) {
		if (!used_one(r, &id, &len) || done + len > FRAMES_MAX)
			return 0;
		memcpy(frame + done, g.ram + r->buf + id * (uint64_t)STRIDE, len);
		done += len;
	}
	r->posted -= buffers;
	return done;
}

static inline bool peer_write(const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = send(g.peer, p, len, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool peer_send(const void *frame, size_t len)
{
	uint8_t head[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };

	return peer_write(head, 4) && peer_write(frame, len);
}

static inline bool peer_read(uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = readable(g.peer, WAIT_MS) ? recv(g.peer, data, len, 0) : 0;

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Return: the next frame's length; 0 at the end. */
static inline size_t peer_recv(uint8_t *frame)
{
	uint8_t head[4];
	size_t len;

	if (!peer_read(head, 4))
		return 0;
	len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	return len <= FRAMES_MAX && peer_read(frame, len) ? len : 0;
}

static inline bool becomes(const int *what, int value)
{
	int i;

	for (i = 0; i < WAIT_MS && __atomic_load_n(what, __ATOMIC_ACQUIRE) != value; i++)
		poll(NULL, 0, 1);
	return i < WAIT_MS;
}

static inline bool breaks(void)
{
	int i;

	for (i = 0; i < WAIT_MS && !__atomic_load_n(&g.broken, __ATOMIC_ACQUIRE); i++)
		poll(NULL, 0, 1);
	return i < WAIT_MS;
}

static inline void do_count(void *arg)
{
	virtio_net_counts(g.n, arg);
}

static inline struct net_counts counts(void)
{
	struct net_counts c;

	worker_call(g.w, do_count, &c);
	return c;
}

static inline unsigned int link_status(void)
{
	uint8_t status[2];

	g.dev->ops->config_read(g.dev, 6, status, 2);
	return get_le16(status);
}

#endif

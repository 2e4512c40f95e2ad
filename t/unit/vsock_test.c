// SPDX-License-Identifier: ISC
/* vsock_test.c - virtio-vsock against a driver that knows the standard, and one that breaks it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

static void on_call(void *arg, unsigned int ring)
{
	uint64_t one = 1;

	(void)arg;
	if (write(g.ring[ring].call, &one, sizeof(one)) < 0)
		abort();
}

static void on_broken(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	g.broken = true;
}

static void kick(struct ring *r)
{
	uint64_t one = 1;

	if (write(r->kick, &one, sizeof(one)) < 0)
		abort();
}

static void avail(struct ring *r, uint16_t head)
{
	uint8_t *a = g.ram + r->avail;

	put_le16(a + 4 + 2 * (r->next++ % SIZE), head);
	__atomic_store_n((uint16_t *)(void *)(a + 2), r->next, __ATOMIC_RELEASE);
}

static void describe(struct ring *r, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint8_t *d = g.ram + r->desc + 16 * i;

	put_le64(d, addr);
	put_le32(d + 8, len);
	put_le16(d + 12, flags);
	put_le16(d + 14, 0);
}

/* Give the device @n buffers of rx_len. */
static void post(unsigned int n)
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

static void start_rings(uint64_t features)
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

static void set_up(bool start)
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

static void tear_down(void)
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

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, WAIT_MS) == 1;
}

static bool used_one(struct ring *r, uint32_t *id, uint32_t *len)
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
static bool wait_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	uint64_t n;

	while (!used_one(r, id, len))
		if (!readable(r->call) || read(r->call, &n, sizeof(n)) < 0)
			return false;
	return true;
}

/* Send @p with @len bytes of @data behind it, declared as p->len, and wait until it is taken. */
static void send_raw(const struct vsock_pkt *p, const void *data, size_t len, size_t header)
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

static struct vsock_pkt pkt(uint32_t guest, uint32_t host, uint16_t op)
{
	return (struct vsock_pkt){
		.src_cid = VSOCK_CID_GUEST, .dst_cid = VSOCK_CID_HOST, .src_port = guest,
		.dst_port = host, .type = VSOCK_TYPE_STREAM, .op = op, .buf_alloc = PEER,
	};
}

static void send_op(uint32_t guest, uint32_t host, uint16_t op)
{
	struct vsock_pkt p = pkt(guest, host, op);

	send_raw(&p, NULL, 0, VSOCK_HEADER);
}

static void send_shutdown(uint32_t guest, uint32_t host, uint32_t flags)
{
	struct vsock_pkt p = pkt(guest, host, VSOCK_OP_SHUTDOWN);

	p.flags = flags;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
}

static void send_data(uint32_t guest, uint32_t host, const void *data, size_t len)
{
	struct vsock_pkt p = pkt(guest, host, VSOCK_OP_RW);

	p.len = (uint32_t)len;
	send_raw(&p, data, len, VSOCK_HEADER);
}

/* The next packet to the guest; its bytes stay in place until SIZE more came. Its buffer is posted again. */
static bool recv_pkt(struct vsock_pkt *p, const uint8_t **data)
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

static bool recv_op(uint16_t op, struct vsock_pkt *p)
{
	bool ok = recv_pkt(p, NULL) && p->op == op && p->type == VSOCK_TYPE_STREAM;

	post(1);
	return ok;
}

static bool result(struct vsock_result *r)
{
	uint64_t n;

	while (!vsock_result(g.v, r))
		if (!readable(vsock_event(g.v)) || read(vsock_event(g.v), &n, sizeof(n)) < 0)
			return false;
	return true;
}

/* One open connection. Return: the client's end; @host is its port. */
static int dial(uint32_t port, uint32_t *host)
{
	struct vsock_result r = { .err = -1 };
	struct vsock_pkt p;

	if (vsock_dial(g.v, 7, port, 1) || !recv_op(VSOCK_OP_REQUEST, &p) || p.dst_port != port)
		return -1;
	*host = p.src_port;
	send_op(port, *host, VSOCK_OP_RESPONSE);
	return result(&r) && !r.err && r.count == 1 && r.cookie == 7 ? r.fd[0] : -1;
}

static bool reads(int fd, const char *text)
{
	char buf[64];
	ssize_t n = readable(fd) ? read(fd, buf, sizeof(buf)) : -1;

	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

static void test_dial(void)
{
	struct vsock_result r;
	struct vsock_pkt p[4];
	uint32_t host;
	unsigned int i;
	int fd;

	set_up(false);
	CHECK(vsock_dial(g.v, 1, 5, 1) == -ENOTCONN, "no dial before the driver is there");
	start_rings(0);
	post(SIZE);
	fd = dial(5, &host);
	CHECK(fd >= 0, "a dial is a request, and opens with the response");
	close(fd);
	CHECK(recv_op(VSOCK_OP_SHUTDOWN, p) && p->flags == VSOCK_SHUT_BOTH && p->src_port == host,
	      "a client that is gone shuts both ways");
	send_data(5, host, "x", 1);
	CHECK(recv_op(VSOCK_OP_RST, p) && p->dst_port == 5, "... and what still comes is reset");

	vsock_dial(g.v, 2, 6, 1);
	recv_op(VSOCK_OP_REQUEST, p);
	send_op(6, p->src_port, VSOCK_OP_RST);
	CHECK(result(&r) && r.err == -ECONNREFUSED && !r.count && r.cookie == 2, "a reset is a refusal");

	vsock_dial(g.v, 3, 6, 4);
	for (i = 0; i < 4; i++)
		recv_op(VSOCK_OP_REQUEST, &p[i]);
	CHECK(p[0].src_port != p[1].src_port && p[2].src_port != p[3].src_port, "ports differ");
	send_op(6, p[0].src_port, VSOCK_OP_RESPONSE);
	send_op(6, p[1].src_port, VSOCK_OP_RST);
	CHECK(result(&r) && r.err == -ECONNREFUSED, "all or none");
	CHECK(recv_op(VSOCK_OP_RST, p) && recv_op(VSOCK_OP_RST, p) && recv_op(VSOCK_OP_RST, p),
	      "... the others are reset");

	vsock_dial(g.v, 4, 6, 2);
	for (i = 0; i < 2; i++)
		recv_op(VSOCK_OP_REQUEST, &p[i]);
	send_op(6, p[0].src_port, VSOCK_OP_RESPONSE);
	send_op(6, p[0].src_port, VSOCK_OP_RST);
	send_op(6, p[1].src_port, VSOCK_OP_RESPONSE);
	CHECK(result(&r) && !r.err && r.count == 2, "one that is reset before the others are open is no accident");
	CHECK(reads(r.fd[0], ""), "... and is at its end");
	close(r.fd[0]);
	close(r.fd[1]);
	CHECK(recv_op(VSOCK_OP_SHUTDOWN, p), "... the other is whole");

	vsock_dial(g.v, 5, 6, 1);
	recv_op(VSOCK_OP_REQUEST, p);
	vsock_cancel(g.v, 5);
	CHECK(recv_op(VSOCK_OP_RST, p), "a dial that nobody wants any more is reset");
	CHECK(result(&r) && r.err == -ECANCELED, "... and answered");
	send_op(6, p->src_port, VSOCK_OP_RESPONSE);
	CHECK(recv_op(VSOCK_OP_RST, p), "... a response that comes too late, too");
	tear_down();
}

static void test_many_dials(void)
{
	struct vsock_pkt p[80];
	struct vsock_result r;
	unsigned int i, j, open = 0;

	set_up(true);
	for (i = 0; i < 5; i++)
		CHECK(vsock_dial(g.v, i, 9, 16) == 0, "sixteen at once");
	for (i = 0; i < VSOCK_CONNECTING_MAX; i++)
		recv_op(VSOCK_OP_REQUEST, &p[i]);
	send_op(77, 77, VSOCK_OP_RW);
	CHECK(recv_op(VSOCK_OP_RST, &p[79]), "no more than 64 are under way");
	send_op(9, p[0].src_port, VSOCK_OP_RESPONSE);
	CHECK(recv_op(VSOCK_OP_REQUEST, &p[i++]), "... one answer lets one more ask");
	for (j = 1; j < 80; j++) {
		send_op(9, p[j].src_port, VSOCK_OP_RESPONSE);
		if (i < 80)
			recv_op(VSOCK_OP_REQUEST, &p[i++]);
	}
	for (i = 0; i < 5; i++) {
		if (result(&r) && !r.err)
			open += r.count;
		for (j = 0; j < r.count; j++)
			close(r.fd[j]);
	}
	CHECK(open == 80, "all open in the end");
	for (i = 0; vsock_dial(g.v, 100 + i, 10 + i, 16) == 0; i++)
		continue;
	CHECK(i >= (VSOCK_CONNS_MAX - 80) / 16 && i <= VSOCK_CONNS_MAX / 16, "there is an end to it");
	tear_down();
}

static void test_data(void)
{
	static uint8_t big[64 << 10], got[64 << 10];
	const uint8_t *data;
	struct vsock_pkt p;
	uint32_t host;
	size_t n = 0;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	send_data(5, host, "hello", 5);
	CHECK(reads(fd, "hello"), "bytes from the guest");
	if (write(fd, "world", 5) != 5)
		abort();
	CHECK(recv_pkt(&p, &data) && p.op == VSOCK_OP_RW && p.len == 5 && !memcmp(data, "world", 5) &&
	      p.fwd_cnt == 5, "bytes to the guest, and its own are acknowledged with them");
	post(1);
	send_op(5, host, VSOCK_OP_CREDIT_REQUEST);
	CHECK(recv_op(VSOCK_OP_CREDIT_UPDATE, &p) && p.fwd_cnt == 5 && p.buf_alloc, "credit is told when asked");

	for (n = 0; n < sizeof(big); n++)
		big[n] = (uint8_t)(n * 7 + (n >> 8));
	if (write(fd, big, sizeof(big)) != (ssize_t)sizeof(big))
		abort();
	for (n = 0; n < sizeof(got) && recv_pkt(&p, &data); n += p.len)
		memcpy(got + n, data, p.len);
	CHECK(n == sizeof(got) && !memcmp(big, got, n), "64 KiB in buffers of 4 KiB, in order");
	post(SIZE / 2);
	close(fd);
	recv_op(VSOCK_OP_SHUTDOWN, &p);

	/* A guest with 1,000 bytes of room gets no more than that. */
	fd = dial(6, &host);
	p = pkt(6, host, VSOCK_OP_CREDIT_UPDATE);
	p.buf_alloc = 1000;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
	if (write(fd, big, 2500) != 2500)
		abort();
	CHECK(recv_op(VSOCK_OP_RW, &p) && p.len == 1000, "no more than the guest has room for");
	send_op(77, 77, VSOCK_OP_RW);
	CHECK(recv_op(VSOCK_OP_RST, &p), "... and nothing then");
	p = pkt(6, host, VSOCK_OP_CREDIT_UPDATE);
	p.buf_alloc = 1000;
	p.fwd_cnt = 600;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
	CHECK(recv_op(VSOCK_OP_RW, &p) && p.len == 600, "... until it says that it has more");
	close(fd);
	p = pkt(6, host, VSOCK_OP_CREDIT_UPDATE);
	p.fwd_cnt = 1600;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
	CHECK(recv_op(VSOCK_OP_RW, &p) && p.len == 900, "what a client left behind arrives");
	/* Its end may be seen before it is known to be gone. */
	CHECK(recv_op(VSOCK_OP_SHUTDOWN, &p) && (p.flags == VSOCK_SHUT_BOTH ||
	      (recv_op(VSOCK_OP_SHUTDOWN, &p) && p.flags == VSOCK_SHUT_BOTH)), "... before its end");
	tear_down();
}

/* A client that does not read: the guest may send what it was promised, and not a byte more. */
static void test_slow_client(void)
{
	static uint8_t chunk[4096];
	struct vsock_pkt p;
	uint32_t host, alloc, fwd = 0, sent = 0;
	size_t got = 0;
	uint8_t buf[8192];
	bool in_order = true, told = false;
	ssize_t n, i;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	send_op(5, host, VSOCK_OP_CREDIT_REQUEST);
	recv_op(VSOCK_OP_CREDIT_UPDATE, &p);
	alloc = p.buf_alloc;
	for (;;) {
		unsigned int j;

		for (j = 0; j < sizeof(chunk); j++)
			chunk[j] = (uint8_t)((sent + j) % 251);
		if (sent - fwd + sizeof(chunk) > alloc) {
			send_op(5, host, VSOCK_OP_CREDIT_REQUEST);
			do
				recv_op(VSOCK_OP_CREDIT_UPDATE, &p);
			while (p.fwd_cnt != fwd && (fwd = p.fwd_cnt) && sent - fwd + sizeof(chunk) > alloc);
			fwd = p.fwd_cnt;
			if (sent - fwd + sizeof(chunk) > alloc)
				break;
		}
		send_data(5, host, chunk, sizeof(chunk));
		sent += sizeof(chunk);
	}
	CHECK(sent > alloc && sent < 4 * alloc, "a client that does not read stops the guest");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (got < sent) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EAGAIN && readable(fd))
			continue;
		if (n <= 0)
			break;
		for (i = 0; i < n; i++, got++)
			in_order = in_order && buf[i] == (uint8_t)(got % 251);
	}
	CHECK(got == sent && in_order, "everything is there when it reads again");
	while (!told && recv_op(VSOCK_OP_CREDIT_UPDATE, &p))
		told = p.fwd_cnt == sent || alloc - (sent - p.fwd_cnt) >= alloc / 2;
	CHECK(told, "the guest is told that there is room again, unasked");
	close(fd);
	recv_op(VSOCK_OP_SHUTDOWN, &p);

	fd = dial(6, &host);
	for (sent = 0; sent < 8 * alloc; sent += sizeof(chunk)) {
		send_data(6, host, chunk, sizeof(chunk));
		if (sent > 4 * alloc)
			break;
	}
	while (recv_pkt(&p, NULL) && p.op == VSOCK_OP_CREDIT_UPDATE)
		post(1);
	post(1);
	CHECK(p.op == VSOCK_OP_RST, "a guest that sends more than its credit is reset");
	close(fd);
	tear_down();
}

static void test_ends(void)
{
	static char big[4096];
	struct vsock_pkt p;
	uint32_t host;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	shutdown(fd, SHUT_WR);
	CHECK(recv_op(VSOCK_OP_SHUTDOWN, &p) && p.flags == VSOCK_SHUT_SEND, "the client's end of file");
	send_data(5, host, "late", 4);
	CHECK(reads(fd, "late"), "... does not end what comes from the guest");
	send_shutdown(5, host, VSOCK_SHUT_SEND);
	CHECK(reads(fd, ""), "the guest's end of file");
	close(fd);
	CHECK(recv_op(VSOCK_OP_SHUTDOWN, &p) && p.flags == VSOCK_SHUT_BOTH, "... and all of it");

	fd = dial(6, &host);
	send_shutdown(6, host, VSOCK_SHUT_SEND);
	CHECK(reads(fd, "") && write(fd, "on", 2) == 2 && recv_op(VSOCK_OP_RW, &p) && p.len == 2,
	      "a guest that sends no more may still receive");
	send_shutdown(6, host, VSOCK_SHUT_RCV);
	CHECK(recv_op(VSOCK_OP_RST, &p), "both ways shut is answered with reset");
	CHECK(send(fd, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "... and the client cannot write");
	close(fd);

	/* One that waits for room in a socket that the guest has not read from must be woken. */
	fd = dial(6, &host);
	p = pkt(6, host, VSOCK_OP_CREDIT_UPDATE);
	p.buf_alloc = 0;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (send(fd, big, sizeof(big), MSG_NOSIGNAL) > 0)
		continue;
	send_shutdown(6, host, VSOCK_SHUT_RCV);
	CHECK(poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, WAIT_MS) == 1 &&
	      send(fd, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "... not even one whose socket was full");
	close(fd);
	recv_op(VSOCK_OP_SHUTDOWN, &p);

	fd = dial(7, &host);
	send_data(7, host, "last", 4);
	send_op(7, host, VSOCK_OP_RST);
	CHECK(reads(fd, "last") && reads(fd, ""), "a reset reaches the client, after what came before it");
	close(fd);

	fd = dial(8, &host);
	send_data(8, host, "unread", 6);
	while (!readable(fd))
		continue;
	close(fd);
	CHECK(recv_op(VSOCK_OP_RST, &p) && p.dst_port == 8, "a client that leaves bytes unread resets");

	fd = dial(9, &host);
	send_shutdown(9, host, VSOCK_SHUT_RCV);
	close(fd);
	CHECK(recv_op(VSOCK_OP_SHUTDOWN, &p) && p.flags == VSOCK_SHUT_BOTH,
	      "a guest that does not receive hears of the client's end, too");
	tear_down();
}

static void test_listen(void)
{
	struct vsock_pkt p;
	struct msg m;
	int pair[2], again[2], fd;

	set_up(true);
	send_op(1000, 50, VSOCK_OP_REQUEST);
	CHECK(recv_op(VSOCK_OP_RST, &p) && p.src_port == 50 && p.dst_port == 1000, "nobody listens: reset");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, again) < 0)
		abort();
	CHECK(vsock_listen(g.v, 50, &pair[0]) == 0 && pair[0] < 0, "listen");
	CHECK(vsock_listen(g.v, 50, &again[0]) == -EADDRINUSE && again[0] >= 0, "... once");
	send_op(1000, 50, VSOCK_OP_REQUEST);
	CHECK(recv_op(VSOCK_OP_RESPONSE, &p) && p.src_port == 50 && p.dst_port == 1000, "the guest connects");
	CHECK(readable(pair[1]) && msg_recv(pair[1], &m, true) == 1 && m.fds == 1 &&
	      !strcmp(m.word[0], "1000"), "its connection arrives with its port");
	fd = msg_take_fd(&m, 0);
	msg_drop(&m);
	send_data(1000, 50, "hi", 2);
	CHECK(reads(fd, "hi"), "... and carries bytes");
	send_op(1000, 50, VSOCK_OP_REQUEST);
	CHECK(recv_op(VSOCK_OP_RST, &p), "a second request for it is no request");
	CHECK(reads(fd, ""), "... and its end");
	close(fd);
	close(pair[1]);
	/* The listener's end is an event like others: after it has been seen, reset. */
	do {
		send_op(1001, 50, VSOCK_OP_REQUEST);
	} while (recv_pkt(&p, NULL) && (post(1), p.op == VSOCK_OP_RESPONSE));
	CHECK(p.op == VSOCK_OP_RST, "a listener that left is gone");
	close(again[0]);
	close(again[1]);
	tear_down();
}

static int guest_out[2];

static int outward(void *arg, uint32_t port)
{
	return arg == &guest_out && port == 51 ? guest_out[0] : -ECONNREFUSED;
}

/* Firecracker's way: a client's own socket, and sockets for ports that nobody listens on. */
static void test_sockets(void)
{
	struct vsock_pkt p;
	char expect[32];
	int pair[2];

	set_up(true);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, guest_out) < 0)
		abort();
	CHECK(vsock_dial_socket(g.v, 5, &pair[0]) == 0 && pair[0] < 0 && recv_op(VSOCK_OP_REQUEST, &p),
	      "a client's own socket");
	send_op(5, p.src_port, VSOCK_OP_RESPONSE);
	snprintf(expect, sizeof(expect), "OK %u\n", p.src_port);
	CHECK(reads(pair[1], expect), "... is told that it is connected");
	send_data(5, p.src_port, "hi", 2);
	CHECK(reads(pair[1], "hi"), "... and is");
	close(pair[1]);
	recv_op(VSOCK_OP_SHUTDOWN, &p);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	CHECK(vsock_dial_socket(g.v, 6, &pair[0]) == 0 && recv_op(VSOCK_OP_REQUEST, &p), "another");
	send_op(6, p.src_port, VSOCK_OP_RST);
	CHECK(reads(pair[1], ""), "... that the guest refuses is closed");
	close(pair[1]);

	vsock_set_outward(g.v, outward, &guest_out);
	send_op(1000, 50, VSOCK_OP_REQUEST);
	CHECK(recv_op(VSOCK_OP_RST, &p), "a port that leads nowhere");
	send_op(1000, 51, VSOCK_OP_REQUEST);
	CHECK(recv_op(VSOCK_OP_RESPONSE, &p) && p.src_port == 51, "a port that leads out");
	send_data(1000, 51, "out", 3);
	CHECK(reads(guest_out[1], "out"), "... carries bytes");
	close(guest_out[1]);
	tear_down();
}

static void test_malformed(void)
{
	struct vsock_pkt p, q;
	unsigned int i, resets = 0;
	uint32_t host;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	p = pkt(5, host, VSOCK_OP_RW);
	send_raw(&p, NULL, 0, 10);
	send_raw(&p, NULL, 0, 0);
	p.len = 100;
	send_raw(&p, "short", 5, VSOCK_HEADER);
	p.len = 0xffffffff;
	send_raw(&p, "short", 5, VSOCK_HEADER);
	p = pkt(5, host, VSOCK_OP_RW);
	p.src_cid = 4;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
	p = pkt(5, host, VSOCK_OP_RW);
	p.dst_cid = 1;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
	send_data(5, host, "fine", 4);
	CHECK(reads(fd, "fine"), "what is no packet is dropped");
	p = pkt(5, host, VSOCK_OP_RW);
	p.type = 2;
	send_raw(&p, NULL, 0, VSOCK_HEADER);
	CHECK(recv_pkt(&q, NULL) && q.op == VSOCK_OP_RST && q.type == 2, "another type is reset as such");
	for (i = VSOCK_OPS; i < VSOCK_OPS + 2; i++) {
		send_op(5, host, (uint16_t)i);
		CHECK(recv_op(VSOCK_OP_RST, &q), "an operation that is none is reset");
	}
	close(fd);
	send_op(5, host, VSOCK_OP_RST);
	send_op(1, 2, VSOCK_OP_RST);
	fd = dial(6, &host);
	CHECK(fd >= 0, "stray resets are not answered");
	send_op(6, host, VSOCK_OP_RESPONSE);
	CHECK(recv_op(VSOCK_OP_RST, &q), "a second response is reset");
	close(fd);
	tear_down();

	/* Nothing is posted: 256 answers wait, and then the guest has to. */
	set_up(true);
	tear_down();
	set_up(false);
	start_rings(0);
	for (i = 0; i < 250; i++)
		send_op(i, i, VSOCK_OP_RW);
	for (i = 0; i < SIZE; i++) {
		p = pkt(1000 + i, i, VSOCK_OP_RW);
		vsock_pkt_write(&p, g.ram + g.ring[TX].buf + (g.ring[TX].next % SIZE) * BUF);
		describe(&g.ring[TX], g.ring[TX].next % SIZE, g.ring[TX].buf + (g.ring[TX].next % SIZE) * BUF,
			 VSOCK_HEADER, 0);
		avail(&g.ring[TX], (uint16_t)(g.ring[TX].next % SIZE));
	}
	kick(&g.ring[TX]);
	for (i = 0; i < 6; i++) {
		uint32_t id, len;

		if (wait_used(&g.ring[TX], &id, &len))
			resets++;
	}
	CHECK(resets == 6, "six more are taken");
	/* Small buffers help nobody, and stop nothing. */
	g.rx_len = 20;
	post(3);
	g.rx_len = VSOCK_HEADER;
	post(SIZE - 3);
	for (i = 0; i < SIZE - 3 && recv_pkt(&q, NULL); i++)
		if (q.op != VSOCK_OP_RST)
			break;
	g.rx_len = BUF;
	post(SIZE);
	for (; i < 250 + SIZE && recv_pkt(&q, NULL); i++)
		if (q.op != VSOCK_OP_RST)
			break;
	CHECK(i == 250 + SIZE, "every one is answered when there is room");
	tear_down();
}

static void test_small_buffers(void)
{
	struct vsock_pkt p;
	uint32_t host;
	char buf[300];
	size_t got = 0;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	tear_down();
	close(fd);

	set_up(false);
	start_rings(0);
	g.rx_len = VSOCK_HEADER;
	post(100);
	fd = dial(5, &host);
	memset(buf, 'a', sizeof(buf));
	if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
		abort();
	/* All of these go back empty; then come some with room for 100 bytes. */
	g.rx_len = VSOCK_HEADER + 100;
	post(3);
	while (got < sizeof(buf) && recv_pkt(&p, NULL) && p.op == VSOCK_OP_RW && p.len <= 100)
		got += p.len;
	CHECK(got == sizeof(buf), "buffers with no room for data are given back, and no byte is lost");
	close(fd);
	tear_down();
}

static void test_reset(void)
{
	struct vsock_result r;
	struct vsock_pkt p;
	uint32_t host;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	vsock_dial(g.v, 8, 6, 1);
	recv_op(VSOCK_OP_REQUEST, &p);
	virtio_reset(vsock_dev(g.v));
	CHECK(result(&r) && r.err == -ECONNRESET, "the driver's reset ends dials");
	CHECK(reads(fd, ""), "... and connections");
	close(fd);
	start_rings(VIRTIO_F_EVENT_IDX);
	put_le16(g.ram + g.ring[RX].avail + 4 + 2 * SIZE, 0);
	post(SIZE);
	CHECK(vsock_dial(g.v, 9, 6, 1) == 0, "... and a new driver starts anew");
	tear_down();
}

/* Stopping the rings is pausing: connections stay. */
static void test_pause(void)
{
	struct virtio_ring_setup setup;
	uint16_t base[2];
	const uint8_t *data;
	struct vsock_pkt p;
	unsigned int i;
	uint32_t host;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	for (i = 0; i < 2; i++)
		base[i] = virtio_ring_stop(vsock_dev(g.v), i);
	if (write(fd, "meanwhile", 9) != 9)
		abort();
	for (i = 0; i < 2; i++) {
		setup = (struct virtio_ring_setup){
			.at = { SIZE, g.ring[i].desc, g.ring[i].avail, g.ring[i].used },
			.base = base[i], .kick = g.ring[i].kick,
		};
		if (virtio_ring_start(vsock_dev(g.v), i, &setup))
			abort();
	}
	CHECK(recv_pkt(&p, &data) && p.len == 9 && !memcmp(data, "meanwhile", 9), "a pause loses nothing");
	send_data(5, host, "back", 4);
	CHECK(reads(fd, "back"), "... either way");
	close(fd);
	tear_down();
}

int main(void)
{
	test_dial();
	test_many_dials();
	test_data();
	test_slow_client();
	test_ends();
	test_listen();
	test_sockets();
	test_malformed();
	test_small_buffers();
	test_reset();
	test_pause();
	return tap_done();
}

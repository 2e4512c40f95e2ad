// SPDX-License-Identifier: ISC
/* vsock_bad_test.c - virtio-vsock against drivers and clients that are slow, many, broken, or go away. */
#include "vsock_driver.h"

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

/* The guest has ended: what it sent last arrives, and then the end. */
static void test_guest_ended(void)
{
	static uint8_t chunk[4096], buf[65536];
	uint32_t host, sent;
	size_t got = 0;
	uint64_t one;
	ssize_t n;
	int fd;

	set_up(true);
	fd = dial(5, &host);
	for (sent = 0; sent < 60 * sizeof(chunk); sent += sizeof(chunk))
		send_data(5, host, chunk, sizeof(chunk));
	virtio_ring_stop(vsock_dev(g.v), RX);
	virtio_ring_stop(vsock_dev(g.v), TX);
	vsock_end(g.v);
	CHECK(vsock_busy(g.v), "a guest that ended leaves what its client has not taken");
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		got += (size_t)n;
	CHECK(n == 0 && got == sent, "... all of it, and then the end");
	CHECK(readable(vsock_event(g.v)) && read(vsock_event(g.v), &one, sizeof(one)) > 0 && !vsock_busy(g.v),
	      "... and then nobody waits any more");
	close(fd);
	tear_down();
}

int main(void)
{
	test_many_dials();
	test_slow_client();
	test_malformed();
	test_small_buffers();
	test_reset();
	test_pause();
	test_guest_ended();
	return tap_done();
}

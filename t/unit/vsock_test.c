// SPDX-License-Identifier: ISC
/* vsock_test.c - virtio-vsock against a driver that knows the standard. */
#include "vsock_driver.h"

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

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	vsock_dial_socket(g.v, 7, &pair[0]);
	recv_op(VSOCK_OP_REQUEST, &p);
	close(pair[1]);
	send_op(7, p.src_port, VSOCK_OP_RESPONSE);
	CHECK(recv_op(VSOCK_OP_RST, &p) && p.dst_port == 7, "a client that did not wait for it: the guest is told");

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

int main(void)
{
	test_dial();
	test_data();
	test_ends();
	test_listen();
	test_sockets();
	return tap_done();
}

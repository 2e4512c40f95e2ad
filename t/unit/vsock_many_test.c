// SPDX-License-Identifier: ISC
/*
 * vsock_many_test.c - as many vsock connections as a VM may have, all at once: half of them dialled by the host, half
 * by the guest. Each works, what they may make us keep is bounded, there are no more, and afterwards there is room again.
 */
#include <sys/resource.h>

#include "vsock_driver.h"

enum { LISTENED = 50, FIRST_DIALLED = 100, FIRST_DIALLING = 2000, RICH = 256 << 10, POOR = 32 << 10, RICH_MAX = 64 };

static struct {
	uint32_t guest, host;
	int fd;                 /* the client's end */
} conn[VSOCK_CONNS_MAX];
static unsigned int conns, rich, poor;
static uint64_t announced;      /* bytes that the guest may have under way */
static int listener = -1;

static void opened(uint32_t guest, uint32_t host, uint32_t alloc, int fd)
{
	conn[conns].guest = guest;
	conn[conns].host = host;
	conn[conns++].fd = fd;
	announced += alloc;
	rich += alloc == RICH;
	poor += alloc == POOR;
}

/* The host dials. Return: whether all came about. */
static bool open_dialled(uint32_t port)
{
	struct vsock_pkt p[VSOCK_DIAL_MAX];
	struct vsock_result r;
	unsigned int i;

	if (vsock_dial(g.v, port, port, VSOCK_DIAL_MAX))
		return false;
	for (i = 0; i < VSOCK_DIAL_MAX; i++)
		if (!recv_op(VSOCK_OP_REQUEST, &p[i]))
			return false;
	for (i = 0; i < VSOCK_DIAL_MAX; i++)
		send_op(port, p[i].src_port, VSOCK_OP_RESPONSE);
	if (!result(&r) || r.err || r.count != VSOCK_DIAL_MAX)
		return false;
	for (i = 0; i < r.count; i++)
		opened(port, p[i].src_port, p[i].buf_alloc, r.fd[i]);
	return true;
}

/* The guest does. */
static bool open_accepted(uint32_t port)
{
	struct vsock_pkt p;
	struct msg m;
	int fd;

	send_op(port, LISTENED, VSOCK_OP_REQUEST);
	if (!recv_op(VSOCK_OP_RESPONSE, &p) || msg_recv(listener, &m, false) <= 0)
		return false;
	fd = msg_take_fd(&m, 0);
	msg_drop(&m);
	opened(port, LISTENED, p.buf_alloc, fd);
	return fd >= 0;
}

static unsigned int open_all(void)
{
	unsigned int i;

	for (i = 0; conns < VSOCK_CONNS_MAX / 2 && open_dialled(FIRST_DIALLED + i); i++)
		continue;
	for (i = 0; conns < VSOCK_CONNS_MAX && open_accepted(FIRST_DIALLING + i); i++)
		continue;
	return conns;
}

/* One byte there, and one back. */
static bool talks(unsigned int i)
{
	char there[] = { (char)('a' + i % 26), 0 };
	const uint8_t *data;
	struct vsock_pkt p;
	bool ok;

	send_data(conn[i].guest, conn[i].host, there, 1);
	if (!reads(conn[i].fd, there) || write(conn[i].fd, there, 1) != 1)
		return false;
	ok = recv_pkt(&p, &data) && p.op == VSOCK_OP_RW && p.src_port == conn[i].host && p.dst_port == conn[i].guest &&
	     p.len == 1 && data[0] == (uint8_t)there[0];
	post(1);
	return ok;
}

static void test_many(void)
{
	unsigned int i, talking = 0, ended = 0;
	struct vsock_pkt p;
	uint32_t host;
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		abort();
	set_up(true);
	listener = pair[1];
	CHECK(!vsock_listen(g.v, LISTENED, &pair[0]) && open_all() == VSOCK_CONNS_MAX,
	      "a VM has 1,024 connections, dialled from either side");
	for (i = 0; i < conns; i++)
		talking += talks(i);
	CHECK(talking == VSOCK_CONNS_MAX, "a byte goes either way through each");
	CHECK(rich == RICH_MAX && poor == VSOCK_CONNS_MAX - RICH_MAX,
	      "the first 64 may have 256 KiB under way, the others 32 KiB");
	CHECK(announced <= RICH_MAX * (uint64_t)RICH + (VSOCK_CONNS_MAX - RICH_MAX) * (uint64_t)POOR,
	      "... 46 MiB together");
	CHECK(vsock_dial(g.v, 1, 9, 1) == -EMFILE, "the host's next dial is refused");
	send_op(9, LISTENED, VSOCK_OP_REQUEST);
	CHECK(recv_op(VSOCK_OP_RST, &p) && p.dst_port == 9, "so is the guest's");
	for (i = 0; i < conns; i++)
		close(conn[i].fd);
	while (ended < conns && recv_op(VSOCK_OP_SHUTDOWN, &p))
		ended++;
	CHECK(ended == VSOCK_CONNS_MAX, "the guest hears of the end of each");
	conns = 0;
	fd = dial(5, &host);
	CHECK(fd >= 0, "then the host may dial again");
	close(fd);
	CHECK(recv_op(VSOCK_OP_SHUTDOWN, &p) && open_accepted(9), "... and the guest");
	close(conn[0].fd);
	tear_down();
	close(listener);
}

int main(void)
{
	/* Both ends of each are here. */
	struct rlimit want = { 3 * VSOCK_CONNS_MAX, 3 * VSOCK_CONNS_MAX };

	if (setrlimit(RLIMIT_NOFILE, &want) < 0) {
		printf("ok 1 - 1,024 connections # skip no %d descriptors allowed\n1..1\n", 3 * VSOCK_CONNS_MAX);
		return 0;
	}
	test_many();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/*
 * connect_fuzz.c - any first line at --vsock-path, in any pieces. The first byte says how it is cut and what the guest
 * answers; the rest is what a client sends. "CONNECT PORT" and nothing else leads to that port, and all that is behind the
 * line is the guest's.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include "loop.h"
#include "vm.h"
#include "vpath.h"
#include "vsock_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* PIECES: a socket that nobody reads yet holds 278 of one byte. */
enum { LINE = 31, INPUT_MAX = 2048, SETTLING = 4, PIECES = 128 };

static struct vm vm;
static struct vpath *path;
static char dir[] = "/tmp/connect_fuzz.XXXXXX";
static int client, turn;
static const uint8_t *input;
static size_t left, piece;
static unsigned int settling;

static void sane(bool ok)
{
	if (!ok)
		abort();
}

static void leave(void)
{
	vpath_free(path);
	rmdir(dir);
}

/* What is to come of it, found out otherwise than by vpath.c. Return: whether there is a line that leads anywhere. */
static bool leads(const uint8_t *data, size_t size, uint32_t *port, size_t *line)
{
	const uint8_t *end = memchr(data, '\n', size);
	uint64_t n = 0;
	size_t i;

	*line = end ? (size_t)(end - data) : size;
	if (!end || *line >= LINE || *line < 9 || memcmp(data, "CONNECT ", 8))
		return false;
	for (i = 8; i < *line; i++) {
		if (data[i] < '0' || data[i] > '9')
			return false;
		n = MIN(n * 10 + data[i] - '0', 1ull << 40);
	}
	*port = (uint32_t)n;
	return n < UINT32_MAX;
}

/* A piece a turn of the loop. */
static void on_turn(void *arg, uint32_t events)
{
	size_t n = MIN(left, piece);

	(void)arg;
	(void)events;
	if (n) {
		sane(send(client, input, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n || errno == EPIPE);
		input += n;
		left -= n;
	} else if (!settling--) {
		loop_stop(vm.loop);
	}
}

static void connect_client(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/v", dir);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (client < 0 || connect(client, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
}

/* It is taken: a greeting for the client, and all its other bytes for the guest. */
static void talk(uint32_t port, const uint8_t *behind, size_t len)
{
	char want[24], got[24];
	const uint8_t *bytes;
	struct vsock_pkt p;
	size_t at = 0;
	int n;

	sane(recv_op(VSOCK_OP_REQUEST, &p) && p.dst_port == port);
	send_op(port, p.src_port, VSOCK_OP_RESPONSE);
	n = snprintf(want, sizeof(want), "OK %u\n", p.src_port);
	sane(readable(client) && recv(client, got, (size_t)n, MSG_WAITALL) == n && !memcmp(want, got, (size_t)n));
	while (at < len) {
		sane(recv_pkt(&p, &bytes) && p.op == VSOCK_OP_RW && p.len <= len - at && !memcmp(bytes, behind + at, p.len));
		at += p.len;
		post(1);
	}
}

static void refuse(uint32_t port)
{
	struct vsock_pkt p;

	sane(recv_op(VSOCK_OP_REQUEST, &p) && p.dst_port == port);
	send_op(port, p.src_port, VSOCK_OP_RST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char waste[64], err[256];
	uint32_t port = 0;
	size_t line;
	int watch;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	if (!path) {
		turn = eventfd(1, EFD_CLOEXEC);
		if (turn < 0 || !mkdtemp(dir) || atexit(leave))
			abort();
		snprintf(waste, sizeof(waste), "%s/v", dir);
		vm.loop = loop_new();
		set_up(false);
		vm.vsock = g.v;
		path = vpath_open(&vm, waste, err, sizeof(err));
	}
	if (!path)
		abort();
	start_rings(0);
	post(SIZE);
	connect_client();
	input = data + 1;
	left = size - 1;
	piece = MAX(1 + (data[0] & 63), size / PIECES);
	settling = SETTLING;
	watch = loop_add(vm.loop, turn, EPOLLIN, on_turn, NULL);
	if (watch < 0 || loop_run(vm.loop))
		abort();
	loop_del(vm.loop, &watch);
	if (!leads(data + 1, size - 1, &port, &line)) {
		uint32_t id, len;

		sane(!used_one(&g.ring[RX], &id, &len));
	} else if (data[0] & 64) {
		refuse(port);
		sane(readable(client) && recv(client, waste, sizeof(waste), 0) <= 0);
	} else {
		talk(port, data + 1 + line + 1, size - 2 - line);
	}
	close(client);
	virtio_reset(vsock_dev(g.v));
	/* What had no end of line is let go. */
	settling = SETTLING;
	watch = loop_add(vm.loop, turn, EPOLLIN, on_turn, NULL);
	left = 0;
	if (watch < 0 || loop_run(vm.loop))
		abort();
	loop_del(vm.loop, &watch);
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * virtio_pci_bad_test.c - a hostile driver against our virtio-pci, with a device of every kind behind it.
 *
 * It writes random values to random registers, configuration space, rings and descriptors, while another processor
 * scribbles over its memory. Now and then it sends something that is nearly right, and the host's side of vsock and
 * of the network card has something under way. Afterwards a driver that keeps the rules finds every device working.
 * Given a number as argument it does that many rounds (make soak).
 */
#include <pthread.h>
#include <sys/socket.h>

#include "msg.h"
#include "net.h"
#include "pci_driver.h"
#include "virtio_net.h"
#include "virtio_vsock.h"
#include "vsock_pkt.h"

enum { LISTENED = 4, REFUSED = 99, FRAME = 60, NET_HEADER = 12 };

static const unsigned int rings[SLOTS] = { [CONSOLE] = 2, [RNG] = 1, [VSOCK] = 3, [NET] = 2 };
static struct vsock *vsock;
static struct virtio_net *net;
static int listener, cable = -1;        /* the host's ends */
static unsigned int lost, accepted;

static uint32_t seed = 1;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

/* Values that are near to meaning something hurt more than random ones. */
static uint32_t nasty(void)
{
	static const uint32_t v[] = { 0, 1, 2, 3, 4, 8, 11, 15, 64, 0x7fff, 0xffff, 0x1000, 0x2000,
				      0x3000, MEM - 8, MEM, 0xffffffff, 0x80000000 };

	return rnd() % 3 ? v[rnd() % ARRAY_SIZE(v)] : rnd();
}

/* Whatever was done to BARs and command registers: put them back. */
static void revive(void)
{
	uint32_t slot, v;

	for (slot = 0; slot < SLOTS; slot++) {
		v = (uint32_t)PCI_MEM + slot * 0x8000;
		pci_ecam_access(&bus, slot << 15 | 0x10, &v, 4, true);
		v = 2;
		pci_ecam_access(&bus, slot << 15 | 0x04, &v, 2, true);
	}
}

/* -- the host's side -- */

static void on_lost(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&lost, 1, __ATOMIC_RELEASE);
}

static void do_attach(void *arg)
{
	if (virtio_net_attach(net, arg))
		abort();
}

static void plug(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	worker_call(worker, do_attach, &pair[0]);
	cable = pair[1];
}

static bool peer_sends(void)
{
	uint8_t frame[4 + FRAME] = { 0, 0, 0, FRAME, 0xff };

	return send(cable, frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(frame);
}

static void host_does(unsigned int slot)
{
	static char waste[65536];
	struct vsock_result r;
	unsigned int i;
	struct msg m;

	if (slot == CONSOLE)
		virtio_console_resize(console, (uint16_t)nasty(), (uint16_t)nasty());
	if (slot == NET) {
		/* All or nothing goes into an empty buffer. */
		while (recv(cable, waste, sizeof(waste), MSG_DONTWAIT) > 0)
			continue;
		if (virtio_vq(virtio_net_dev(net), 0))
			peer_sends();
	}
	if (slot != VSOCK)
		return;
	vsock_dial(vsock, 1, rnd() % 4, 1 + rnd() % 4);
	while (vsock_result(vsock, &r))
		for (i = 0; i < r.count; i++)
			close(r.fd[i]);
	for (; msg_recv(listener, &m, false) > 0; accepted++)
		msg_drop(&m);
}

/* -- the guest's side -- */

static void put_packet(uint8_t *at, uint32_t to, uint16_t op)
{
	struct vsock_pkt p = {
		.src_cid = VSOCK_CID_GUEST, .dst_cid = VSOCK_CID_HOST, .src_port = rnd() % 4, .dst_port = to,
		.type = VSOCK_TYPE_STREAM, .op = op, .buf_alloc = 4096,
		.len = op == VSOCK_OP_RW ? rnd() % 64 : op < VSOCK_OPS ? 0 : nasty(),
	};

	vsock_pkt_write(&p, at);
}

/* Buffers that are good for something in the rings of any device, often enough. */
static void nearly_right(unsigned int slot)
{
	unsigned int n = rnd() % 4;

	put_packet(ram + DATA, rnd() % 2 ? LISTENED : REFUSED, (uint16_t)(rnd() % (VSOCK_OPS + 1)));
	while (n--) {
		offer(0x10000, (uint16_t)(rnd() % 8), DATA, rnd() % 4 ? VSOCK_HEADER + rnd() % 64 : rnd() % 64, 0);
		offer(0, (uint16_t)(rnd() % 8), DATA + 0x1000, rnd() % 4 ? 0x1000 : rnd() % 64, 2);
	}
	w(slot, 0x3000, 0, 2);
	if (rings[slot] > 1)
		w(slot, 0x3004, 1, 2);
}

/* Rings in order, and running: what is done next has something to hurt. */
static void begin(unsigned int slot)
{
	unsigned int i;

	w(slot, 20, 0, 1);
	for (i = 0; i < rings[slot]; i++)
		memset(ram + i * 0x10000 + DESC, 0, USED + 0x1000 - DESC);
	negotiate(slot, (uint16_t)rings[slot]);
	nearly_right(slot);
}

/* One thing that no good driver does. */
static void strike(unsigned int slot)
{
	static const size_t lens[] = { 1, 2, 4, 8 };
	uint64_t v = (uint64_t)nasty() << 32 | nasty();
	unsigned int what = rnd() % 16;

	if (what < 8)
		pci_mem_access(&bus, bar_of(slot) + (rnd() % 7 << 12) + rnd() % 64, &v, lens[rnd() % 4], rnd() % 4);
	else if (what < 10)
		pci_ecam_access(&bus, (uint64_t)slot << 15 | rnd() % 260, &v, lens[rnd() % 3], rnd() % 2);
	else if (what < 14)
		put_le64(ram + (rnd() % 4 << 16) + (rnd() % 4 << 12) + rnd() % 64 * 8, v);
	else if (rnd() % 4 == 0)
		begin(slot);
	else if (rnd() % 4 == 0)
		nearly_right(slot);
	else if (rnd() % 8 == 0)
		host_does(slot);
}

static void *scribble(void *arg)
{
	volatile bool *stop = arg;
	uint32_t s = 7;

	while (!*stop) {
		s = s * 1103515245 + 12345;
		__atomic_store_n(ram + (s >> 8) % MEM, (uint8_t)(s >> 3), __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_hostile(unsigned long rounds)
{
	static volatile bool stop;
	struct net_counts counts;
	pthread_t second;
	unsigned long i;

	if (freopen("/dev/null", "w", stderr) == NULL)
		return;
	pthread_create(&second, NULL, scribble, (void *)&stop);
	for (i = 0; i < rounds; i++) {
		if (i % 256 == 0)
			revive();
		strike(rnd() % SLOTS);
	}
	stop = true;
	pthread_join(second, NULL);
	settle();
	virtio_net_counts(net, &counts);
	printf("# %zu bytes printed, %u connections, frames %llu out and %llu in\n", printed_len, accepted,
	       (unsigned long long)counts.out, (unsigned long long)counts.in);
	CHECK(printed_len && accepted && counts.out && counts.in, "a hostile driver is served, when it is right by chance");
	revive();
	for (i = 0; i < SLOTS; i++) {
		w((unsigned int)i, 20, 0, 1);
		enable_msix((unsigned int)i);
		CHECK(r((unsigned int)i, 20, 1) == 0, "a device is reset after a hostile driver");
	}
}

/* -- what a good driver finds afterwards -- */

static void good_console(void)
{
	memset(ram, 0, MEM);
	negotiate(CONSOLE, 2);
	printed_len = 0;
	offer(0x10000, 0, DATA, 3, 0);
	w(CONSOLE, 0x3004, 1, 2);
	settle();
	CHECK(printed_len == 3, "the console prints");
	w(CONSOLE, 20, 0, 1);
}

static void good_rng(void)
{
	memset(ram, 0, MEM);
	negotiate(RNG, 1);
	offer(0, 0, DATA, 64, 2);
	w(RNG, 0x3000, 0, 2);
	UNTIL(get_le16(ram + USED + 2));
	CHECK(get_le32(ram + USED + 8) == 64, "entropy comes");
	w(RNG, 20, 0, 1);
}

static void good_vsock(void)
{
	struct vsock_pkt p;

	memset(ram, 0, MEM);
	negotiate(VSOCK, 3);
	put_packet(ram + DATA, REFUSED, VSOCK_OP_REQUEST);
	offer(0, 0, DATA + 0x1000, 0x1000, 2);
	offer(0x10000, 0, DATA, VSOCK_HEADER, 0);
	w(VSOCK, 0x3000, 0, 2);
	w(VSOCK, 0x3004, 1, 2);
	UNTIL(get_le16(ram + USED + 2));
	vsock_pkt_read(&p, ram + DATA + 0x1000);
	CHECK(p.op == VSOCK_OP_RST && p.src_port == REFUSED, "vsock refuses a port where nobody listens");
	put_packet(ram + DATA, LISTENED, VSOCK_OP_REQUEST);
	offer(0, 1, DATA + 0x1000, 0x1000, 2);
	offer(0x10000, 1, DATA, VSOCK_HEADER, 0);
	w(VSOCK, 0x3000, 0, 2);
	w(VSOCK, 0x3004, 1, 2);
	UNTIL(get_le16(ram + USED + 2) == 2);
	vsock_pkt_read(&p, ram + DATA + 0x1000);
	CHECK(p.op == VSOCK_OP_RESPONSE && p.src_port == LISTENED, "... and answers where somebody does");
	w(VSOCK, 20, 0, 1);
}

static void good_net(void)
{
	uint8_t got[4 + FRAME];
	uint32_t used;

	/* A new cable: in the old one there may be half a frame. */
	close(cable);
	UNTIL(__atomic_load_n(&lost, __ATOMIC_ACQUIRE));
	plug();
	memset(ram, 0, MEM);
	negotiate(NET, 2);
	memset(ram + DATA + NET_HEADER, 0xaa, FRAME);
	offer(0x10000, 0, DATA, NET_HEADER + FRAME, 0);
	w(NET, 0x3004, 1, 2);
	settle();
	CHECK(recv(cable, got, sizeof(got), MSG_DONTWAIT) == (ssize_t)sizeof(got) && got[3] == FRAME && got[4] == 0xaa,
	      "a frame goes out");
	offer(0, 0, DATA, 0x1000, 2);
	w(NET, 0x3000, 0, 2);
	CHECK(peer_sends(), "the peer answers");
	UNTIL(get_le16(ram + USED + 2));
	used = get_le32(ram + USED + 8);
	CHECK(used == NET_HEADER + FRAME && ram[DATA + NET_HEADER] == 0xff, "... and its frame comes in");
	w(NET, 20, 0, 1);
}

int main(int argc, char *argv[])
{
	static const struct virtio_net_card card = { { 2, 1, 2, 3, 4, 5 }, 1500 };
	int pair[2];
	unsigned int i;

	make_bus();
	vsock = vsock_new(&mem, worker);
	net = virtio_net_new(&mem, worker, &card, on_lost, NULL);
	front[VSOCK] = virtio_pci_new(&bus, -1, vsock_dev(vsock));
	front[NET] = virtio_pci_new(&bus, -1, virtio_net_dev(net));
	worker_start(worker);
	plug();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || vsock_listen(vsock, LISTENED, &pair[0]))
		abort();
	listener = pair[1];
	for (i = 0; i < SLOTS; i++)
		enable_msix(i);
	test_hostile(argc > 1 ? strtoul(argv[1], NULL, 10) : 200000);
	good_console();
	good_rng();
	good_vsock();
	good_net();
	worker_stop(worker);
	vsock_free(vsock);
	virtio_net_free(net);
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* virtio_net_test.c - virtio-net against a driver that knows the standard, one that does not, and peers of all kinds. */
#include <time.h>

#include "net_driver.h"

static uint8_t out[FRAMES_MAX + 64], back[FRAMES_MAX + 64];

static void make(size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

static void test_config(void)
{
	uint8_t config[12];
	uint64_t offered;

	set_up(F_MRG, 1536);
	g.dev->ops->config_read(g.dev, 0, config, 12);
	offered = virtio_features(g.dev);
	CHECK(!memcmp(config, "\2\1\2\3\4\5", 6) && get_le16(config + 10) == 9000, "MAC and MTU are the card's");
	CHECK(get_le16(config + 6) == 1 && g.changes == 1, "the link is up, and the driver was told");
	CHECK((offered & (F_MTU | F_MRG | F_STATUS)) == (F_MTU | F_MRG | F_STATUS) && (offered & 1 << 5) &&
	      !(offered & 0x7f83), "MTU, MAC, STATUS and MRG_RXBUF are offered, and no offload");
	tear_down();
}

static uint64_t msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* There and back: every length, in either direction. */
static bool echo(size_t len, unsigned int parts)
{
	make(len, (unsigned int)len);
	if (!send_frame(out, len, parts) || peer_recv(back) != len || memcmp(out, back, len))
		return false;
	if (!peer_send(out, len) || recv_frame(back) != len || memcmp(out, back, len))
		return false;
	post(SIZE);
	return true;
}

static void test_sizes(uint64_t features, size_t rx_len, size_t step, const char *name)
{
	size_t len, bad = 0;

	set_up(features, rx_len);
	for (len = 14; len <= 65550 && !bad; len += len < 1600 || len > 65500 ? 1 : step)
		if (!echo(len, 1 + (unsigned int)len % 5))
			bad = len;
	if (bad)
		printf("# %zu bytes\n", bad);
	CHECK(!bad, name);
	CHECK(!g.broken && !counts().dropped, "... and nothing was lost");
	tear_down();
}

static void test_one_buffer(void)
{
	set_up(0, 1526);
	CHECK(echo(1514, 1), "without MRG_RXBUF a frame takes one buffer");
	make(1515, 1);
	peer_send(out, 1515);
	CHECK(echo(100, 2) && counts().dropped == 1, "... and one that does not fit is dropped, and counted");
	tear_down();

	set_up(F_MRG, 100);
	make(65550, 1);
	peer_send(out, 65550);
	CHECK(echo(500, 1) && counts().dropped == 1, "a frame that all buffers together do not hold is dropped");
	tear_down();
}

/* Frames that wait for buffers, given one by one, which is where wake-ups get lost. */
static void test_starved(uint64_t features, const char *name)
{
	unsigned int i, got = 0;
	size_t len;

	set_up(features | F_MRG, 256);
	for (i = 0; i < 40; i++) {
		make(3000, i);
		peer_send(out, 3000);
	}
	/* 21 frames of 12 buffers: four are left, in which the next one begins. */
	for (i = 0; i < WAIT_MS && get_le16(g.ram + g.ring[RX].used + 2) != 252; i++)
		poll(NULL, 0, 1);
	poll(NULL, 0, 20);
	for (i = 0; i < 40; i++) {
		while (g.ring[RX].seen == *(uint16_t *)(void *)(g.ram + g.ring[RX].used + 2) && g.ring[RX].posted < SIZE)
			post(1);
		len = recv_frame(back);
		make(3000, i);
		got += len == 3000 && !memcmp(out, back, len);
	}
	CHECK(got == 40, name);
	CHECK(!counts().dropped, "... and none is dropped within a second");
	tear_down();
}

static void test_kicks(void)
{
	unsigned int i, kicks;

	set_up(F_MRG | VIRTIO_F_EVENT_IDX, 2048);
	kicks = g.ring[RX].kicks;
	for (i = 0; i < 100; i++)
		echo(64, 1);
	CHECK(g.ring[RX].kicks - kicks < 3, "buffers are no news while no frame waits for them");
	tear_down();
}

/* A guest that gives no buffers for a second loses frames, and hears again once it gives some. */
static void test_deaf_guest(void)
{
	uint64_t begin;
	unsigned int i;

	set_up(F_MRG | VIRTIO_F_EVENT_IDX, 256);
	make(200, 1);
	for (i = 0; i < SIZE + 10; i++)
		peer_send(out, 200);
	for (i = 0; i < SIZE; i++)
		recv_frame(back);
	begin = msec();
	for (i = 0; i < WAIT_MS && counts().dropped < 10; i++)
		poll(NULL, 0, 1);
	CHECK(counts().dropped == 10, "a guest without buffers loses what comes, after a while");
	CHECK(msec() - begin > NETWIRE_PATIENCE_MSEC / 2, "... and not before");
	peer_send(out, 200);
	for (i = 0; i < WAIT_MS && counts().dropped < 11; i++)
		poll(NULL, 0, 1);
	CHECK(counts().dropped == 11, "... its peer is held up no more");
	post(SIZE);
	make(300, 2);
	CHECK(peer_send(out, 300) && recv_frame(back) == 300, "... and hears again once it gives some");
	tear_down();
}

/* A peer that reads nothing holds the guest up for a second; what it read before is whole. */
static void test_deaf_peer(void)
{
	unsigned int i, used = 0, sent = 0;
	uint32_t id, n;
	size_t len;

	set_up(F_MRG | VIRTIO_F_EVENT_IDX, 2048);
	for (i = 0; i < 60; i++) {
		make(30000, i);
		offer(out, 30000, 1);
		sent++;
	}
	while (used < sent && wait_used(&g.ring[TX], &id, &n))
		used++;
	CHECK(used == sent, "a peer that does not read stops the guest for a moment only");
	CHECK(counts().dropped > 0 && counts().dropped < 60, "... some of its frames are dropped, and counted");
	n = (uint32_t)(60 - counts().dropped);
	for (i = 0; i < n; i++) {
		len = peer_recv(back);
		make(30000, i);
		if (len != 30000 || memcmp(out, back, len))
			break;
	}
	CHECK(i == n, "... the others are whole, and in order");
	make(100, 7);
	for (i = 0; i < 1000; i++) {
		if (!send_frame(out, 100, 1))
			break;
		if (readable(g.peer, 10))
			break;
	}
	CHECK(peer_recv(back) == 100 && !memcmp(out, back, 100), "... and it is spoken to again once it reads");
	tear_down();
}

/* Many frames both ways at once, the peer slow. */
static void test_flood(void)
{
	unsigned int i, good = 0;
	uint32_t id, n;

	set_up(F_MRG | VIRTIO_F_EVENT_IDX, 2048);
	for (i = 0; i < 5000; i++) {
		make(60 + i % 1400, i);
		if (i >= SIZE && !wait_used(&g.ring[TX], &id, &n))
			break;
		offer(out, 60 + i % 1400, 1);
		if (i >= 200) {
			size_t len = peer_recv(back);

			make(60 + (i - 200) % 1400, i - 200);
			good += len == 60 + (i - 200) % 1400 && !memcmp(out, back, len);
		}
	}
	while (g.ring[TX].seen != g.ring[TX].next && wait_used(&g.ring[TX], &id, &n))
		continue;
	CHECK(i == 5000 && good == 4800, "5000 frames in a stream, in order");
	CHECK(counts().out == 5000 && !counts().dropped, "... none dropped");
	tear_down();
}

static void test_peers(void)
{
	uint8_t half[50] = { 0, 0, 0, 100 };

	set_up(F_MRG | VIRTIO_F_EVENT_IDX, 2048);
	peer_write(half, sizeof(half));
	close(g.peer);
	CHECK(becomes(&g.lost, 1) && link_status() == 0 && becomes(&g.changes, 2), "the peer leaves: the link is down");
	make(64, 1);
	CHECK(send_frame(out, 64, 1) && counts().dropped == 1, "... what the guest sends is for nobody");
	plug();
	CHECK(link_status() == 1 && g.changes == 3, "another one comes: it is up");
	CHECK(echo(1000, 1), "... half a frame of the other one's is forgotten");

	/* One whose frame waits for buffers. */
	virtio_reset(g.dev);
	start_rings();
	make(400, 2);
	peer_send(out, 400);
	poll(NULL, 0, 20);
	close(g.peer);
	CHECK(becomes(&g.lost, 2), "a peer leaves whose frame waits for buffers");
	plug();
	make(600, 3);
	peer_send(out, 600);
	post(SIZE);
	CHECK(recv_frame(back) == 600 && echo(60, 1), "... it went with it");

	virtio_reset(g.dev);
	close(g.peer);
	CHECK(becomes(&g.lost, 3), "one leaves while the driver is away");
	plug();
	make(500, 3);
	peer_send(out, 500);
	start_rings();
	post(SIZE);
	CHECK(recv_frame(back) == 500 && !memcmp(out, back, 500) && echo(60, 1), "a new driver gets what waits");
	tear_down();
}

static void test_bad_peers(void)
{
	static const uint8_t lengths[][4] = { { 0, 0, 0, 0 }, { 0xff, 0xff, 0xff, 0xff }, { 0, 1, 0, 19 } };
	unsigned int i;

	set_up(F_MRG, 2048);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		peer_write(lengths[i], 4);
		CHECK(becomes(&g.lost, (int)i + 1), "a peer with a length that no frame has is cut off");
		close(g.peer);
		plug();
	}
	CHECK(!g.broken && echo(64, 1), "... the next one is none the worse");
	peer_send("tiny", 4);
	CHECK(echo(64, 1) && counts().dropped == 1, "a frame without a header is dropped");
	tear_down();
}

/* One descriptor chain to ring @which, then see that the device asks for a reset. */
static void bad(unsigned int which, const char *name, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	struct ring *r = &g.ring[which];

	set_up(F_MRG, 2048);
	if (which == RX) {
		virtio_reset(g.dev);
		g.rx_len = 2048;
		start_rings();
	}
	describe(r, 0, addr ? addr : r->buf, len, flags, next);
	describe(r, 1, r->buf, 60, which == RX ? 3 : 1, 0);
	avail(r, 0);
	kick(r);
	/* Only a frame has it look at where frames go. */
	if (which == RX) {
		make(64, 0);
		peer_send(out, 64);
	}
	CHECK(breaks(), name);
	virtio_reset(g.dev);
	g.broken = false;
	start_rings();
	post(SIZE);
	if (which == RX)
		recv_frame(back);
	CHECK(echo(500, 1), "... which helps");
	tear_down();
}

static void test_bad_drivers(void)
{
	bad(TX, "a chain of no bytes breaks the device", 0, 0, 0, 0);
	bad(TX, "... a header that is cut", 0, 11, 0, 0);
	bad(TX, "... a header and no frame", 0, HEADER, 0, 0);
	bad(TX, "... a frame too short for Ethernet", 0, HEADER + 13, 0, 0);
	bad(TX, "... one that is too long", 0, HEADER + FRAMES_MAX + 1, 0, 0);
	bad(TX, "... one outside memory", MEM - 4, 100, 0, 0);
	bad(TX, "... one of 4 GiB", 0, 0xffffffff, 0, 0);
	bad(TX, "... a chain that loops", 0, 60, 1, 1);
	bad(TX, "... one that wants to be written to", 0, 60, 2, 0);
	bad(TX, "... a descriptor that is none", 0, 60, 1, 5000);
	bad(RX, "a receive buffer of no bytes", 0, 0, 2, 0);
	bad(RX, "... one that holds no more than a header", 0, HEADER, 2, 0);
	bad(RX, "... one that is to be read", 0, 2048, 0, 0);
	bad(RX, "... a chain that loops", 0, 60, 3, 1);
	bad(RX, "... one outside memory", MEM - 4, 2048, 2, 0);
}

static void test_pause(void)
{
	uint16_t base[2];
	unsigned int i;

	set_up(F_MRG | VIRTIO_F_EVENT_IDX, 2048);
	echo(100, 1);
	for (i = 0; i < 2; i++)
		base[i] = virtio_ring_stop(g.dev, i);
	make(700, 1);
	peer_send(out, 700);
	offer(out, 700, 1);
	CHECK(!readable(g.peer, 50), "a guest that is paused sends nothing");
	for (i = 0; i < 2; i++) {
		struct ring *r = &g.ring[i];
		struct virtio_ring_setup setup = {
			.at = { SIZE, r->desc, r->avail, r->used }, .kick = r->kick, .base = base[i],
		};

		virtio_ring_start(g.dev, i, &setup);
	}
	CHECK(peer_recv(back) == 700 && recv_frame(back) == 700, "... and goes on where it was");
	tear_down();
}

int main(void)
{
	test_config();
	test_sizes(F_MRG, 1536, 101, "every size, buffers of 1536 bytes");
	test_sizes(F_MRG | VIRTIO_F_EVENT_IDX, 4096, 97, "every size, buffers of 4096 bytes, EVENT_IDX");
	test_sizes(0, STRIDE, 89, "every size, one buffer each");
	test_one_buffer();
	test_starved(0, "frames wait for buffers");
	test_starved(VIRTIO_F_EVENT_IDX, "frames wait for buffers, EVENT_IDX");
	test_kicks();
	test_deaf_guest();
	test_deaf_peer();
	test_flood();
	test_peers();
	test_bad_peers();
	test_bad_drivers();
	test_pause();
	return tap_done();
}

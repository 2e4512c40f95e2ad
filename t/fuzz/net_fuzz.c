// SPDX-License-Identifier: ISC
/*
 * net_fuzz.c - a guest's driver that queues anything, and a peer that says anything: each 8 bytes of the input are a
 * descriptor chain for one of the rings, bytes from the peer, or a peer that leaves and comes back.
 */
#include "net_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void chain(unsigned int which, const uint8_t *b)
{
	struct ring *r = &g.ring[which];
	unsigned int parts = 1 + b[1] % 4, i;

	for (i = 0; i < parts; i++) {
		uint32_t len = b[2 + i] & 0x80 ? (uint32_t)(b[2 + i] & 0x7f) << 10 : b[2 + i];
		uint16_t flags = (uint16_t)((i + 1 < parts) | (which == RX ? 2 : 0));

		if (b[6] >> (2 * i) & 1)
			flags ^= b[7] & 7;
		describe(r, (b[6] + i) % SIZE, b[7] == 255 ? MEM - b[2] : r->buf + b[2 + i] * 64u, len, flags,
			 (uint16_t)((b[6] + i + 1) % (b[7] == 254 ? 2 * SIZE : SIZE)));
	}
	avail(r, b[6] % SIZE);
	kick(r);
}

static void speak(const uint8_t *b)
{
	static uint8_t frame[70000];
	uint8_t head[4] = { b[2], b[3] & 3, b[4], b[5] };
	size_t len = (size_t)b[4] << 8 | b[5];

	if (b[1] & 1)
		head[0] = head[1] = 0;
	if (send(g.peer, head, 4, MSG_DONTWAIT | MSG_NOSIGNAL) == 4 &&
	    send(g.peer, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EBADF)
		abort();
}

static void drain(void)
{
	static uint8_t waste[65536];

	if (recv(g.peer, waste, sizeof(waste), MSG_DONTWAIT) < 0 && errno == EBADF)
		abort();
}

static void again(void)
{
	int lost = __atomic_load_n(&g.lost, __ATOMIC_ACQUIRE);

	shutdown(g.peer, SHUT_RDWR);
	close(g.peer);
	/* It may have been cut off before; then no peer is there that could be lost. */
	if (counts().up && !becomes(&g.lost, lost + 1) && counts().up)
		abort();
	plug();
}

static void reset_driver(unsigned int buffers)
{
	virtio_reset(g.dev);
	start_rings();
	post(buffers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t features[] = { 0, F_MRG, F_MRG | VIRTIO_F_EVENT_IDX, VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC };
	size_t at;

	if (size < 9 || size > 64 * 8)
		return 0;
	set_up(features[data[0] % 4], 64u << data[0] % 7);
	for (at = 1; at + 8 <= size; at += 8) {
		const uint8_t *b = data + at;

		switch (b[0] % 8) {
		case 0: case 1: case 2:
			chain(TX, b);
			break;
		case 3:
			chain(RX, b);
			break;
		case 4: case 5:
			speak(b);
			break;
		case 6:
			drain();
			break;
		case 7:
			if (b[1] & 1)
				again();
			else
				reset_driver(b[2]);
			break;
		}
	}
	tear_down();
	return 0;
}

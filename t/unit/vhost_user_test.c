// SPDX-License-Identifier: ISC
/* vhost_user_test.c - the vhost-user back end, with a front end that keeps the protocol. */
#include "tap.h"
#include "vhost_front.h"

static void test_by_hand(void)
{
	uint8_t p[12 + 8] = { 0 };

	setup(false);
	CHECK(vhost_user_fd(v) >= 0, "there is something to poll");
	tell(VHOST_GET_FEATURES, 0, NULL, 0, NULL, 0);
	CHECK(vhost_user_serve(v) == 0 && hear(VHOST_GET_FEATURES, p, 8) == 8, "served without a thread");
	CHECK(get_le64(p) == (virtio_features(&dev) | PROTOCOL), "the model's features and ours");
	tell_raw("\1\0\0", 3, NULL, 0);
	CHECK(vhost_user_serve(v) == 0, "a part of a message waits for the rest");
	tell_raw("\0\1\0\0\0\0\0\0\0", 9, NULL, 0);
	CHECK(vhost_user_serve(v) == 0 && hear(VHOST_GET_FEATURES, p, 8) == 8, "which is as good");
	cleanup_fd(&sock);
	CHECK(vhost_user_serve(v) == -EPIPE && vhost_user_fd(v) == -1, "the end of it is told");
	CHECK(vhost_user_serve(v) == -EPIPE, "and again");
	teardown();
}

static void test_negotiation(void)
{
	uint8_t p[12 + 8] = { 0 };

	setup(true);
	CHECK(ask_u64(VHOST_GET_PROTOCOL_FEATURES) == (1 << 0 | 1 << 3 | 1 << 9),
	      "protocol: MQ, acks, configuration");
	CHECK(ask_u64(VHOST_GET_QUEUE_NUM) == 2, "as many rings as the model has");
	put_le32(p + 4, 8);
	tell(VHOST_GET_CONFIG, 0, p, sizeof(p), NULL, 0);
	CHECK(hear(VHOST_GET_CONFIG, p, sizeof(p)) == 20 && !memcmp(p + 12, config, 8),
	      "configuration is read");
	put_le32(p, 1);
	tell(VHOST_GET_CONFIG, 0, p, sizeof(p), NULL, 0);
	CHECK(hear(VHOST_GET_CONFIG, p, sizeof(p)) == 0, "an error beyond its end");
	put_le32(p, 9);
	put_le32(p + 4, 0);
	tell(VHOST_GET_CONFIG, 0, p, 12, NULL, 0);
	CHECK(hear(VHOST_GET_CONFIG, p, sizeof(p)) == 0, "even of no bytes");
	tell(VHOST_SET_LOG_BASE, VHOST_MSG_NEED_REPLY, p, 16, &mem, 1);
	CHECK(settled(), "no ack before acks are negotiated");
	negotiate(0);
	tell(VHOST_SET_LOG_BASE, VHOST_MSG_NEED_REPLY, p, 16, &mem, 1);
	CHECK(hear(VHOST_SET_LOG_BASE, p, 8) == 8 && get_le64(p), "a log of written pages is refused");
	tell(4711, VHOST_MSG_NEED_REPLY, p, 16, &mem, 1);
	CHECK(hear(4711, p, 8) == 8 && get_le64(p), "so is what we do not know");
	tell(35, 0, p, 8, NULL, 0);
	CHECK(settled(), "which else is ignored");
	tell_memory(VHOST_MSG_NEED_REPLY);
	CHECK(hear(VHOST_SET_MEM_TABLE, p, 8) == 8 && !get_le64(p), "memory is taken");
	memset(p, 0, sizeof(p));
	put_le32(p + 4, 1);
	p[12] = 77;
	tell(VHOST_SET_CONFIG, VHOST_MSG_NEED_REPLY, p, 13, NULL, 0);
	CHECK(hear(VHOST_SET_CONFIG, p, 8) == 8 && !get_le64(p) && config[0] == 77,
	      "configuration is written");
	put_le32(p, 8);
	put_le32(p + 4, 1);
	tell(VHOST_SET_CONFIG, VHOST_MSG_NEED_REPLY, p, 13, NULL, 0);
	CHECK(hear(VHOST_SET_CONFIG, p, 8) == 8 && get_le64(p), "but not beyond its end");
	teardown();
}

static void test_requests(void)
{
	run(0);
	desc_at(0, HIGH + 0x100, 4, WRITE);
	offer(0);
	do_kick();
	CHECK(called(20000) && used_idx() == 1, "a request is served and the driver called");
	CHECK(ram[PART + 0x100] == 0x5a, "in the second region");
	tell_state(VHOST_SET_VRING_ENABLE, 0, 0);
	settled();
	offer(0);
	do_kick();
	settled();
	CHECK(served() == 1 && !called(0), "a disabled ring is left alone");
	tell_state(VHOST_SET_VRING_ENABLE, 0, 1);
	CHECK(called(20000) && used_idx() == 2, "enabled again it goes on, without a kick");
	tell_memory(0);
	settled();
	offer(0);
	do_kick();
	CHECK(called(20000) && used_idx() == 3, "and in new memory");
	teardown();
}

static void test_stop_and_go_on(void)
{
	uint8_t p[8];
	int i;

	run(0);
	desc_at(0, 0x8000, 4, WRITE);
	for (i = 0; i < 3; i++)
		offer(0);
	do_kick();
	called(20000);
	tell_state(VHOST_GET_VRING_BASE, 0, 0);
	CHECK(hear(VHOST_GET_VRING_BASE, p, 8) == 8 && get_le32(p) == 0 && get_le32(p + 4) == 3,
	      "a stopped ring's index");
	offer(0);
	do_kick();
	tell_state(VHOST_SET_VRING_ENABLE, 0, 1);
	settled();
	CHECK(served() == 3 && used_idx() == 3, "nothing runs afterwards");
	tell_state(VHOST_GET_VRING_BASE, 0, 0);
	CHECK(hear(VHOST_GET_VRING_BASE, p, 8) == 8 && get_le32(p + 4) == 3, "it can be asked again");
	called(0);
	tell_ring(0, 3);
	CHECK(called(20000) && used_idx() == 4 && served() == 4, "it goes on where it was");
	tell_u64(VHOST_SET_VRING_KICK, 0, kick);
	settled();
	offer(0);
	do_kick();
	CHECK(called(20000) && used_idx() == 5, "a new kick while it runs");
	tell(VHOST_RESET_OWNER, 0, NULL, 0, NULL, 0);
	settled();
	offer(0);
	do_kick();
	settled();
	CHECK(served() == 5, "a lost owner's rings are stopped");
	tell_state(VHOST_GET_VRING_BASE, 1, 0);
	CHECK(hear(VHOST_GET_VRING_BASE, p, 8) == 8 && get_le32(p + 4) == 0, "one that never ran has index 0");
	teardown();
}

static void test_event_idx(void)
{
	run(VIRTIO_F_EVENT_IDX);
	settled();
	CHECK(dev.features == (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX),
	      "the model's features are not ours");
	desc_at(0, 0x8000, 4, WRITE);
	offer(0);
	do_kick();
	CHECK(called(20000), "EVENT_IDX: the first completion calls");
	put_le16(ram + AVAIL + 4 + 2 * SIZE, 2);
	offer(0);
	do_kick();
	while (used_idx() != 2)
		settled();
	settled();
	CHECK(!called(0), "not one that the driver does not wait for");
	offer(0);
	do_kick();
	CHECK(called(20000), "but the next");
	CHECK(get_le16(ram + USED + 4 + 8 * SIZE) == 3, "kicks are asked for by index");
	teardown();
}

static void test_without_protocol(void)
{
	setup(true);
	tell_u64(VHOST_SET_FEATURES, VIRTIO_F_VERSION_1 | 1ULL << 24 | 1ULL << 27, -1);
	tell_memory(0);
	desc_at(0, 0x8000, 4, WRITE);
	offer(0);
	tell_state(VHOST_SET_VRING_NUM, 0, SIZE);
	tell_state(VHOST_SET_VRING_BASE, 0, 0);
	tell_u64(VHOST_SET_VRING_CALL, 0, call);
	tell_addr(0, USER + DESC, USER + USED, USER + AVAIL);
	settled();
	CHECK(served() == 0, "no ring without a kick");
	tell_u64(VHOST_SET_VRING_KICK, 0, kick);
	CHECK(called(20000) && served() == 1, "without protocol features a ring is enabled from the start");
	tell_u64(VHOST_SET_VRING_CALL, 0 | 0x100, -1);
	offer(0);
	do_kick();
	while (used_idx() != 2)
		settled();
	settled();
	CHECK(!called(0), "nobody is called who does not want to be");
	tell_u64(VHOST_SET_VRING_CALL, 0, call);
	CHECK(called(20000), "and who wants to be again is, for what was missed");
	teardown();
}

static void stop_and_start(uint16_t first, uint16_t second)
{
	const uint16_t base[] = { first, second };
	uint8_t old[8];
	uint32_t i;

	for (i = 0; i < 2; i++) {
		tell_state(VHOST_SET_VRING_ENABLE, i, 0);
		tell_state(VHOST_GET_VRING_BASE, i, 0);
		hear(VHOST_GET_VRING_BASE, old, 8);
	}
	for (i = 0; i < 2; i++) {
		tell_state(VHOST_SET_VRING_BASE, i, base[i]);
		tell_u64(VHOST_SET_VRING_KICK, i, kick);
	}
	for (i = 0; i < 2; i++)
		tell_state(VHOST_SET_VRING_ENABLE, i, 1);
	settled();
}

/* QEMU does not say that the driver has reset the device: where its rings begin does. */
static void test_reset(void)
{
	run(0);
	tell_ring(1, 0);
	offer(0);
	do_kick();
	CHECK(called(20000) && served() >= 1, "a ring has moved");
	resets = 0;
	stop_and_start(1, 0);
	CHECK(resets == 0, "a pause is no reset");
	put_le16(ram + AVAIL + 2, 0);
	stop_and_start(0, 0);
	CHECK(resets == 1, "rings that begin anew are one");
	stop_and_start(0, 0);
	CHECK(resets == 1, "and not again where nothing has moved since");
	teardown();
}

/* The driver's faults: its ring is dead, the connection is not. */
static void test_bad_driver(void)
{
	int err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd p = { .fd = err, .events = POLLIN };
	uint8_t base[8];

	run(0);
	tell_u64(VHOST_SET_VRING_ERR, 0, err);
	settled();
	desc_at(0, 0x123456789000, 4, WRITE);
	offer(0);
	do_kick();
	CHECK(poll(&p, 1, 20000) == 1, "a bad descriptor: QEMU is told");
	offer(0);
	do_kick();
	CHECK(settled() && served() == 0, "the ring is dead, the connection lives");
	tell_state(VHOST_GET_VRING_BASE, 0, 0);
	CHECK(hear(VHOST_GET_VRING_BASE, base, 8) == 8, "it can be stopped");
	desc_at(0, 0x8000, 4, WRITE);
	put_le16(ram + AVAIL + 2, 1);
	tell_ring(0, 0);
	do_kick();
	CHECK(called(20000) && served() == 1, "and started anew");
	tell_state(VHOST_GET_VRING_BASE, 0, 0);
	hear(VHOST_GET_VRING_BASE, base, 8);
	tell_addr(0, USER + DESC + 8, USER + USED, USER + AVAIL);
	tell_u64(VHOST_SET_VRING_KICK, 0, kick);
	CHECK(settled() && !dev.ring[0].running, "a misplaced ring does not start");
	tell_addr(0, USER + DESC, USER + USED, USER + AVAIL);
	tell_u64(VHOST_SET_VRING_KICK, 0, kick);
	CHECK(settled() && dev.ring[0].running, "the right place does");
	close(err);
	teardown();
}

static void look_at_ring(void *arg)
{
	*(bool *)arg = dev.ring[0].running;
}

static void test_end(void)
{
	int before = count_fds();
	bool runs;

	run(0);
	settled();
	cleanup_fd(&sock);
	do
		worker_call(worker, look_at_ring, &runs);
	while (runs);
	worker_stop(worker);
	CHECK(vhost_user_fd(v) == -1 && !dev.mem->count, "QEMU's end stops the rings");
	teardown();
	CHECK(dev.mem == NULL && count_fds() == before, "nothing is left");
	run(0);
	settled();
	teardown();
	CHECK(!dev.ring[0].running && count_fds() == before, "nor when we go first");
}

int main(void)
{
	test_by_hand();
	test_negotiation();
	test_requests();
	test_stop_and_go_on();
	test_event_idx();
	test_without_protocol();
	test_reset();
	test_bad_driver();
	test_end();
	return tap_done();
}

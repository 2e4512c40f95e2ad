// SPDX-License-Identifier: ISC
/*
 * vhost_user_test.c - the vhost-user back end, with a front end that keeps the protocol and ones that don't.
 *
 * The test plays QEMU on a socket pair, with a memfd for guest memory and two regions of it. Its addresses are
 * made up: nothing but the back end's arithmetic may turn them into pointers.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "engine/qemu/vhost_msg.h"
#include "engine/qemu/vhost_user.h"
#include "tap.h"
#include "util.h"
#include "virtio.h"
#include "worker.h"

enum { SIZE = 8, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, PART = 0x10000, PAGE = 0x1000 };
enum { NEXT = 1, WRITE = 2 };
#define USER 0x7f1234560000ULL          /* QEMU's own address of its first region */
#define HIGH 0x100000000ULL             /* where the guest has the second */
#define PROTOCOL (1ULL << 30)

/* -- a model: marks each request's first writable byte -- */

static unsigned int served;
static uint8_t config[8] = { 3 };

static void kicked(struct virtio_dev *dev, unsigned int ring)
{
	struct virtq_chain chain;
	unsigned int n = 0;

	while (virtio_pop(dev, ring, &chain)) {
		if (chain.in)
			*(uint8_t *)chain.iov[chain.out].iov_base = 0x5a;
		virtq_push(virtio_vq(dev, ring), chain.head, !!chain.in);
		n++;
	}
	__atomic_add_fetch(&served, n, __ATOMIC_SEQ_CST);
	if (virtio_vq(dev, ring))
		virtq_want_kick(virtio_vq(dev, ring), true);
	if (n)
		virtio_call(dev, ring);
}

static void config_read(struct virtio_dev *dev, size_t off, void *buf, size_t len)
{
	(void)dev;
	memcpy(buf, config + off, len);
}

static void config_write(struct virtio_dev *dev, size_t off, const void *buf, size_t len)
{
	(void)dev;
	memcpy(config + off, buf, len);
}

static const struct virtio_ops ops = {
	.name = "marker", .id = 42, .rings = 2, .ring_size = { 64, 64 }, .features = 1 << 5,
	.config_len = sizeof(config), .config_read = config_read, .config_write = config_write,
	.kicked = kicked,
};

/* -- QEMU's side -- */

static struct virtio_dev dev;
static struct worker *worker;
static struct vhost_user *v;
static int sock = -1, mem = -1, kick = -1, call = -1;
static uint8_t *ram;

static int make_memory(unsigned int seals)
{
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 2 * PART) < 0 || (seals && fcntl(fd, F_ADD_SEALS, seals) < 0))
		abort();
	return fd;
}

static void setup(bool thread)
{
	struct timeval patience = { .tv_sec = 20 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	sock = pair[1];
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	mem = make_memory(F_SEAL_SHRINK | F_SEAL_GROW);
	ram = mmap(NULL, 2 * PART, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	served = 0;
	memset(&dev, 0, sizeof(dev));
	worker = worker_new("test");
	virtio_init(&dev, &ops, NULL, worker);
	v = vhost_user_new(&pair[0], &dev, worker);
	if (!v || pair[0] != -1 || (thread && worker_start(worker)))
		abort();
}

static void teardown(void)
{
	worker_stop(worker);
	vhost_user_free(v);
	worker_free(worker);
	munmap(ram, 2 * PART);
	cleanup_fd(&sock);
	cleanup_fd(&mem);
	cleanup_fd(&kick);
	cleanup_fd(&call);
}

static void tell_raw(const void *buf, size_t len, const int *fd, int fds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * 16)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fds) {
		struct cmsghdr *c;

		h.msg_control = control.buf;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fds);
		memcpy(CMSG_DATA(c), fd, sizeof(int) * (size_t)fds);
	}
	if (sendmsg(sock, &h, MSG_NOSIGNAL) < 0) {
		/* it hung up already, which is looked at elsewhere */
	}
}

static void tell(uint32_t request, uint32_t flags, const void *payload, size_t len, const int *fd, int fds)
{
	uint8_t buf[2048];

	put_le32(buf, request);
	put_le32(buf + 4, VHOST_MSG_VERSION | flags);
	put_le32(buf + 8, (uint32_t)len);
	if (len)
		memcpy(buf + VHOST_MSG_HEADER, payload, len);
	tell_raw(buf, VHOST_MSG_HEADER + len, fd, fds);
}

/* Return: length of the answer to @request; -1 at the end of the connection or for anything else. */
static int hear(uint32_t request, void *payload, size_t size)
{
	uint8_t buf[VHOST_MSG_HEADER];
	uint32_t len;

	if (recv(sock, buf, sizeof(buf), MSG_WAITALL) != (ssize_t)sizeof(buf))
		return -1;
	len = get_le32(buf + 8);
	if (get_le32(buf) != request || get_le32(buf + 4) != (VHOST_MSG_VERSION | VHOST_MSG_REPLY) || len > size)
		return -1;
	return !len || recv(sock, payload, len, MSG_WAITALL) == (ssize_t)len ? (int)len : -1;
}

static void tell_u64(uint32_t request, uint64_t value, int fd)
{
	uint8_t p[8];

	put_le64(p, value);
	tell(request, 0, p, sizeof(p), &fd, fd >= 0);
}

static void tell_state(uint32_t request, uint32_t ring, uint32_t num)
{
	tell_u64(request, ring | (uint64_t)num << 32, -1);
}

static uint64_t ask_u64(uint32_t request)
{
	uint8_t p[8];

	tell(request, 0, NULL, 0, NULL, 0);
	return hear(request, p, sizeof(p)) == 8 ? get_le64(p) : UINT64_MAX;
}

/* Everything told so far was obeyed. */
static bool settled(void)
{
	return ask_u64(VHOST_GET_FEATURES) != UINT64_MAX;
}

static bool hung_up(void)
{
	uint8_t byte;
	ssize_t n = recv(sock, &byte, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void put_region(uint8_t *table, unsigned int i, uint64_t gpa, uint64_t len, uint64_t user, uint64_t offset)
{
	uint8_t *p = table + 8 + 32 * i;

	put_le64(p, gpa);
	put_le64(p + 8, len);
	put_le64(p + 16, user);
	put_le64(p + 24, offset);
}

static void good_table(uint8_t table[72])
{
	put_le64(table, 2);
	put_region(table, 0, 0, PART, USER, 0);
	put_region(table, 1, HIGH, PART, USER + PART, PART);
}

static void tell_memory(uint32_t flags)
{
	const int fd[2] = { mem, mem };
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, flags, table, sizeof(table), fd, 2);
}

static void tell_addr(uint32_t ring, uint64_t desc, uint64_t used, uint64_t avail)
{
	uint8_t p[40] = { 0 };

	put_le32(p, ring);
	put_le64(p + 8, desc);
	put_le64(p + 16, used);
	put_le64(p + 24, avail);
	tell(VHOST_SET_VRING_ADDR, 0, p, sizeof(p), NULL, 0);
}

static void tell_ring(uint32_t ring, uint16_t base)
{
	tell_state(VHOST_SET_VRING_NUM, ring, SIZE);
	tell_state(VHOST_SET_VRING_BASE, ring, base);
	tell_addr(ring, USER + DESC, USER + USED, USER + AVAIL);
	tell_u64(VHOST_SET_VRING_KICK, ring, kick);
	tell_u64(VHOST_SET_VRING_CALL, ring, call);
	tell_state(VHOST_SET_VRING_ENABLE, ring, 1);
}

static void negotiate(uint64_t features)
{
	tell_u64(VHOST_SET_PROTOCOL_FEATURES, ask_u64(VHOST_GET_PROTOCOL_FEATURES), -1);
	tell(VHOST_SET_OWNER, 0, NULL, 0, NULL, 0);
	tell_u64(VHOST_SET_FEATURES, VIRTIO_F_VERSION_1 | PROTOCOL | features, -1);
}

/* Up to a ring that runs. */
static void run(uint64_t features)
{
	setup(true);
	negotiate(features);
	tell_memory(0);
	tell_ring(0, 0);
}

/* -- the driver's side -- */

static void desc_at(unsigned int i, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint8_t *d = ram + DESC + 16 * i;

	put_le64(d, addr);
	put_le32(d + 8, len);
	put_le16(d + 12, flags);
}

static void offer(uint16_t head)
{
	uint16_t idx = get_le16(ram + AVAIL + 2);

	put_le16(ram + AVAIL + 4 + 2 * (idx % SIZE), head);
	__atomic_store_n((uint16_t *)(void *)(ram + AVAIL + 2), (uint16_t)(idx + 1), __ATOMIC_RELEASE);
}

static void do_kick(void)
{
	uint64_t one = 1;

	if (write(kick, &one, sizeof(one)) < 0)
		abort();
}

static bool called(int msec)
{
	struct pollfd p = { .fd = call, .events = POLLIN };
	uint64_t n;

	return poll(&p, 1, msec) == 1 && read(call, &n, sizeof(n)) > 0;
}

static uint16_t used_idx(void)
{
	return __atomic_load_n((uint16_t *)(void *)(ram + USED + 2), __ATOMIC_ACQUIRE);
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* -- tests -- */

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
	CHECK(ask_u64(VHOST_GET_PROTOCOL_FEATURES) == (1 << 0 | 1 << 3 | 1 << 9), "protocol: MQ, acks, configuration");
	CHECK(ask_u64(VHOST_GET_QUEUE_NUM) == 2, "as many rings as the model has");
	put_le32(p + 4, 8);
	tell(VHOST_GET_CONFIG, 0, p, sizeof(p), NULL, 0);
	CHECK(hear(VHOST_GET_CONFIG, p, sizeof(p)) == 20 && !memcmp(p + 12, config, 8), "configuration is read");
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
	CHECK(hear(VHOST_SET_CONFIG, p, 8) == 8 && !get_le64(p) && config[0] == 77, "configuration is written");
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
	CHECK(served == 1 && !called(0), "a disabled ring is left alone");
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
	CHECK(served == 3 && used_idx() == 3, "nothing runs afterwards");
	tell_state(VHOST_GET_VRING_BASE, 0, 0);
	CHECK(hear(VHOST_GET_VRING_BASE, p, 8) == 8 && get_le32(p + 4) == 3, "it can be asked again");
	called(0);
	tell_ring(0, 3);
	CHECK(called(20000) && used_idx() == 4 && served == 4, "it goes on where it was");
	tell_u64(VHOST_SET_VRING_KICK, 0, kick);
	settled();
	called(0);              /* a new eventfd on a ring that runs is signalled for nothing */
	offer(0);
	do_kick();
	CHECK(called(20000) && used_idx() == 5, "a new kick while it runs");
	tell(VHOST_RESET_OWNER, 0, NULL, 0, NULL, 0);
	settled();
	offer(0);
	do_kick();
	settled();
	CHECK(served == 5, "a lost owner's rings are stopped");
	tell_state(VHOST_GET_VRING_BASE, 1, 0);
	CHECK(hear(VHOST_GET_VRING_BASE, p, 8) == 8 && get_le32(p + 4) == 0, "one that never ran has index 0");
	teardown();
}

static void test_event_idx(void)
{
	run(VIRTIO_F_EVENT_IDX);
	settled();
	CHECK(dev.features == (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX), "the model's features are not ours");
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
	CHECK(served == 0, "no ring without a kick");
	tell_u64(VHOST_SET_VRING_KICK, 0, kick);
	CHECK(called(20000) && served == 1, "without protocol features a ring is enabled from the start");
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
	CHECK(settled() && served == 0, "the ring is dead, the connection lives");
	tell_state(VHOST_GET_VRING_BASE, 0, 0);
	CHECK(hear(VHOST_GET_VRING_BASE, base, 8) == 8, "it can be stopped");
	tell_ring(0, 0);
	desc_at(0, 0x8000, 4, WRITE);
	put_le16(ram + AVAIL + 2, 1);
	do_kick();
	CHECK(called(20000) && served == 1, "and started anew");
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

/* -- what no front end may do; each on a connection whose ring 0 runs -- */

static void short_message(void)
{
	tell(VHOST_SET_FEATURES, 0, "1234", 4, NULL, 0);
}

static void long_message(void)
{
	uint8_t p[16] = { 0 };

	tell(VHOST_SET_VRING_NUM, 0, p, sizeof(p), NULL, 0);
}

static void huge_message(void)
{
	uint8_t h[12] = { 0 };

	put_le32(h, 4711);
	put_le32(h + 4, 1);
	put_le32(h + 8, 0xffffffff);
	tell_raw(h, sizeof(h), NULL, 0);
}

static void wrong_version(void)
{
	uint8_t h[12] = { 1, 0, 0, 0, 2 };

	tell_raw(h, sizeof(h), NULL, 0);
}

static void a_reply(void)
{
	tell(VHOST_GET_FEATURES, VHOST_MSG_REPLY, NULL, 0, NULL, 0);
}

static void cut_short(void)
{
	tell_raw("\5\0\0\0\1\0", 6, &mem, 1);
	shutdown(sock, SHUT_WR);
}

static void unasked_fds(void)
{
	tell(VHOST_GET_FEATURES, 0, NULL, 0, &mem, 1);
}

static void too_many_fds(void)
{
	const int fd[12] = { mem, mem, mem, mem, mem, mem, mem, mem, mem, mem, mem, mem };
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), fd, 12);
}

static void unknown_features(void)
{
	tell_u64(VHOST_SET_FEATURES, 1ULL << 26, -1);
}

static void changed_features(void)
{
	tell_u64(VHOST_SET_FEATURES, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | PROTOCOL, -1);
}

static void unknown_protocol(void)
{
	tell_u64(VHOST_SET_PROTOCOL_FEATURES, 1 << 1, -1);
}

static void num_of_no_ring(void)
{
	tell_state(VHOST_SET_VRING_NUM, 2, SIZE);
}

static void huge_num(void)
{
	tell_state(VHOST_SET_VRING_NUM, 1, 0x10008);
}

static void odd_num(void)
{
	tell_state(VHOST_SET_VRING_NUM, 1, 7);
}

static void no_num(void)
{
	tell_state(VHOST_SET_VRING_NUM, 1, 0);
}

static void more_than_offered(void)
{
	tell_state(VHOST_SET_VRING_NUM, 1, 128);
}

static void num_while_running(void)
{
	tell_state(VHOST_SET_VRING_NUM, 0, SIZE);
}

static void addr_while_running(void)
{
	tell_addr(0, USER + DESC, USER + USED, USER + AVAIL);
}

static void base_while_running(void)
{
	tell_state(VHOST_SET_VRING_BASE, 0, 0);
}

static void huge_base(void)
{
	tell_state(VHOST_SET_VRING_BASE, 1, 0x10000);
}

static void base_of_no_ring(void)
{
	tell_state(VHOST_GET_VRING_BASE, 0x80000000, 0);
}

static void enable_no_ring(void)
{
	tell_state(VHOST_SET_VRING_ENABLE, 2, 1);
}

static void enable_twice_over(void)
{
	tell_state(VHOST_SET_VRING_ENABLE, 1, 2);
}

static void kick_no_ring(void)
{
	tell_u64(VHOST_SET_VRING_KICK, 2, kick);
}

static void kick_high_bits(void)
{
	tell_u64(VHOST_SET_VRING_KICK, 1ULL << 32, kick);
}

static void kick_without_fd(void)
{
	tell_u64(VHOST_SET_VRING_KICK, 1, -1);
}

static void kick_by_polling(void)
{
	tell_u64(VHOST_SET_VRING_KICK, 1 | 0x100, -1);
}

static void call_with_both(void)
{
	tell_u64(VHOST_SET_VRING_CALL, 1 | 0x100, call);
}

static void call_with_two(void)
{
	const int fd[2] = { call, call };
	uint8_t p[8] = { 0 };

	tell(VHOST_SET_VRING_CALL, 0, p, 8, fd, 2);
}

static void call_is_a_file(void)
{
	tell_u64(VHOST_SET_VRING_CALL, 0, mem);
}

static void call_blocks(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	tell_u64(VHOST_SET_VRING_CALL, 0, fd);
	close(fd);
}

static void call_is_a_pipe(void)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		abort();
	tell_u64(VHOST_SET_VRING_CALL, 0, fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void ring_outside(void)
{
	tell_state(VHOST_SET_VRING_NUM, 1, SIZE);
	tell_state(VHOST_SET_VRING_BASE, 1, 0);
	tell_addr(1, USER + DESC, USER + 2 * PART, USER + AVAIL);
	tell_u64(VHOST_SET_VRING_KICK, 1, kick);
	tell_state(VHOST_SET_VRING_ENABLE, 1, 1);
}

static void ring_left_outside(void)
{
	uint8_t table[40];

	put_le64(table, 1);
	put_region(table, 0, HIGH, PART, USER + PART, PART);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &mem, 1);
}

static void ring_with_flags(void)
{
	uint8_t p[40] = { 1, 0, 0, 0, 1 };

	tell(VHOST_SET_VRING_ADDR, 0, p, sizeof(p), NULL, 0);
}

static void config_lies(void)
{
	uint8_t p[20] = { 0 };

	put_le32(p + 4, 200);
	tell(VHOST_GET_CONFIG, 0, p, sizeof(p), NULL, 0);
}

static void config_short(void)
{
	tell(VHOST_SET_CONFIG, 0, "12345678", 8, NULL, 0);
}

static void config_with_fd(void)
{
	uint8_t p[20] = { 0 };

	put_le32(p + 4, 8);
	tell(VHOST_GET_CONFIG, 0, p, sizeof(p), &mem, 1);
}

/* A table of two regions, the second as given. */
static void bad_region(uint64_t gpa, uint64_t len, uint64_t user, uint64_t offset)
{
	const int fd[2] = { mem, mem };
	uint8_t table[72];

	good_table(table);
	put_region(table, 1, gpa, len, user, offset);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), fd, 2);
}

static void regions_overlap(void)
{
	bad_region(PART - PAGE, PART, USER + PART, PART);
}

static void users_overlap(void)
{
	bad_region(HIGH, PART, USER + PART - PAGE, PART);
}

static void region_wraps(void)
{
	bad_region(0 - (uint64_t)PAGE, 2 * PAGE, USER + PART, PART);
}

static void user_wraps(void)
{
	bad_region(HIGH, 2 * PAGE, 0 - (uint64_t)PAGE, PART);
}

static void offset_wraps(void)
{
	bad_region(HIGH, PART, USER + PART, 0 - (uint64_t)PAGE);
}

static void size_negative(void)
{
	bad_region(HIGH, 0 - (uint64_t)PAGE, USER + PART, 0);
}

static void size_nothing(void)
{
	bad_region(HIGH, 0, USER + PART, 0);
}

static void beyond_file(void)
{
	bad_region(HIGH, PART + PAGE, USER + PART, PART);
}

static void not_pages(void)
{
	bad_region(HIGH, 100, USER + PART, PART);
}

static void offset_not_pages(void)
{
	bad_region(HIGH, PAGE, USER + PART, 100);
}

static void table_of_none(void)
{
	uint8_t table[8] = { 0 };

	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), NULL, 0);
}

static void table_of_nothing(void)
{
	tell(VHOST_SET_MEM_TABLE, 0, NULL, 0, &mem, 1);
}

static void table_short(void)
{
	const int fd[2] = { mem, mem };
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table) - 1, fd, 2);
}

static void table_of_many(void)
{
	const int fd[8] = { mem, mem, mem, mem, mem, mem, mem, mem };
	uint8_t table[8 + 9 * 32] = { 9 };
	unsigned int i;

	for (i = 0; i < 9; i++)
		put_region(table, i, i * 2ULL * PAGE, PAGE, USER + i * 2ULL * PAGE, 0);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), fd, 8);
}

static void table_without_fd(void)
{
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &mem, 1);
}

static void memory_unsealed(void)
{
	int fd = make_memory(0);
	uint8_t table[40];

	put_le64(table, 1);
	put_region(table, 0, 0, PART, USER, 0);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &fd, 1);
	close(fd);
}

static void memory_no_file(void)
{
	uint8_t table[40];

	put_le64(table, 1);
	put_region(table, 0, 0, PART, USER, 0);
	tell(VHOST_SET_MEM_TABLE, 0, table, sizeof(table), &kick, 1);
}

#define CASE(f) { f, #f }
static const struct {
	void (*fn)(void);
	const char *name;
} violations[] = {
	CASE(short_message), CASE(long_message), CASE(huge_message), CASE(wrong_version), CASE(a_reply),
	CASE(cut_short), CASE(unasked_fds), CASE(too_many_fds), CASE(unknown_features),
	CASE(changed_features), CASE(unknown_protocol), CASE(num_of_no_ring), CASE(huge_num), CASE(odd_num),
	CASE(no_num), CASE(more_than_offered), CASE(num_while_running), CASE(addr_while_running),
	CASE(base_while_running), CASE(huge_base), CASE(base_of_no_ring), CASE(enable_no_ring),
	CASE(enable_twice_over), CASE(kick_no_ring), CASE(kick_high_bits), CASE(kick_without_fd),
	CASE(kick_by_polling), CASE(call_with_both), CASE(call_with_two), CASE(call_is_a_file),
	CASE(call_blocks), CASE(call_is_a_pipe), CASE(ring_outside), CASE(ring_left_outside),
	CASE(ring_with_flags), CASE(config_lies), CASE(config_short), CASE(config_with_fd),
	CASE(regions_overlap), CASE(users_overlap), CASE(region_wraps), CASE(user_wraps), CASE(offset_wraps),
	CASE(size_negative), CASE(size_nothing), CASE(beyond_file), CASE(not_pages), CASE(offset_not_pages),
	CASE(table_of_none), CASE(table_of_nothing), CASE(table_short), CASE(table_of_many),
	CASE(table_without_fd), CASE(memory_unsealed), CASE(memory_no_file),
};

static void test_violations(void)
{
	int before = count_fds();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(violations); i++) {
		bool over;

		run(0);
		over = settled() && dev.ring[0].running;
		violations[i].fn();
		over = over && hung_up();
		desc_at(0, 0x8000, 4, WRITE);
		offer(0);
		do_kick();
		worker_stop(worker);
		over = over && !served && !dev.ring[0].running && !dev.mem->count && vhost_user_fd(v) == -1;
		teardown();
		CHECK(over && count_fds() == before, violations[i].name);
	}
}

static void test_unread(void)
{
	unsigned int i;

	setup(true);
	for (i = 0; i < 1000000; i++) {
		struct pollfd p = { .fd = sock, .events = POLLOUT };

		if (poll(&p, 1, 20000) != 1 || (p.revents & POLLHUP))
			break;
		tell(VHOST_GET_FEATURES, 0, NULL, 0, NULL, 0);
	}
	worker_stop(worker);
	CHECK(i < 1000000 && vhost_user_fd(v) == -1, "who reads no answers is disconnected");
	teardown();
}

static void test_end(void)
{
	int before = count_fds();

	run(0);
	settled();
	cleanup_fd(&sock);
	while (__atomic_load_n(&dev.ring[0].running, __ATOMIC_RELAXED))
		poll(NULL, 0, 1);
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
	test_bad_driver();
	test_violations();
	test_unread();
	test_end();
	return tap_done();
}

/* SPDX-License-Identifier: ISC */
/*
 * vhost_front.h - QEMU's side of a vhost-user connection, and the guest driver's of its ring 0, for tests.
 *
 * Guest memory is a memfd with two regions in it. QEMU's addresses are made up: nothing but the back
 * end's arithmetic may turn them into pointers.
 */
#ifndef VHOST_FRONT_H
#define VHOST_FRONT_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "engine/qemu/vhost_msg.h"
#include "engine/qemu/vhost_user.h"
#include "util.h"
#include "virtio.h"
#include "wait.h"
#include "worker.h"

enum { SIZE = 8, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, PART = 0x10000 };
enum { WRITE = 2 };               /* a descriptor's flag */
#define USER 0x7f1234560000ULL          /* QEMU's own address of its first region */
#define HIGH 0x100000000ULL             /* where the guest has the second */
#define PAGE 0x1000ULL
#define PROTOCOL (1ULL << 30)
#define STATE(num) ((uint64_t)(num) << 32)      /* beside the ring's index */
#define NO_EVENTFD 0x100

/* -- a model: marks each request's first writable byte -- */

static unsigned int requests, resets;
static uint8_t config[8] = { 3 };

static inline void kicked(struct virtio_dev *dev, unsigned int ring)
{
	struct virtq_chain chain;
	unsigned int n = 0;

	while (virtio_pop(dev, ring, &chain)) {
		if (chain.in)
			*(uint8_t *)chain.iov[chain.out].iov_base = 0x5a;
		virtq_push(virtio_vq(dev, ring), chain.head, !!chain.in);
		n++;
	}
	__atomic_add_fetch(&requests, n, __ATOMIC_SEQ_CST);
	if (virtio_vq(dev, ring))
		virtq_want_kick(virtio_vq(dev, ring), true);
	if (n)
		virtio_call(dev, ring);
}

static inline void config_read(struct virtio_dev *dev, size_t off, void *buf, size_t len)
{
	(void)dev;
	memcpy(buf, config + off, len);
}

static inline void config_write(struct virtio_dev *dev, size_t off, const void *buf, size_t len)
{
	(void)dev;
	memcpy(config + off, buf, len);
}

static inline void was_reset(struct virtio_dev *dev)
{
	(void)dev;
	resets++;
}

static const struct virtio_ops ops = {
	.name = "marker", .id = 42, .rings = 2, .ring_size = { 64, 64 }, .features = 1 << 5,
	.config_len = sizeof(config), .config_read = config_read, .config_write = config_write,
	.kicked = kicked, .reset = was_reset,
};

static inline unsigned int served(void)
{
	return __atomic_load_n(&requests, __ATOMIC_SEQ_CST);
}

/* -- QEMU's side -- */

static struct virtio_dev dev;
static struct worker *worker;
static struct vhost_user *v;
static int sock = -1, mem = -1, kick = -1, call = -1;
static uint8_t *ram;

static inline int make_memory(unsigned int seals)
{
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 2 * PART) < 0 || (seals && fcntl(fd, F_ADD_SEALS, seals) < 0))
		abort();
	return fd;
}

static inline void setup(bool thread)
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
	requests = 0;
	memset(&dev, 0, sizeof(dev));
	worker = worker_new("test");
	virtio_init(&dev, &ops, NULL, worker);
	v = vhost_user_new(&pair[0], &dev, worker);
	if (!v || pair[0] != -1 || (thread && worker_start(worker)))
		abort();
}

static inline void teardown(void)
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

static inline void tell_raw(const void *buf, size_t len, const int *fd, int fds)
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

static inline void tell(uint32_t request, uint32_t flags, const void *payload, size_t len, const int *fd,
			int fds)
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
static inline int hear(uint32_t request, void *payload, size_t size)
{
	uint8_t buf[VHOST_MSG_HEADER];
	uint32_t len;

	if (recv(sock, buf, sizeof(buf), MSG_WAITALL) != (ssize_t)sizeof(buf))
		return -1;
	len = get_le32(buf + 8);
	if (get_le32(buf) != request || len > size ||
	    get_le32(buf + 4) != (VHOST_MSG_VERSION | VHOST_MSG_REPLY))
		return -1;
	return !len || recv(sock, payload, len, MSG_WAITALL) == (ssize_t)len ? (int)len : -1;
}

static inline void tell_u64(uint32_t request, uint64_t value, int fd)
{
	uint8_t p[8];

	put_le64(p, value);
	tell(request, 0, p, sizeof(p), &fd, fd >= 0);
}

static inline void tell_state(uint32_t request, uint32_t ring, uint32_t num)
{
	tell_u64(request, ring | (uint64_t)num << 32, -1);
}

static inline uint64_t ask_u64(uint32_t request)
{
	uint8_t p[8];

	tell(request, 0, NULL, 0, NULL, 0);
	return hear(request, p, sizeof(p)) == 8 ? get_le64(p) : UINT64_MAX;
}

/* Everything told so far was obeyed. */
static inline bool settled(void)
{
	return ask_u64(VHOST_GET_FEATURES) != UINT64_MAX;
}

static inline bool hung_up(void)
{
	uint8_t byte;
	ssize_t n = recv(sock, &byte, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static inline void put_region(uint8_t *table, unsigned int i, uint64_t gpa, uint64_t len, uint64_t user,
			      uint64_t offset)
{
	uint8_t *p = table + 8 + 32 * i;

	put_le64(p, gpa);
	put_le64(p + 8, len);
	put_le64(p + 16, user);
	put_le64(p + 24, offset);
}

static inline void good_table(uint8_t table[72])
{
	put_le64(table, 2);
	put_region(table, 0, 0, PART, USER, 0);
	put_region(table, 1, HIGH, PART, USER + PART, PART);
}

static inline void tell_memory(uint32_t flags)
{
	const int fd[2] = { mem, mem };
	uint8_t table[72];

	good_table(table);
	tell(VHOST_SET_MEM_TABLE, flags, table, sizeof(table), fd, 2);
}

static inline void tell_addr(uint32_t ring, uint64_t desc, uint64_t used, uint64_t avail)
{
	uint8_t p[40] = { 0 };

	put_le32(p, ring);
	put_le64(p + 8, desc);
	put_le64(p + 16, used);
	put_le64(p + 24, avail);
	tell(VHOST_SET_VRING_ADDR, 0, p, sizeof(p), NULL, 0);
}

static inline void tell_ring(uint32_t ring, uint16_t base)
{
	tell_state(VHOST_SET_VRING_NUM, ring, SIZE);
	tell_state(VHOST_SET_VRING_BASE, ring, base);
	tell_addr(ring, USER + DESC, USER + USED, USER + AVAIL);
	tell_u64(VHOST_SET_VRING_CALL, ring, call);
	tell_u64(VHOST_SET_VRING_KICK, ring, kick);
	tell_state(VHOST_SET_VRING_ENABLE, ring, 1);
}

static inline void negotiate(uint64_t features)
{
	tell_u64(VHOST_SET_PROTOCOL_FEATURES, ask_u64(VHOST_GET_PROTOCOL_FEATURES), -1);
	tell(VHOST_SET_OWNER, 0, NULL, 0, NULL, 0);
	tell_u64(VHOST_SET_FEATURES, VIRTIO_F_VERSION_1 | PROTOCOL | features, -1);
}

/* Up to a ring that runs. */
static inline void run(uint64_t features)
{
	setup(true);
	negotiate(features);
	tell_memory(0);
	tell_ring(0, 0);
}

/* -- the driver's side -- */

static inline void desc_at(unsigned int i, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint8_t *d = ram + DESC + 16 * i;

	put_le64(d, addr);
	put_le32(d + 8, len);
	put_le16(d + 12, flags);
}

static inline void offer(uint16_t head)
{
	uint16_t idx = get_le16(ram + AVAIL + 2);

	put_le16(ram + AVAIL + 4 + 2 * (idx % SIZE), head);
	__atomic_store_n((uint16_t *)(void *)(ram + AVAIL + 2), (uint16_t)(idx + 1), __ATOMIC_RELEASE);
}

static inline void do_kick(void)
{
	uint64_t one = 1;

	if (write(kick, &one, sizeof(one)) < 0)
		abort();
}

static inline bool called(int msec)
{
	uint64_t n;

	return wait_readable(call, msec) && read(call, &n, sizeof(n)) > 0;
}

static inline uint16_t used_idx(void)
{
	return __atomic_load_n((uint16_t *)(void *)(ram + USED + 2), __ATOMIC_ACQUIRE);
}

static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

#endif

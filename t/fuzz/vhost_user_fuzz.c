// SPDX-License-Identifier: ISC
/*
 * vhost_user_fuzz.c - any messages, with and without descriptors, to the vhost-user back end.
 *
 * Input is a byte and a series of { u8 request, u8 how, u8 length, payload }. Half of what `how` can be puts
 * the message right (memory that is there, a ring within it, what descriptors it has), and half of
 * what the first byte can be starts with a ring that runs, or nothing but the first checks would be met.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "engine/qemu/vhost_msg.h"
#include "engine/qemu/vhost_user.h"
#include "util.h"
#include "virtio.h"
#include "worker.h"

enum { MEM = 1 << 16, FDS = 10 };
enum { HOW_FDS = 0x0f, HOW_EVENTFD = 0x10, HOW_RIGHT = 0x20, HOW_REPLY = 0x40, HOW_RAW = 0x80 };
#define USER 0x7f0000000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void kicked(struct virtio_dev *dev, unsigned int ring)
{
	struct virtq_chain chain;
	unsigned int i, turns;

	for (turns = 0; turns < 64 && virtio_pop(dev, ring, &chain); turns++) {
		for (i = chain.out; i < (unsigned int)chain.out + chain.in; i++)
			if (chain.iov[i].iov_len)
				*(uint8_t *)chain.iov[i].iov_base ^= 1;
		virtq_push(virtio_vq(dev, ring), chain.head, 1);
		virtio_call(dev, ring);
	}
}

static void config_read(struct virtio_dev *dev, size_t off, void *buf, size_t len)
{
	(void)dev;
	if (off + len > 8)
		abort();
	memset(buf, 1, len);
}

static void config_write(struct virtio_dev *dev, size_t off, const void *buf, size_t len)
{
	(void)dev;
	(void)buf;
	if (off + len > 8)
		abort();
}

static const struct virtio_ops ops = {
	.name = "fuzz", .rings = 3, .ring_size = { 64, 64, 64 }, .config_len = 8,
	.config_read = config_read, .config_write = config_write, .kicked = kicked,
};

/* Have a message pass the first checks. Return: its payload's length. */
static size_t put_right(uint8_t request, uint8_t *p, size_t len)
{
	switch (request) {
	case VHOST_SET_MEM_TABLE:
		put_le64(p, 1);
		put_le64(p + 8, 0);
		put_le64(p + 16, MEM);
		put_le64(p + 24, USER);
		put_le64(p + 32, 0);
		return 40;
	case VHOST_SET_VRING_ADDR:
		put_le32(p, p[0] % 3);
		put_le32(p + 4, 0);
		put_le64(p + 8, USER + 16ULL * p[8]);
		put_le64(p + 16, USER + 16ULL * p[9]);
		put_le64(p + 24, USER + 16ULL * p[10]);
		return 40;
	case VHOST_SET_FEATURES:
		put_le64(p, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC |
			 (p[0] & 1 ? 1ULL << 30 : 0));
		return 8;
	case VHOST_SET_VRING_NUM:
		put_le32(p, p[0] % 3);
		put_le32(p + 4, 1U << (p[4] % 7));
		return 8;
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_ENABLE:
		put_le32(p, p[0] % 3);
		put_le32(p + 4, p[4] % 2);
		return 8;
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		put_le64(p, p[0] % 3);
		return 8;
	}
	return len;
}

static void tell(int sock, const uint8_t *head, const uint8_t *data, size_t len, int mem, int event)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * FDS)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	uint8_t buf[VHOST_MSG_HEADER + 256] = { 0 };
	struct iovec iov = { buf, 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t fds = MIN(head[1] & HOW_FDS, FDS), i;
	bool eventfds = head[1] & HOW_EVENTFD;

	memcpy(buf + VHOST_MSG_HEADER, data, len);
	if (head[1] & HOW_RIGHT) {
		len = put_right(head[0], buf + VHOST_MSG_HEADER, len);
		eventfds = head[0] >= VHOST_SET_VRING_KICK && head[0] <= VHOST_SET_VRING_ERR;
		fds = eventfds || head[0] == VHOST_SET_MEM_TABLE;
	}
	put_le32(buf, head[0]);
	put_le32(buf + 4, VHOST_MSG_VERSION | (head[1] & HOW_REPLY ? VHOST_MSG_NEED_REPLY : 0));
	put_le32(buf + 8, (uint32_t)len);
	iov.iov_len = VHOST_MSG_HEADER + len;
	if (head[1] & HOW_RAW) {
		iov.iov_base = buf + VHOST_MSG_HEADER;
		iov.iov_len = len;
	}
	if (fds) {
		struct cmsghdr *c;

		h.msg_control = control.buf;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fds);
		for (i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), eventfds ? &event : &mem, sizeof(int));
	}
	if (sendmsg(sock, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* it hung up */
	}
}

/* Up to a ring 0 that runs, in whatever its memory holds. */
static void start_ring(int sock, int mem, int event)
{
	static const uint8_t order[] = {
		VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE,
		VHOST_SET_VRING_ADDR, VHOST_SET_VRING_CALL, VHOST_SET_VRING_KICK,
	};
	static const uint8_t payload[40] = { [4] = 4, [8] = 0, [9] = 64, [10] = 128 };
	size_t i;

	for (i = 0; i < sizeof(order); i++) {
		const uint8_t head[3] = { order[i], HOW_RIGHT };

		tell(sock, head, payload, sizeof(payload), mem, event);
	}
}

/* The rings' memory: any bytes, from the input's end. */
static int make_memory(const uint8_t *data, size_t size)
{
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, MEM) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0 ||
	    pwrite(fd, data, MIN(size, (size_t)MEM), 0) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2], mem = make_memory(data, size), event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct worker *w = worker_new("fuzz");
	struct virtio_dev dev = { 0 };
	struct vhost_user *v;
	uint8_t answer[512];
	unsigned int i;

	if (!w || event < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	virtio_init(&dev, &ops, NULL, w);
	v = vhost_user_new(&pair[0], &dev, w);
	if (size && data[0] & 1) {
		start_ring(pair[1], mem, event);
		if (vhost_user_serve(v) || !dev.mem->count)
			abort();
	}
	if (size) {
		data++;
		size--;
	}
	while (v && size >= 3) {
		size_t len = MIN((size_t)data[2], size - 3);

		tell(pair[1], data, data + 3, len, mem, event);
		if (vhost_user_serve(v))
			break;
		while (recv(pair[1], answer, sizeof(answer), MSG_DONTWAIT) > 0)
			continue;
		for (i = 0; i < ops.rings; i++)
			virtio_kick(&dev, i);
		data += 3 + len;
		size -= 3 + len;
	}
	vhost_user_free(v);
	if (dev.mem || dev.ring[0].running || dev.ring[1].running || dev.ring[2].running)
		abort();
	worker_free(w);
	close(pair[1]);
	close(mem);
	close(event);
	/* Nothing of it may be left open. */
	pair[0] = dup(0);
	if (pair[0] > 64)
		abort();
	close(pair[0]);
	return 0;
}

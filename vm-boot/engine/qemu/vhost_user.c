// SPDX-License-Identifier: ISC
/*
 * vhost_user.c - put one of our device models behind a vhost-user device of QEMU's.
 *
 *	guest's driver <-- rings, buffers, in shared memory --> model (virtio.c)
 *	      | registers					 | set up by vhost_ring.c
 *	QEMU's device ------- features, memory, eventfds ------> this file
 *
 * QEMU keeps the registers and tells what the driver wrote there; requests and interrupts pass it by: a
 * kick is an eventfd that the model's worker watches, `call` is one that QEMU or KVM watches
 * (QEMU docs/interop/vhost-user). The connection is
 *
 *	OPEN --QEMU ends, or breaks a rule--> OVER
 *
 * QEMU runs what the guest gives it and is believed no more than the guest: a message that breaks a
 * rule ends the connection for good, with one line; its rings are stopped, its memory unmapped, its
 * descriptors closed. Messages that we do not know are refused if QEMU cares, and ignored.
 *
 * All of it happens as the worker, and before its thread runs, too: QEMU waits for answers while it makes a
 * vhost-user device, before it obeys its monitor, and vm-boot makes threads only once it is
 * confined. Until then somebody calls vhost_user_serve().
 */
#include "vhost_user.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "log.h"
#include "loop.h"
#include "util.h"
#include "vhost_msg.h"
#include "vhost_ring.h"
#include "virtio.h"
#include "worker.h"

/* Ours, not the model's: a bit that no virtio device uses. */
#define F_PROTOCOL_FEATURES (1ULL << 30)
/* QEMU offers these to the driver by itself; with VERSION_1 they mean nothing. */
#define F_LEGACY (1ULL << 24 | 1ULL << 27)

#define PROTOCOL_MQ (1ULL << 0)
#define PROTOCOL_REPLY_ACK (1ULL << 3)
#define PROTOCOL_CONFIG (1ULL << 9)

enum { TURN_MESSAGES = 16 };
enum { CONFIG_HEADER = 12, CONFIG_MAX = 256 };
_Static_assert(CONFIG_HEADER + CONFIG_MAX <= VHOST_MSG_PAYLOAD, "configuration fits into a message");

struct vhost_user {
	struct virtio_dev *dev;
	struct worker *worker;
	int sock, watch;                /* -1: the connection is over */
	uint64_t features, protocol;    /* negotiated; F_PROTOCOL_FEATURES among the former */
	struct vhost_rings rings;
	struct vhost_msg msg;           /* the one under way */
};

/* -- negotiation -- */

/* Answer the message under way. Return: 0 or why the connection has to end. */
static int reply(struct vhost_user *v, const void *payload, size_t len)
{
	int err = vhost_msg_reply(v->sock, v->msg.request, payload, len);

	return err == -EAGAIN ? vhost_msg_bad(&v->msg, "it does not take its answers") : err;
}

static int reply_u64(struct vhost_user *v, uint64_t value)
{
	uint8_t payload[8];

	put_le64(payload, value);
	return reply(v, payload, sizeof(payload));
}

static int get_features(struct vhost_user *v)
{
	return reply_u64(v, virtio_features(v->dev) | F_PROTOCOL_FEATURES);
}

static int set_features(struct vhost_user *v)
{
	uint64_t offered = virtio_features(v->dev) | F_PROTOCOL_FEATURES;
	uint64_t wanted = get_le64(v->msg.payload);

	if (wanted & ~(offered | F_LEGACY))
		return vhost_msg_bad(&v->msg, "it takes a feature that was not offered");
	wanted &= offered;
	if (wanted != v->features && vhost_rings_run(&v->rings))
		return vhost_msg_bad(&v->msg, "it changes features while a ring runs");
	v->features = wanted;
	v->dev->features = wanted & ~F_PROTOCOL_FEATURES;
	v->rings.always_enabled = !(wanted & F_PROTOCOL_FEATURES);
	return vhost_rings_update(&v->rings, &v->msg);
}

static uint64_t protocol_features(const struct vhost_user *v)
{
	return PROTOCOL_MQ | PROTOCOL_REPLY_ACK | (v->dev->ops->config_len ? PROTOCOL_CONFIG : 0);
}

static int get_protocol_features(struct vhost_user *v)
{
	return reply_u64(v, protocol_features(v));
}

static int set_protocol_features(struct vhost_user *v)
{
	uint64_t wanted = get_le64(v->msg.payload);

	if (wanted & ~protocol_features(v))
		return vhost_msg_bad(&v->msg, "it takes a protocol feature that was not offered");
	v->protocol = wanted;
	return 0;
}

static int get_queue_num(struct vhost_user *v)
{
	return reply_u64(v, v->dev->ops->rings);
}

static int set_owner(struct vhost_user *v)
{
	(void)v;
	return 0;
}

static int reset_owner(struct vhost_user *v)
{
	vhost_rings_disable(&v->rings);
	return 0;
}

static int get_vring_base(struct vhost_user *v)
{
	int base = vhost_ring_get_base(&v->rings, &v->msg);

	if (base < 0)
		return base;
	put_le32(v->msg.payload + 4, (uint32_t)base);
	return reply(v, v->msg.payload, v->msg.size);
}

/* -- configuration -- */

/* Where a message wants to read or write. Return false when that is not all within the configuration. */
static bool config_range(struct vhost_user *v, uint32_t *off, uint32_t *len)
{
	*off = get_le32(v->msg.payload);
	*len = get_le32(v->msg.payload + 4);
	return *len <= CONFIG_MAX && *off <= v->dev->ops->config_len &&
	       *len <= v->dev->ops->config_len - *off;
}

static bool config_well_formed(const struct vhost_user *v)
{
	return v->msg.size >= CONFIG_HEADER &&
	       v->msg.size - CONFIG_HEADER == get_le32(v->msg.payload + 4);
}

static int get_config(struct vhost_user *v)
{
	uint32_t off, len;

	if (!config_well_formed(v))
		return vhost_msg_bad(&v->msg, "a configuration message of the wrong length");
	if (!config_range(v, &off, &len) || !v->dev->ops->config_read)
		return reply(v, NULL, 0);
	v->dev->ops->config_read(v->dev, off, v->msg.payload + CONFIG_HEADER, len);
	return reply(v, v->msg.payload, v->msg.size);
}

/* Return: 1 when it is refused. */
static int set_config(struct vhost_user *v)
{
	uint32_t off, len;

	if (!config_well_formed(v))
		return vhost_msg_bad(&v->msg, "a configuration message of the wrong length");
	if (!config_range(v, &off, &len) || get_le32(v->msg.payload + 8) || !v->dev->ops->config_write)
		return 1;
	v->dev->ops->config_write(v->dev, off, v->msg.payload + CONFIG_HEADER, len);
	return 0;
}

/* -- the connection -- */

enum { SIZE_ANY = -1 };

/* Both return 0; 1 to refuse; -EPROTO as vhost_msg_bad(), another -errno: the connection has to end. */
typedef int handler_fn(struct vhost_user *v);
typedef int ring_fn(struct vhost_rings *v, struct vhost_msg *m);

static const struct request {
	handler_fn *fn;         /* one of these two; neither: unknown */
	ring_fn *ring;
	int size;               /* of the payload */
	bool takes_fds;
	bool replies;           /* by itself */
} requests[VHOST_REQUESTS] = {
	[VHOST_GET_FEATURES] = { get_features, NULL, 0, false, true },
	[VHOST_SET_FEATURES] = { set_features, NULL, 8, false, false },
	[VHOST_SET_OWNER] = { set_owner, NULL, 0, false, false },
	[VHOST_RESET_OWNER] = { reset_owner, NULL, 0, false, false },
	[VHOST_SET_MEM_TABLE] = { NULL, vhost_rings_set_memory, SIZE_ANY, true, false },
	[VHOST_SET_VRING_NUM] = { NULL, vhost_ring_set_num, 8, false, false },
	[VHOST_SET_VRING_ADDR] = { NULL, vhost_ring_set_addr, 40, false, false },
	[VHOST_SET_VRING_BASE] = { NULL, vhost_ring_set_base, 8, false, false },
	[VHOST_GET_VRING_BASE] = { get_vring_base, NULL, 8, false, true },
	[VHOST_SET_VRING_KICK] = { NULL, vhost_ring_set_kick, 8, true, false },
	[VHOST_SET_VRING_CALL] = { NULL, vhost_ring_set_call, 8, true, false },
	[VHOST_SET_VRING_ERR] = { NULL, vhost_ring_set_err, 8, true, false },
	[VHOST_GET_PROTOCOL_FEATURES] = { get_protocol_features, NULL, 0, false, true },
	[VHOST_SET_PROTOCOL_FEATURES] = { set_protocol_features, NULL, 8, false, false },
	[VHOST_GET_QUEUE_NUM] = { get_queue_num, NULL, 0, false, true },
	[VHOST_SET_VRING_ENABLE] = { NULL, vhost_ring_set_enable, 8, false, false },
	[VHOST_GET_CONFIG] = { get_config, NULL, SIZE_ANY, false, true },
	[VHOST_SET_CONFIG] = { set_config, NULL, SIZE_ANY, false, false },
};

/* The message is whole: do what it says. Return: 0; or why the connection has to end. */
static int handle(struct vhost_user *v)
{
	static const struct request none;
	struct vhost_msg *m = &v->msg;
	const struct request *r = m->request < VHOST_REQUESTS ? &requests[m->request] : &none;
	int ret = 1;

	if (!r->fn && !r->ring) /* logs of written pages (SET_LOG_BASE), migration: nothing we offered */
		debug("vhost-user: %s: request %u is refused", v->dev->ops->name, m->request);
	else if (r->size != SIZE_ANY && m->size != (uint32_t)r->size)
		return vhost_msg_bad(&v->msg, "a message of the wrong length");
	else if (m->fds && !r->takes_fds)
		return vhost_msg_bad(&v->msg, "descriptors that nobody asked for");
	else
		ret = r->fn ? r->fn(v) : r->ring(&v->rings, m);
	if (ret < 0 || r->replies)
		return ret;
	if ((v->protocol & PROTOCOL_REPLY_ACK) && (m->flags & VHOST_MSG_NEED_REPLY))
		return reply_u64(v, (uint64_t)ret);
	return 0;
}

/* The connection is over, by QEMU's end (@err 0) or for a reason: nothing of it stays. */
static void end(struct vhost_user *v, int err)
{
	if (err == -EPROTO)
		warn("vhost-user: %s: disconnected, QEMU broke a rule: %s", v->dev->ops->name, v->msg.why);
	else if (err && err != -EPIPE && err != -ECONNRESET)
		warn("vhost-user: %s: disconnected: %s", v->dev->ops->name, errstr(err));
	vhost_rings_end(&v->rings);
	vhost_msg_drop(&v->msg);
	loop_del(worker_loop(v->worker), &v->watch);
	cleanup_fd(&v->sock);
}

/* Take one message. Return: 1; -EAGAIN when there is none; 0, -errno when the connection has to end. */
static int serve_one(struct vhost_user *v)
{
	int ret = vhost_msg_recv(v->sock, &v->msg);

	if (ret == -EBADMSG)
		return vhost_msg_bad(&v->msg, "no message of the protocol");
	if (ret != 1)
		return ret;
	ret = handle(v);
	if (ret < 0)
		return ret;
	vhost_msg_drop(&v->msg);
	return 1;
}

static void serve(void *arg)
{
	struct vhost_user *v = arg;
	unsigned int turn;
	int ret = 1;

	for (turn = 0; turn < TURN_MESSAGES && v->sock >= 0 && ret == 1; turn++) {
		ret = serve_one(v);
		if (ret <= 0 && ret != -EAGAIN)
			end(v, ret);
	}
}

static void on_socket(void *arg, uint32_t events)
{
	(void)events;
	serve(arg);
}

static void do_end(void *arg)
{
	end(arg, 0);
}

/**
 * vhost_user_new() - serve a vhost-user device
 * @sock: our end of a stream socket pair whose other end is QEMU's; consumed
 * @dev: model, with no ring running, borrowed until vhost_user_free(): its front end is this
 *	from now on, its memory what QEMU shares (none, before it does)
 * @w: the model's worker, borrowed
 * Return: it, freed with vhost_user_free(); NULL with errno.
 */
struct vhost_user *vhost_user_new(int *sock, struct virtio_dev *dev, struct worker *w)
{
	struct vhost_user *v = calloc(1, sizeof(*v));

	if (!v) {
		cleanup_fd(sock);
		return NULL;
	}
	v->sock = steal_fd(sock);
	v->worker = w;
	v->watch = loop_add(worker_loop(w), v->sock, EPOLLIN, on_socket, v);
	if (v->watch < 0) {
		errno = -v->watch;
		close(v->sock);
		free(v);
		return NULL;
	}
	v->dev = dev;
	vhost_rings_init(&v->rings, dev);
	return v;
}

/**
 * vhost_user_fd() - what to poll for POLLIN
 * @v: device; its worker's thread does not run
 * Return: descriptor, borrowed; -1: the connection is over.
 */
int vhost_user_fd(const struct vhost_user *v)
{
	return v->sock;
}

/**
 * vhost_user_serve() - answer what QEMU asked, by hand
 * @v: device; its worker's thread does not run
 * Return: 0; -EPIPE when the connection is over.
 */
int vhost_user_serve(struct vhost_user *v)
{
	worker_call(v->worker, serve, v);
	return v->sock < 0 ? -EPIPE : 0;
}

/** vhost_user_free() - stop the rings and disconnect. @v: may be NULL; its worker's thread has ended. */
void vhost_user_free(struct vhost_user *v)
{
	if (!v)
		return;
	worker_call(v->worker, do_end, v);
	vhost_rings_detach(&v->rings);
	free(v);
}

// SPDX-License-Identifier: ISC
/*
 * virtio.c - what every device model shares: rings that start, stop and break.
 *
 * A model is written against guest memory and virtqueues and nothing else. A front end negotiates
 * features with the driver, then starts rings one by one; from then on the model's worker watches
 * the ring's kick and calls the model. Stopping a ring returns the index it would go on at, with
 * nothing in flight: that is also what pausing and snapshotting a VM are made of.
 *
 * The verbs are those of vhost-user (features, ring address, base, kick, call), so that the same
 * model stands behind our virtio-pci and behind QEMU's.
 */
#include "virtio.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

#include "log.h"
#include "loop.h"
#include "util.h"
#include "worker.h"

/**
 * virtio_init() - tie a model to a VM
 * @dev: zeroed by the caller, embedded in the model; filled in
 * @ops: the model
 * @mem: guest memory, borrowed
 * @w: worker that serves it, borrowed
 */
void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops, const struct gmem *mem,
		 struct worker *w)
{
	unsigned int i;

	assert(ops->rings <= VIRTIO_RINGS_MAX);
	dev->ops = ops;
	dev->mem = mem;
	dev->worker = w;
	for (i = 0; i < VIRTIO_RINGS_MAX; i++)
		dev->ring[i].watch = -1;
}

/** virtio_features() - what the device offers. @dev: device. Return: feature bits. */
uint64_t virtio_features(const struct virtio_dev *dev)
{
	return dev->ops->features | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
	       VIRTIO_F_INDIRECT_DESC;
}

/** virtio_vq() - a running ring's queue. @dev, @ring. Return: the queue, NULL if it is stopped. */
struct virtq *virtio_vq(struct virtio_dev *dev, unsigned int ring)
{
	return dev->ring[ring].running ? &dev->ring[ring].vq : NULL;
}

static void on_kick(struct virtio_dev *dev, unsigned int ring)
{
	uint64_t n;

	if (read(dev->ring[ring].kick, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	if (dev->ring[ring].running)
		dev->ops->kicked(dev, ring);
}

/* One entry a ring, so that the loop's argument tells which: no allocation, no packing. */
#define ON_KICK(i)                                              \
	static void on_kick##i(void *arg, uint32_t events)      \
	{                                                       \
		(void)events;                                   \
		on_kick(arg, i);                                \
	}
ON_KICK(0)
ON_KICK(1)
ON_KICK(2)
ON_KICK(3)
static loop_fn *const on_kicks[] = { on_kick0, on_kick1, on_kick2, on_kick3 };
_Static_assert(ARRAY_SIZE(on_kicks) == VIRTIO_RINGS_MAX, "a kick handler for every ring");

struct start {
	struct virtio_dev *dev;
	unsigned int ring;
	const struct virtio_ring_setup *setup;
	int result;
	uint16_t base;
};

static void do_start(void *arg)
{
	struct start *s = arg;
	struct virtio_dev *dev = s->dev;
	struct loop *loop = worker_loop(dev->worker);

	s->result = virtq_start(&dev->ring[s->ring].vq, dev->mem, &s->setup->at, dev->features,
				s->setup->base);
	if (s->result)
		return;
	dev->ring[s->ring].kick = s->setup->kick;
	dev->ring[s->ring].watch = loop_add(loop, s->setup->kick, EPOLLIN, on_kicks[s->ring], dev);
	if (dev->ring[s->ring].watch < 0) {
		s->result = dev->ring[s->ring].watch;
		return;
	}
	dev->ring[s->ring].running = true;
	virtq_want_kick(&dev->ring[s->ring].vq, true);
	if (dev->ops->started)
		dev->ops->started(dev, s->ring);
	/* The driver may have filled it before we watched. */
	if (dev->ring[s->ring].running)
		dev->ops->kicked(dev, s->ring);
}

/**
 * virtio_ring_start() - begin to serve a ring
 * @dev: device; call from the front end's thread
 * @ring: below ops->rings, not running
 * @setup: where and how; its kick is borrowed until virtio_ring_stop()
 * Return: 0; -EINVAL when the driver's addresses are bad; -errno.
 */
int virtio_ring_start(struct virtio_dev *dev, unsigned int ring,
		      const struct virtio_ring_setup *setup)
{
	struct start s = { .dev = dev, .ring = ring, .setup = setup };

	assert(ring < dev->ops->rings && !dev->ring[ring].running);
	worker_call(dev->worker, do_start, &s);
	return s.result;
}

static void do_stop(void *arg)
{
	struct start *s = arg;
	struct virtio_dev *dev = s->dev;

	if (!dev->ring[s->ring].running)
		return;
	if (dev->ops->stopping)
		dev->ops->stopping(dev, s->ring);
	dev->ring[s->ring].running = false;
	loop_del(worker_loop(dev->worker), &dev->ring[s->ring].watch);
	s->base = dev->ring[s->ring].vq.next_avail;
}

/**
 * virtio_ring_stop() - end serving a ring, with nothing left in flight
 * @dev, @ring: as virtio_ring_start(); a stopped ring stays so
 * Return: the ring index to go on at.
 */
uint16_t virtio_ring_stop(struct virtio_dev *dev, unsigned int ring)
{
	struct start s = { .dev = dev, .ring = ring };

	worker_call(dev->worker, do_stop, &s);
	return s.base;
}

static void do_reset(void *arg)
{
	struct virtio_dev *dev = arg;

	dev->ops->reset(dev);
}

/** virtio_reset() - stop every ring and forget what was negotiated. @dev: device. */
void virtio_reset(struct virtio_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->ops->rings; i++)
		virtio_ring_stop(dev, i);
	if (dev->ops->reset)
		worker_call(dev->worker, do_reset, dev);
	dev->features = 0;
}

static void do_kick(void *arg)
{
	struct start *s = arg;

	if (s->dev->ring[s->ring].running)
		s->dev->ops->kicked(s->dev, s->ring);
}

/**
 * virtio_kick() - serve a ring now, on the thread of the vCPU that kicked it
 * @dev: device
 * @ring: one of ops->direct: its driver waits for the answer, and the work is short
 *
 * An eventfd would have the guest wait for the worker to wake up.
 */
void virtio_kick(struct virtio_dev *dev, unsigned int ring)
{
	struct start s = { .dev = dev, .ring = ring };

	worker_call(dev->worker, do_kick, &s);
}

/**
 * virtio_broke() - the driver broke a rule: say so, and ask for a reset
 * @dev, @ring: a running ring, of which nothing is taken from now on; as the device's worker
 * @why: what it did, a static string
 */
void virtio_broke(struct virtio_dev *dev, unsigned int ring, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct virtq *vq = virtio_vq(dev, ring);

	vq->broken = true;
	vq->why = why;
	warn_limited(&limit, "%s: queue %u: the guest's driver broke a rule: %s", dev->ops->name, ring, why);
	dev->broken(dev->front, why);
}

/**
 * virtio_pop() - take a ring's next request, and ask for a reset when the driver broke a rule
 * @dev, @ring: a device; called as its worker
 * @chain: filled in
 * Return: 1; 0 when there is none or the ring does not run.
 */
int virtio_pop(struct virtio_dev *dev, unsigned int ring, struct virtq_chain *chain)
{
	struct virtq *vq = virtio_vq(dev, ring);
	int n;

	if (!vq || vq->broken)
		return 0;
	n = virtq_pop(vq, chain);
	if (n >= 0)
		return n;
	virtio_broke(dev, ring, vq->why);
	return 0;
}

/** virtio_call() - interrupt the driver for what was completed, if it cares. @dev, @ring. */
void virtio_call(struct virtio_dev *dev, unsigned int ring)
{
	struct virtq *vq = virtio_vq(dev, ring);

	if (vq && virtq_needs_call(vq))
		dev->call(dev->front, ring);
}

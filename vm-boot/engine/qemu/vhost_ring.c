// SPDX-License-Identifier: ISC
/*
 * vhost_ring.c - a vhost-user device's memory and rings: what they are put together from.
 *
 * QEMU tells of a ring piece by piece: size, addresses, base, kick, whether it is enabled. It is
 *
 *	STOPPED --all of these are known, there is memory, and it is enabled--> RUNS
 *	RUNS --GET_VRING_BASE, disabled, RESET_OWNER, the connection's end--> STOPPED, base kept
 *
 * and dev->ring[i].running says which. After GET_VRING_BASE it needs a new kick to run again. Size,
 * addresses and base stay as they are while it runs; a new kick or memory table stops it for the
 * moment of the change. When all rings start at 0 again, the driver has reset the device meanwhile.
 *
 * What the driver alone did wrong ends that ring (it misplaced it) or all of them (it broke another rule,
 * and virtio_pop() or the model said so): nothing is taken from them until the driver has reset the
 * device and QEMU starts them again. QEMU is told by an eventfd, for which it does not care.
 */
#include "vhost_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "log.h"
#include "util.h"
#include "vhost_msg.h"

enum { HAS_NUM = 1, HAS_ADDR = 2, HAS_BASE = 4, HAS_KICK = 8, HAS_ALL = 15 };
enum { EVENT_RING = 0xff, EVENT_NO_FD = 0x100 };

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0) {
		/* the counter is full: it is readable already */
	}
}

/* -- what the model tells -- */

static void on_call(void *front, unsigned int i)
{
	struct vhost_rings *v = front;

	signal_fd(v->ring[i].call);
}

static void on_config_changed(void *front)
{
	struct vhost_rings *v = front;

	/* It would take a second connection, for messages of ours; no model of this engine changes. */
	debug("vhost-user: %s: QEMU does not hear of its new configuration", v->dev->ops->name);
}

/* The driver broke a rule. We may be amid a ring's work: no more is taken, and that is all. */
static void on_broken(void *front, const char *why)
{
	struct vhost_rings *v = front;
	unsigned int i;

	for (i = 0; i < v->dev->ops->rings; i++) {
		if (!v->dev->ring[i].running)
			continue;
		v->dev->ring[i].vq.broken = true;
		v->dev->ring[i].vq.why = why;
		signal_fd(v->ring[i].err);
	}
}

/* -- start and stop -- */

static void stop(struct vhost_rings *v, unsigned int i)
{
	if (v->dev->ring[i].running)
		v->ring[i].base = v->ring[i].left_at = virtio_ring_stop(v->dev, i);
}

static void stop_all(struct vhost_rings *v)
{
	unsigned int i;

	for (i = 0; i < v->dev->ops->rings; i++)
		stop(v, i);
}

/* Forget the kick of a ring that is stopped. */
static void drop_kick(struct vhost_ring *r)
{
	cleanup_fd(&r->kick);
	r->has &= ~(unsigned int)HAS_KICK;
}

static int start(struct vhost_rings *v, unsigned int i, struct vhost_msg *m)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct vhost_ring *r = &v->ring[i];
	struct virtio_ring_setup setup = { .at.size = r->num, .base = r->base, .kick = r->kick };
	int err;

	if (!vhost_mem_gpa(&v->mem, r->desc, &setup.at.desc) ||
	    !vhost_mem_gpa(&v->mem, r->avail, &setup.at.avail) ||
	    !vhost_mem_gpa(&v->mem, r->used, &setup.at.used))
		return vhost_msg_bad(m, "a ring outside its memory table");
	err = virtio_ring_start(v->dev, i, &setup);
	if (!err)
		return 0;
	/* The driver chose the place: that is its affair, and this ring's alone. */
	warn_limited(&limit, "%s: queue %u cannot be started: %s", v->dev->ops->name, i, errstr(err));
	signal_fd(r->err);
	drop_kick(r);
	return 0;
}

/* Whether all rings are to begin anew, and not all of them had stopped there by chance. */
static bool begins_anew(const struct vhost_rings *v)
{
	bool moved = false;
	unsigned int i;

	for (i = 0; i < v->dev->ops->rings; i++) {
		if (v->ring[i].base)
			return false;
		moved |= v->ring[i].left_at != 0;
	}
	return moved;
}

/* The model hears of a driver's reset, of which QEMU tells by nothing else. */
static void hear_reset(struct vhost_rings *v)
{
	unsigned int i;

	if (vhost_rings_run(v) || !begins_anew(v))
		return;
	for (i = 0; i < v->dev->ops->rings; i++)
		v->ring[i].left_at = 0;
	if (v->dev->ops->reset)
		v->dev->ops->reset(v->dev);
}

/* Have a ring run if it may, and stop if it may not. */
static int update(struct vhost_rings *v, unsigned int i, struct vhost_msg *m)
{
	struct vhost_ring *r = &v->ring[i];
	bool wanted = (r->enabled || v->always_enabled) && r->has == HAS_ALL && v->mem.gmem.count;

	if (!wanted)
		stop(v, i);
	if (!wanted || v->dev->ring[i].running)
		return 0;
	hear_reset(v);
	return start(v, i, m);
}

/**
 * vhost_rings_update() - what rings have in common has changed: start those that now may run
 * @v: rings
 * @m: the message that changed it
 * Return: 0; -EPROTO as vhost_msg_bad().
 */
int vhost_rings_update(struct vhost_rings *v, struct vhost_msg *m)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < v->dev->ops->rings; i++)
		err = update(v, i, m);
	return err;
}

/** vhost_rings_run() - whether any ring runs. @v: rings. Return: so. */
bool vhost_rings_run(const struct vhost_rings *v)
{
	unsigned int i;

	for (i = 0; i < v->dev->ops->rings; i++)
		if (v->dev->ring[i].running)
			return true;
	return false;
}

/** vhost_rings_disable() - stop all rings until they get a new kick and are enabled. @v: rings. */
void vhost_rings_disable(struct vhost_rings *v)
{
	unsigned int i;

	stop_all(v);
	for (i = 0; i < VIRTIO_RINGS_MAX; i++) {
		v->ring[i].enabled = false;
		drop_kick(&v->ring[i]);
	}
}

/** vhost_rings_end() - stop all rings and let go of all that QEMU gave. @v: rings. */
void vhost_rings_end(struct vhost_rings *v)
{
	unsigned int i;

	vhost_rings_disable(v);
	for (i = 0; i < VIRTIO_RINGS_MAX; i++) {
		cleanup_fd(&v->ring[i].call);
		cleanup_fd(&v->ring[i].err);
	}
	vhost_mem_unmap(&v->mem);
}

/* -- messages -- */

/**
 * vhost_rings_set_memory() - SET_MEM_TABLE
 * @v: rings; those that run go on in the new memory
 * @m: the message
 * Return: 0; -EPROTO as vhost_msg_bad(); -ENOMEM.
 */
int vhost_rings_set_memory(struct vhost_rings *v, struct vhost_msg *m)
{
	struct vhost_mem next = { .gmem.generation = v->mem.gmem.generation };
	int err = vhost_mem_map(&next, m->payload, m->size, m->fd, m->fds);

	if (err == -ENOMEM)
		return err;
	if (err)
		return vhost_msg_bad(m, err == -EPERM ? "its memory is no sealed memfd" :
				     "a bad memory table");
	stop_all(v);
	vhost_mem_unmap(&v->mem);
	v->mem = next;
	return vhost_rings_update(v, m);
}

/* The ring that a message is about. Return: index or -EPROTO. */
static int any_ring(const struct vhost_rings *v, struct vhost_msg *m)
{
	uint32_t i = get_le32(m->payload);

	return i < v->dev->ops->rings ? (int)i : vhost_msg_bad(m, "there is no such ring");
}

/* The same for what must not change while it runs. */
static int stopped_ring(const struct vhost_rings *v, struct vhost_msg *m)
{
	int i = any_ring(v, m);

	return i >= 0 && v->dev->ring[i].running ? vhost_msg_bad(m, "it changes a ring that runs") : i;
}

/** vhost_ring_set_num() - SET_VRING_NUM: entries. @v, @m: 8 bytes. Return: 0; -EPROTO. */
int vhost_ring_set_num(struct vhost_rings *v, struct vhost_msg *m)
{
	uint32_t num = get_le32(m->payload + 4);
	int i = stopped_ring(v, m);

	if (i < 0)
		return i;
	if (!num || num > v->dev->ops->ring_size[i] || num > VIRTQ_SIZE_MAX || (num & (num - 1)))
		return vhost_msg_bad(m, "a ring of a size that was not offered");
	v->ring[i].num = (uint16_t)num;
	v->ring[i].has |= HAS_NUM;
	return update(v, (unsigned int)i, m);
}

/** vhost_ring_set_addr() - SET_VRING_ADDR: where it is. @v, @m: 40 bytes. Return: 0; -EPROTO. */
int vhost_ring_set_addr(struct vhost_rings *v, struct vhost_msg *m)
{
	int i = stopped_ring(v, m);

	if (i < 0)
		return i;
	if (get_le32(m->payload + 4))
		return vhost_msg_bad(m, "a ring with flags");
	v->ring[i].desc = get_le64(m->payload + 8);
	v->ring[i].used = get_le64(m->payload + 16);
	v->ring[i].avail = get_le64(m->payload + 24);
	v->ring[i].has |= HAS_ADDR;
	return update(v, (unsigned int)i, m);
}

/** vhost_ring_set_base() - SET_VRING_BASE: index to go on at. @v, @m: 8 bytes. Return: 0; -EPROTO. */
int vhost_ring_set_base(struct vhost_rings *v, struct vhost_msg *m)
{
	uint32_t base = get_le32(m->payload + 4);
	int i = stopped_ring(v, m);

	if (i < 0)
		return i;
	if (base > UINT16_MAX)
		return vhost_msg_bad(m, "a ring's base that is no index");
	v->ring[i].base = (uint16_t)base;
	v->ring[i].has |= HAS_BASE;
	return update(v, (unsigned int)i, m);
}

/**
 * vhost_ring_get_base() - GET_VRING_BASE: stop a ring
 * @v: rings
 * @m: 8 bytes; nothing of the ring is in flight afterwards
 * Return: the index it would go on at; -EPROTO.
 */
int vhost_ring_get_base(struct vhost_rings *v, struct vhost_msg *m)
{
	int i = any_ring(v, m);

	if (i < 0)
		return i;
	stop(v, (unsigned int)i);
	drop_kick(&v->ring[i]);
	return v->ring[i].base;
}

/** vhost_ring_set_enable() - SET_VRING_ENABLE. @v, @m: 8 bytes. Return: 0; -EPROTO. */
int vhost_ring_set_enable(struct vhost_rings *v, struct vhost_msg *m)
{
	uint32_t on = get_le32(m->payload + 4);
	int i = any_ring(v, m);

	if (i < 0)
		return i;
	if (on > 1 || v->always_enabled)
		return vhost_msg_bad(m, "it enables a ring and did not say that it would");
	v->ring[i].enabled = on;
	return update(v, (unsigned int)i, m);
}

/* Whether it is an eventfd on which nobody is made to wait. To add 0 to one changes nothing. */
static bool is_eventfd(int fd)
{
	uint64_t zero = 0;
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK) && fstat(fd, &st) == 0 && !(st.st_mode & S_IFMT) &&
	       write(fd, &zero, sizeof(zero)) == (ssize_t)sizeof(zero);
}

/* Take a ring's eventfd. @fd: filled in, the caller's; -1: it is to have none. Return: ring; -EPROTO. */
static int take_eventfd(const struct vhost_rings *v, struct vhost_msg *m, int *fd)
{
	uint64_t value = get_le64(m->payload);
	unsigned int i = value & EVENT_RING;

	*fd = -1;
	if (value & ~(uint64_t)(EVENT_RING | EVENT_NO_FD) || i >= v->dev->ops->rings)
		return vhost_msg_bad(m, "there is no such ring");
	if (m->fds != !(value & EVENT_NO_FD))
		return vhost_msg_bad(m, "the wrong number of descriptors");
	if (m->fds && !is_eventfd(m->fd[0]))
		return vhost_msg_bad(m, "a ring's descriptor is no non-blocking eventfd");
	if (m->fds)
		*fd = steal_fd(&m->fd[0]);
	return (int)i;
}

/** vhost_ring_set_kick() - SET_VRING_KICK. @v, @m: 8 bytes and an eventfd. Return: 0; -EPROTO. */
int vhost_ring_set_kick(struct vhost_rings *v, struct vhost_msg *m)
{
	int fd, i = take_eventfd(v, m, &fd);

	if (i < 0)
		return i;
	if (fd < 0)
		return vhost_msg_bad(m, "it wants a ring to be polled");
	stop(v, (unsigned int)i);
	cleanup_fd(&v->ring[i].kick);
	v->ring[i].kick = fd;
	v->ring[i].has |= HAS_KICK;
	return update(v, (unsigned int)i, m);
}

/**
 * vhost_ring_set_call() - SET_VRING_CALL
 * @v: rings; also one that runs: so does QEMU mask and unmask its interrupt
 * @m: 8 bytes, and an eventfd or none
 * Return: 0; -EPROTO.
 */
int vhost_ring_set_call(struct vhost_rings *v, struct vhost_msg *m)
{
	int fd, i = take_eventfd(v, m, &fd);

	if (i < 0)
		return i;
	cleanup_fd(&v->ring[i].call);
	v->ring[i].call = fd;
	/* QEMU may have looked at the old one for the last time before we wrote to it. */
	if (v->dev->ring[i].running)
		signal_fd(fd);
	return 0;
}

/** vhost_ring_set_err() - SET_VRING_ERR. @v, @m: 8 bytes, and an eventfd or none. Return: 0; -EPROTO. */
int vhost_ring_set_err(struct vhost_rings *v, struct vhost_msg *m)
{
	int fd, i = take_eventfd(v, m, &fd);

	if (i < 0)
		return i;
	cleanup_fd(&v->ring[i].err);
	v->ring[i].err = fd;
	return 0;
}

/**
 * vhost_rings_init() - become a model's front end
 * @v: zeroed; filled in
 * @dev: model with no ring running, borrowed until vhost_rings_detach(); its memory is empty for now
 */
void vhost_rings_init(struct vhost_rings *v, struct virtio_dev *dev)
{
	unsigned int i;

	for (i = 0; i < VIRTIO_RINGS_MAX; i++)
		v->ring[i].kick = v->ring[i].call = v->ring[i].err = -1;
	v->always_enabled = true;
	v->dev = dev;
	v->dev_mem = dev->mem;
	dev->mem = &v->mem.gmem;
	dev->call = on_call;
	dev->config_changed = on_config_changed;
	dev->broken = on_broken;
	dev->front = v;
}

/** vhost_rings_detach() - leave the model as it was. @v: ended. */
void vhost_rings_detach(struct vhost_rings *v)
{
	v->dev->mem = v->dev_mem;
	v->dev->features = 0;
	v->dev->call = NULL;
	v->dev->config_changed = NULL;
	v->dev->broken = NULL;
	v->dev->front = NULL;
}

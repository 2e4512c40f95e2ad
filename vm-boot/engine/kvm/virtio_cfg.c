// SPDX-License-Identifier: ISC
/*
 * virtio_cfg.c - the registers by which a driver sets a virtio device up (virtio 1.2 §4.1.4.3).
 *
 * What the driver writes is checked here, once, and reaches the model as features and ring set-ups.
 * Device status (§2.1):
 *
 *	0		reset: features and queues may be set up
 *	FEATURES_OK	taken only for a subset of what we offer that has VERSION_1; then features
 *			are settled and queues may be enabled
 *	DRIVER_OK	the enabled queues run
 *	NEEDS_RESET	ours: the driver broke a rule; nothing but a reset helps
 *
 * @lock guards the registers against several vCPUs. The model's worker never takes it: what it
 * reports (interrupt, configuration change, broken) touches atomics and the MSI-X table alone, since
 * a vCPU holds the lock while it starts or stops a ring as the worker.
 */
#include "virtio_cfg.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "log.h"
#include "util.h"

enum { STATUS_FEATURES_OK = 8, STATUS_DRIVER_OK = 4, STATUS_NEEDS_RESET = 64 };
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

/* struct virtio_pci_common_cfg, §4.1.4.3 */
enum {
	C_DFSELECT = 0, C_DF = 4, C_GFSELECT = 8, C_GF = 12, C_CONFIG_VECTOR = 16, C_NUM_QUEUES = 18,
	C_STATUS = 20, C_GENERATION = 21, C_Q_SELECT = 22, C_Q_SIZE = 24, C_Q_VECTOR = 26,
	C_Q_ENABLE = 28, C_Q_NOTIFY_OFF = 30, C_Q_DESC = 32, C_Q_AVAIL = 40, C_Q_USED = 48,
};

/* -- what the model tells the driver; from its worker -- */

static void raise_queue(void *front, unsigned int ring)
{
	struct virtio_pci *p = front;

	__atomic_or_fetch(&p->isr, ISR_QUEUE, __ATOMIC_RELAXED);
	msix_signal(&p->msix, __atomic_load_n(&p->queue[ring].vector, __ATOMIC_RELAXED));
}

static void raise_config(void *front)
{
	struct virtio_pci *p = front;

	__atomic_add_fetch(&p->generation, 1, __ATOMIC_RELEASE);
	__atomic_or_fetch(&p->isr, ISR_CONFIG, __ATOMIC_RELAXED);
	if (__atomic_load_n(&p->status, __ATOMIC_RELAXED) & STATUS_DRIVER_OK)
		msix_signal(&p->msix, __atomic_load_n(&p->config_vector, __ATOMIC_RELAXED));
}

static void raise_broken(void *front, const char *why)
{
	struct virtio_pci *p = front;

	(void)why;
	__atomic_or_fetch(&p->status, STATUS_NEEDS_RESET, __ATOMIC_RELAXED);
	raise_config(p);
}

/* -- queues; with the lock held -- */

static void set_ioeventfd(struct virtio_pci *p, unsigned int i, bool on)
{
	struct virtio_queue *q = &p->queue[i];
	uint64_t bar = pci_bar(&p->pci);
	struct kvm_ioeventfd io = { .fd = q->kick, .len = 0 };

	if (on && bar && !(p->dev->ops->direct & 1u << i)) {
		io.addr = bar + VIRTIO_NOTIFY + VIRTIO_NOTIFY_STEP * i;
		/* If it fails the write exits to us, which works too. */
		if (ioctl(p->vm, KVM_IOEVENTFD, &io) == 0)
			q->notify = io.addr;
	} else if (!on && q->notify) {
		io.addr = q->notify;
		io.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
		ioctl(p->vm, KVM_IOEVENTFD, &io);
		q->notify = 0;
	}
}

static void start_queue(struct virtio_pci *p, unsigned int i)
{
	struct virtio_queue *q = &p->queue[i];
	struct virtio_ring_setup setup = { .at = q->at, .base = q->base, .kick = q->kick };
	static struct log_limit limit = LOG_LIMIT_INIT;
	int err;

	set_ioeventfd(p, i, true);
	err = virtio_ring_start(p->dev, i, &setup);
	if (!err)
		return;
	warn_limited(&limit, "%s: queue %u: the guest's driver put it outside memory or gave it a "
		     "bad size", p->dev->ops->name, i);
	raise_broken(p, "queue");
}

static void start_queues(struct virtio_pci *p)
{
	unsigned int i;

	p->dev->features = p->features;
	for (i = 0; i < p->dev->ops->rings; i++)
		if (p->queue[i].enabled)
			start_queue(p, i);
}

static void stop_queues(struct virtio_pci *p)
{
	unsigned int i;

	for (i = 0; i < p->dev->ops->rings; i++) {
		p->queue[i].base = virtio_ring_stop(p->dev, i);
		set_ioeventfd(p, i, false);
	}
}

static void reset(struct virtio_pci *p)
{
	unsigned int i;

	stop_queues(p);
	virtio_reset(p->dev);
	for (i = 0; i < p->dev->ops->rings; i++) {
		struct virtio_queue *q = &p->queue[i];

		q->at = (struct virtq_layout){ .size = p->dev->ops->ring_size[i] };
		q->base = 0;
		q->enabled = false;
		__atomic_store_n(&q->vector, MSIX_NO_VECTOR, __ATOMIC_RELAXED);
	}
	p->features = 0;
	p->df_select = p->gf_select = 0;
	p->q_select = 0;
	__atomic_store_n(&p->config_vector, MSIX_NO_VECTOR, __ATOMIC_RELAXED);
	__atomic_store_n(&p->isr, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&p->status, 0, __ATOMIC_RELAXED);
}

static void write_status(struct virtio_pci *p, uint8_t v)
{
	uint8_t was = __atomic_load_n(&p->status, __ATOMIC_RELAXED);
	uint64_t offered = virtio_features(p->dev);

	if (!v) {
		reset(p);
		return;
	}
	/* §2.1.1: the driver must not clear a bit, and NEEDS_RESET is ours. */
	v = (uint8_t)((v & ~STATUS_NEEDS_RESET) | was);
	if ((v & ~was & STATUS_FEATURES_OK) &&
	    ((p->features & ~offered) || !(p->features & VIRTIO_F_VERSION_1)))
		v &= (uint8_t)~STATUS_FEATURES_OK;
	if (!(v & STATUS_FEATURES_OK))
		v &= (uint8_t)~STATUS_DRIVER_OK;
	__atomic_or_fetch(&p->status, v, __ATOMIC_RELAXED);
	if (v & ~was & STATUS_DRIVER_OK)
		start_queues(p);
}

/* -- the common configuration; with the lock held -- */

static struct virtio_queue *selected(struct virtio_pci *p)
{
	return p->q_select < p->dev->ops->rings ? &p->queue[p->q_select] : NULL;
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static void read_common(struct virtio_pci *p, uint32_t off, void *buf, size_t len)
{
	const struct virtio_queue *q = selected(p);
	uint8_t c[VIRTIO_COMMON_SIZE] = { 0 };

	put_le32(c + C_DFSELECT, p->df_select);
	put_le32(c + C_DF, feature_word(virtio_features(p->dev), p->df_select));
	put_le32(c + C_GFSELECT, p->gf_select);
	put_le32(c + C_GF, feature_word(p->features, p->gf_select));
	put_le16(c + C_CONFIG_VECTOR, __atomic_load_n(&p->config_vector, __ATOMIC_RELAXED));
	put_le16(c + C_NUM_QUEUES, (uint16_t)p->dev->ops->rings);
	c[C_STATUS] = __atomic_load_n(&p->status, __ATOMIC_RELAXED);
	c[C_GENERATION] = __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE);
	put_le16(c + C_Q_SELECT, p->q_select);
	if (q) {
		put_le16(c + C_Q_SIZE, q->at.size);
		put_le16(c + C_Q_VECTOR, q->vector);
		put_le16(c + C_Q_ENABLE, q->enabled);
		put_le16(c + C_Q_NOTIFY_OFF, p->q_select);
		put_le64(c + C_Q_DESC, q->at.desc);
		put_le64(c + C_Q_AVAIL, q->at.avail);
		put_le64(c + C_Q_USED, q->at.used);
	}
	if (off + len <= VIRTIO_COMMON_SIZE)
		memcpy(buf, c + off, len);
}

static uint16_t checked_vector(const struct virtio_pci *p, uint32_t v)
{
	return v < p->msix.vectors ? (uint16_t)v : MSIX_NO_VECTOR;
}

static void half(uint64_t *addr, uint32_t high, uint32_t v)
{
	if (high)
		*addr = (*addr & 0xffffffff) | (uint64_t)v << 32;
	else
		*addr = (*addr & ~0xffffffffULL) | v;
}

static void queue_write(struct virtio_pci *p, uint32_t off, uint32_t v, size_t len)
{
	uint8_t status = __atomic_load_n(&p->status, __ATOMIC_RELAXED);
	struct virtio_queue *q = selected(p);

	if (!q)
		return;
	if (off == C_Q_VECTOR && len == 2) {
		__atomic_store_n(&q->vector, checked_vector(p, v), __ATOMIC_RELAXED);
		return;
	}
	if (q->enabled)
		return;         /* §4.1.4.3.2: what a running queue is cannot change */
	if (off == C_Q_SIZE && len == 2) {
		if (v && v <= p->dev->ops->ring_size[p->q_select] && !(v & (v - 1)))
			q->at.size = (uint16_t)v;
	} else if (off == C_Q_ENABLE && len == 2) {
		if (v != 1 || !(status & STATUS_FEATURES_OK))
			return;
		q->enabled = true;
		if (status & STATUS_DRIVER_OK)
			start_queue(p, p->q_select);
	} else if (len == 4 && off >= C_Q_DESC && off < C_Q_AVAIL) {
		half(&q->at.desc, off - C_Q_DESC, v);
	} else if (len == 4 && off >= C_Q_AVAIL && off < C_Q_USED) {
		half(&q->at.avail, off - C_Q_AVAIL, v);
	} else if (len == 4 && off >= C_Q_USED && off < VIRTIO_COMMON_SIZE) {
		half(&q->at.used, off - C_Q_USED, v);
	}
}

static void write_common(struct virtio_pci *p, uint32_t off, uint32_t v, size_t len)
{
	bool settled = __atomic_load_n(&p->status, __ATOMIC_RELAXED) & STATUS_FEATURES_OK;

	if (off == C_DFSELECT && len == 4) {
		p->df_select = v;
	} else if (off == C_GFSELECT && len == 4) {
		p->gf_select = v;
	} else if (off == C_GF && len == 4) {
		if (!settled && p->gf_select < 2)
			half(&p->features, p->gf_select, v);
	} else if (off == C_CONFIG_VECTOR && len == 2) {
		__atomic_store_n(&p->config_vector, checked_vector(p, v), __ATOMIC_RELAXED);
	} else if (off == C_STATUS && len == 1) {
		write_status(p, (uint8_t)v);
	} else if (off == C_Q_SELECT && len == 2) {
		p->q_select = (uint16_t)v;
	} else if (off >= C_Q_SIZE) {
		queue_write(p, off, v, len);
	}
}

/** virtio_cfg_read() - a vCPU reads registers. @off, @len: any; beyond them reads as it was. */
void virtio_cfg_read(struct virtio_pci *p, uint32_t off, void *buf, size_t len)
{
	pthread_mutex_lock(&p->lock);
	read_common(p, off, buf, len);
	pthread_mutex_unlock(&p->lock);
}

/** virtio_cfg_write() - a vCPU writes a register. @off: any. @len: 1, 2, 4 or 8 bytes. */
void virtio_cfg_write(struct virtio_pci *p, uint32_t off, const void *buf, size_t len)
{
	uint32_t v[2] = { 0 };

	memcpy(v, buf, MIN(len, sizeof(v)));
	pthread_mutex_lock(&p->lock);
	write_common(p, off, v[0], MIN(len, sizeof(v[0])));
	if (len == sizeof(v))           /* a 64-bit field at once: allowed to those who can */
		write_common(p, off + 4, v[1], sizeof(v[1]));
	pthread_mutex_unlock(&p->lock);
}

/** virtio_cfg_stop() - stop the queues where they are. @p: no vCPU runs. */
void virtio_cfg_stop(struct virtio_pci *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->status & STATUS_DRIVER_OK)
		stop_queues(p);
	pthread_mutex_unlock(&p->lock);
}

/** virtio_cfg_start() - go on after virtio_cfg_stop(). @p: no vCPU runs yet. */
void virtio_cfg_start(struct virtio_pci *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->status & STATUS_DRIVER_OK)
		start_queues(p);
	pthread_mutex_unlock(&p->lock);
}

/** virtio_cfg_init() - registers as after a reset, and the model's way to the driver. @p. */
void virtio_cfg_init(struct virtio_pci *p)
{
	p->dev->front = p;
	p->dev->call = raise_queue;
	p->dev->config_changed = raise_config;
	p->dev->broken = raise_broken;
	reset(p);
}

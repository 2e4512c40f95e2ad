// SPDX-License-Identifier: ISC
/*
 * virtq.c - split virtqueues, device side (virtio 1.2 §2.7).
 *
 * Everything in a ring is the driver's and may change while we look. So each descriptor is copied
 * once and the copy is checked and used; a chain is bounded in count and in bytes; buffers that the
 * device reads come before those it writes (§2.7.4.2); each must lie whole in guest memory. A driver
 * that breaks a rule gets its queue marked broken, once and for all until reset: the device then
 * asks for a reset (DEVICE_NEEDS_RESET) and nothing else happens.
 *
 * Host pointers into the rings are looked up per batch and not kept, so that a change of the memory
 * map needs no walk over the devices.
 *
 * Ordering (§2.7.13): the driver writes descriptors, then avail->idx; we read idx with acquire. We
 * write the used element, then used->idx with release. "Do I need to interrupt" and "is there more"
 * each read what the other side wrote after our own write: a full fence stands between.
 */
#include "virtq.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "util.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct used_elem {
	uint32_t id;
	uint32_t len;
};

/* The rings' fields, little-endian as this machine is (x86 and arm64 both). */
static uint16_t *avail_flags(const struct virtq *vq)
{
	return gmem_ptr(vq->mem, vq->at.avail, 2);
}

static uint16_t *avail_idx(const struct virtq *vq)
{
	return gmem_ptr(vq->mem, vq->at.avail + 2, 2);
}

static uint16_t *avail_ring(const struct virtq *vq, uint16_t i)
{
	return gmem_ptr(vq->mem, vq->at.avail + 4 + 2ULL * i, 2);
}

static uint16_t *used_flags(const struct virtq *vq)
{
	return gmem_ptr(vq->mem, vq->at.used, 2);
}

static uint16_t *used_idx(const struct virtq *vq)
{
	return gmem_ptr(vq->mem, vq->at.used + 2, 2);
}

/* What we wait for of the driver: after the used ring. */
static uint16_t *avail_event(const struct virtq *vq)
{
	return gmem_ptr(vq->mem, vq->at.used + 4 + 8ULL * vq->at.size, 2);
}

/* What the driver waits for of us: after the available ring. */
static uint16_t *used_event(const struct virtq *vq)
{
	return gmem_ptr(vq->mem, vq->at.avail + 4 + 2ULL * vq->at.size, 2);
}

static int broke(struct virtq *vq, const char *why)
{
	vq->broken = true;
	vq->why = why;
	return -EPROTO;
}

/**
 * virtq_start() - begin to serve a ring where the driver put it
 * @vq: filled in
 * @mem: guest memory, borrowed
 * @at: size and addresses as the driver wrote them
 * @features: negotiated
 * @base: ring index to go on at; 0 for a fresh ring
 * Return: 0; -EINVAL when size or addresses break the rules: the device needs a reset.
 */
int virtq_start(struct virtq *vq, const struct gmem *mem, const struct virtq_layout *at,
		uint64_t features, uint16_t base)
{
	uint64_t n = at->size;

	if (!n || n > VIRTQ_SIZE_MAX || (n & (n - 1)))
		return -EINVAL;
	if ((at->desc & 15) || (at->avail & 1) || (at->used & 3))
		return -EINVAL;
	/* Each with its event field: then every later look-up of a field succeeds. */
	if (!gmem_ptr(mem, at->desc, 16 * n) || !gmem_ptr(mem, at->avail, 6 + 2 * n) ||
	    !gmem_ptr(mem, at->used, 6 + 8 * n))
		return -EINVAL;
	*vq = (struct virtq){
		.mem = mem,
		.at = *at,
		.features = features,
		.next_avail = base,
		.next_used = base,
	};
	return 0;
}

/** virtq_empty() - whether no request waits. @vq: running queue. Return: so. */
bool virtq_empty(struct virtq *vq)
{
	return vq->broken || __atomic_load_n(avail_idx(vq), __ATOMIC_ACQUIRE) == vq->next_avail;
}

/* Copy the descriptor @i of a table of @count at @table. */
static int get_desc(struct virtq *vq, uint64_t table, uint32_t count, uint32_t i, struct desc *d)
{
	if (i >= count)
		return broke(vq, "descriptor index out of range");
	if (gmem_read(vq->mem, table + 16ULL * i, d, sizeof(*d)))
		return broke(vq, "descriptor table outside memory");
	return 0;
}

static int add_buffer(struct virtq *vq, struct virtq_chain *c, const struct desc *d)
{
	bool write = d->flags & DESC_WRITE;
	void *host;

	if (c->out + c->in == VIRTQ_CHAIN_MAX)
		return broke(vq, "chain too long");
	if (!write && c->in)
		return broke(vq, "readable buffer after a writable one");
	host = gmem_ptr(vq->mem, d->addr, d->len);
	if (!host)
		return broke(vq, "buffer outside memory");
	c->iov[c->out + c->in] = (struct iovec){ host, d->len };
	if (write) {
		c->in++;
		c->in_len += d->len;
	} else {
		c->out++;
		c->out_len += d->len;
	}
	return 0;
}

/**
 * virtq_pop() - take the next request
 * @vq: running queue
 * @chain: filled in; complete it with virtq_push() whatever comes of it, or the driver loses the
 *	descriptors; its pointers are good until the memory map changes
 * Return: 1; 0 when there is none; -EPROTO when the driver broke a rule (@vq->why says which).
 */
int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	uint64_t table = vq->at.desc;
	uint32_t count = vq->at.size, i, seen = 0;
	bool indirect = false;
	uint16_t avail;
	struct desc d;

	if (vq->broken)
		return -EPROTO;
	avail = __atomic_load_n(avail_idx(vq), __ATOMIC_ACQUIRE);
	if (avail == vq->next_avail)
		return 0;
	if ((uint16_t)(avail - vq->next_avail) > vq->at.size)
		return broke(vq, "available index jumped");

	i = __atomic_load_n(avail_ring(vq, vq->next_avail & (vq->at.size - 1)), __ATOMIC_RELAXED);
	chain->head = (uint16_t)i;
	chain->out = chain->in = 0;
	chain->out_len = chain->in_len = 0;

	for (;;) {
		if (get_desc(vq, table, count, i, &d))
			return -EPROTO;
		if (d.flags & DESC_INDIRECT) {
			/* §2.7.5.3.1: one table, as the last descriptor of the chain. */
			if (!(vq->features & VIRTIO_F_INDIRECT_DESC) || indirect ||
			    (d.flags & DESC_NEXT) || d.len % 16 || !d.len)
				return broke(vq, "bad indirect descriptor");
			indirect = true;
			table = d.addr;
			count = d.len / 16;
			i = 0;
			seen = 0;
			continue;
		}
		if (add_buffer(vq, chain, &d))
			return -EPROTO;
		if (!(d.flags & DESC_NEXT))
			break;
		if (++seen >= count)
			return broke(vq, "chain loops");
		i = d.next;
	}
	vq->next_avail++;
	return 1;
}

/** virtq_unpop() - put the request taken last back; nothing was done with it. @vq: queue. */
void virtq_unpop(struct virtq *vq)
{
	vq->next_avail--;
}

/**
 * virtq_fill() - complete a request; the driver sees it with virtq_publish()
 * @vq: running queue
 * @head: of its chain
 * @len: bytes written to its writable buffers, from the first on
 */
void virtq_fill(struct virtq *vq, uint16_t head, uint32_t len)
{
	struct used_elem e = { head, len };
	uint64_t at = vq->at.used + 4 + 8ULL * (vq->next_used & (vq->at.size - 1));

	gmem_write(vq->mem, at, &e, sizeof(e));
	vq->next_used++;
}

/** virtq_publish() - show the driver all that was completed, at once. @vq: running queue. */
void virtq_publish(struct virtq *vq)
{
	__atomic_store_n(used_idx(vq), vq->next_used, __ATOMIC_RELEASE);
}

/** virtq_push() - complete a request. @vq, @head, @len: as virtq_fill(). */
void virtq_push(struct virtq *vq, uint16_t head, uint32_t len)
{
	virtq_fill(vq, head, len);
	virtq_publish(vq);
}

/**
 * virtq_needs_call() - whether the driver wants an interrupt for what was completed since the last
 * @vq: running queue
 * Return: so. The caller interrupts; the question is considered answered.
 */
bool virtq_needs_call(struct virtq *vq)
{
	uint16_t old = vq->signalled, event;
	bool valid = vq->signalled_valid;

	if (vq->broken)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);        /* used->idx before used_event/flags */
	if (!(vq->features & VIRTIO_F_EVENT_IDX))
		return !(__atomic_load_n(avail_flags(vq), __ATOMIC_RELAXED) & AVAIL_NO_INTERRUPT);

	vq->signalled = vq->next_used;
	vq->signalled_valid = true;
	event = __atomic_load_n(used_event(vq), __ATOMIC_RELAXED);
	/* §2.7.7.2: did next_used pass event since the last time? */
	return !valid ||
	       (uint16_t)(vq->next_used - event - 1) < (uint16_t)(vq->next_used - old);
}

/**
 * virtq_want_kick() - tell the driver whether to notify us of new requests
 * @vq: running queue
 * @wanted: when turning it on, look for requests once more afterwards: one may have come between
 */
void virtq_want_kick(struct virtq *vq, bool wanted)
{
	if (vq->broken)
		return;
	if (vq->features & VIRTIO_F_EVENT_IDX) {
		if (wanted)
			__atomic_store_n(avail_event(vq), vq->next_avail, __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(used_flags(vq), wanted ? 0 : USED_NO_NOTIFY, __ATOMIC_RELAXED);
	}
	if (wanted)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);        /* our wish before their index */
}

// SPDX-License-Identifier: ISC
/*
 * virtio_vsock.c - virtio-vsock: streams between the guest and the host's programs (virtio 1.2 §5.10).
 *
 *	virtio_vsock.c	the rings: packets in, packets out
 *	vsock_conn.c	one connection: its socket on the host, its credit, its end
 *	vsock_host.c	what the host's programs asked for: dials and listeners
 *
 * Each VM has a world of its own: the guest is CID 3, the host CID 2, whatever runs beside it. A
 * connection's host end is one end of a stream socket pair; the client holds the other.
 *
 * Ring 0 carries packets to the guest. Who has something to send stands in one queue and is served in
 * turn, a batch of buffers at a time, read from the client's socket straight into guest memory. Ring 1
 * carries the guest's packets; they are taken until 256 resets for connections that nobody knows wait for
 * buffers of ring 0: then the guest has to make room first. Ring 2, events, is never used: nothing here
 * moves to another machine yet.
 */
#include "virtio_vsock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "log.h"
#include "util.h"
#include "vsock_conn.h"
#include "worker.h"

enum { RX, TX, EVENT, RINGS };

enum {
	TURN_BYTES = 1 << 20,   /* so that the other ring gets its turn */
	BATCH_BYTES = 64 << 10, /* to one connection before the next one */
	BATCH_IOV = 64,
	TURN_FEEDS = 64,        /* packets, or batches of them */
};

static struct vsock *of(struct virtio_dev *dev)
{
	return container_of(dev, struct vsock, dev);
}

/* §5.10.4: le64 guest_cid. */
static void config_read(struct virtio_dev *dev, size_t off, void *buf, size_t len)
{
	uint8_t config[8];

	(void)dev;
	put_le64(config, VSOCK_CID_GUEST);
	memcpy(buf, config + off, len);
}

/* -- to the guest -- */

/* Copy @len bytes to the start of @chain's writable buffers, which hold as many. */
static void chain_put(const struct virtq_chain *chain, const uint8_t *data, size_t len)
{
	unsigned int i;

	for (i = chain->out; len; i++) {
		size_t n = MIN(len, chain->iov[i].iov_len);

		memcpy(chain->iov[i].iov_base, data, n);
		data += n;
		len -= n;
	}
}

/* Come back to a ring after the others had their turn. */
static void kick_self(struct vsock *v, unsigned int ring)
{
	uint64_t one = 1;

	if (write(v->dev.ring[ring].kick, &one, sizeof(one)) < 0)
		virtq_want_kick(virtio_vq(&v->dev, ring), true);
}

/* Add what @chain can hold after a header, @left bytes at most. Return: bytes; 0 when none fits. */
static size_t add_room(const struct virtq_chain *chain, struct iovec *iov, unsigned int *n, size_t left)
{
	size_t skip = VSOCK_HEADER, room = 0;
	unsigned int i;

	for (i = chain->out; i < (unsigned int)chain->out + chain->in && left && *n < BATCH_IOV; i++) {
		size_t hidden = MIN(skip, chain->iov[i].iov_len);
		size_t len = MIN(chain->iov[i].iov_len - hidden, left);

		skip -= hidden;
		if (!len)
			continue;
		iov[(*n)++] = (struct iovec){ (uint8_t *)chain->iov[i].iov_base + hidden, len };
		room += len;
		left -= len;
	}
	return room;
}

/*
 * Take a buffer for the guest that can hold @need bytes; smaller ones go back empty. @held: buffers that
 * may yet be put back, which nothing may overtake. Return: false when there is none.
 */
static bool take_buffer(struct vsock *v, struct virtq_chain *chain, size_t need, unsigned int held)
{
	struct virtq *vq = virtio_vq(&v->dev, RX);
	unsigned int i;

	/* A driver that goes on giving such gets its turn again later. */
	for (i = 0; i < vq->at.size && virtio_pop(&v->dev, RX, chain); i++) {
		if (chain->in_len >= need)
			return true;
		if (held) {
			virtq_unpop(vq);
			return false;
		}
		virtq_push(vq, chain->head, 0);
	}
	return false;
}

static void put_packet(struct vsock *v, const struct virtq_chain *chain, struct vsock_pkt *p)
{
	uint8_t header[VSOCK_HEADER];

	p->src_cid = VSOCK_CID_HOST;
	p->dst_cid = VSOCK_CID_GUEST;
	vsock_pkt_write(p, header);
	chain_put(chain, header, sizeof(header));
	virtq_push(virtio_vq(&v->dev, RX), chain->head, VSOCK_HEADER + p->len);
}

/* Send what the client wrote, several buffers at once. Return: false when there was no buffer. */
static bool feed_data(struct vsock_conn *c)
{
	struct vsock *v = c->v;
	struct iovec iov[BATCH_IOV];
	size_t room[ARRAY_SIZE(v->chain)], left = MIN(vsock_conn_credit(c), (uint32_t)BATCH_BYTES);
	unsigned int chains = 0, n = 0, used = 0;
	ssize_t len;

	while (left && n < BATCH_IOV && chains < ARRAY_SIZE(v->chain) &&
	       take_buffer(v, &v->chain[chains], VSOCK_HEADER + 1, chains)) {
		room[chains] = add_room(&v->chain[chains], iov, &n, left);
		left -= room[chains++];
	}
	if (!chains)
		return false;
	len = n ? vsock_conn_read(c, iov, n) : 0;
	for (; len > 0; used++) {
		struct vsock_pkt p;

		vsock_conn_fill(c, &p, VSOCK_OP_RW);
		p.len = (uint32_t)MIN((size_t)len, room[used]);
		put_packet(v, &v->chain[used], &p);
		len -= p.len;
	}
	for (; chains > used; chains--)
		virtq_unpop(virtio_vq(&v->dev, RX));
	return true;
}

/* Send one packet without data, the most pressing one. Return: false when there was no buffer. */
static bool feed_word(struct vsock_conn *c)
{
	static const struct {
		unsigned int owed;
		uint16_t op;
	} words[] = {
		{ OWES_RST, VSOCK_OP_RST },
		{ OWES_REQUEST, VSOCK_OP_REQUEST },
		{ OWES_RESPONSE, VSOCK_OP_RESPONSE },
		{ OWES_SHUTDOWN, VSOCK_OP_SHUTDOWN },
		{ OWES_CREDIT, VSOCK_OP_CREDIT_UPDATE },
	};
	struct virtq_chain *chain = &c->v->chain[0];
	struct vsock_pkt p;
	size_t i;

	for (i = 0; !(c->owes & words[i].owed); i++)
		continue;
	if (!take_buffer(c->v, chain, VSOCK_HEADER, 0))
		return false;
	c->owes &= ~words[i].owed;
	vsock_conn_fill(c, &p, words[i].op);
	if (words[i].op == VSOCK_OP_SHUTDOWN)
		p.flags = c->told_shut = c->client_gone ? VSOCK_SHUT_BOTH : VSOCK_SHUT_SEND;
	put_packet(c->v, chain, &p);
	if (words[i].op == VSOCK_OP_RST)
		vsock_conn_part(c);
	else
		vsock_conn_fed(c);
	return true;
}

static bool feed_reset(struct vsock *v)
{
	struct vsock_reset *r = &v->reset[v->reset_head % VSOCK_RESETS];
	struct vsock_pkt p = {
		.src_port = r->host_port, .dst_port = r->guest_port, .type = r->type, .op = VSOCK_OP_RST,
	};

	if (!take_buffer(v, &v->chain[0], VSOCK_HEADER, 0))
		return false;
	v->reset_head++;
	v->resets--;
	put_packet(v, &v->chain[0], &p);
	return true;
}

/* Serve the next in the queue. Return: false when nobody waits or no buffer is there. */
static bool feed_one(struct vsock *v)
{
	struct vsock_conn *c;
	bool fed;

	if (v->resets)
		return feed_reset(v);
	if (v->ready.next == &v->ready)
		return false;
	c = container_of(v->ready.next, struct vsock_conn, ready);
	/* Its end comes after its bytes. */
	if (c->owes & (OWES_RST | OWES_REQUEST | OWES_RESPONSE) || !vsock_conn_has_data(c))
		return feed_word(c);
	fed = feed_data(c);
	if (fed)
		vsock_conn_fed(c);
	return fed;
}

/**
 * vsock_feed() - send the guest what there is, as far as it has buffers
 * @v: device; called as its worker
 */
void vsock_feed(struct vsock *v)
{
	struct virtq *vq = virtio_vq(&v->dev, RX);
	unsigned int fed = 0, rounds;

	if (!vq)
		return;
	virtq_want_kick(vq, false);
	for (rounds = 0; rounds < TURN_FEEDS; rounds++) {
		while (fed < TURN_FEEDS && feed_one(v))
			fed++;
		if (fed == TURN_FEEDS)
			break;
		if (!v->resets && v->ready.next == &v->ready)
			break;
		virtq_want_kick(vq, true);
		if (virtq_empty(vq))
			break;
		virtq_want_kick(vq, false);     /* one came between */
	}
	if (fed == TURN_FEEDS || rounds == TURN_FEEDS)
		kick_self(v, RX);
	if (fed)
		virtio_call(&v->dev, RX);
}

/** vsock_reset() - refuse a packet. @v: fewer than VSOCK_RESETS wait. @host_port, @guest_port, @type: its. */
void vsock_reset(struct vsock *v, uint32_t host_port, uint32_t guest_port, uint16_t type)
{
	v->reset[(v->reset_head + v->resets++) % VSOCK_RESETS] =
		(struct vsock_reset){ host_port, guest_port, type };
}

/* -- from the guest -- */

/* Copy the header off @chain. @iov, @n: set to the @len bytes behind it. Return: whether all is there. */
static bool take_header(struct virtq_chain *chain, struct vsock_pkt *p, struct iovec **iov, unsigned int *n)
{
	uint8_t header[VSOCK_HEADER];
	size_t got = 0, left;
	unsigned int i = 0;

	if (chain->out_len < VSOCK_HEADER)
		return false;
	while (got < VSOCK_HEADER) {
		struct iovec *v = &chain->iov[i];
		size_t part = MIN(VSOCK_HEADER - got, v->iov_len);

		memcpy(header + got, v->iov_base, part);
		got += part;
		v->iov_base = (uint8_t *)v->iov_base + part;
		v->iov_len -= part;
		if (!v->iov_len)
			i++;
	}
	vsock_pkt_read(p, header);
	if (p->len > chain->out_len - VSOCK_HEADER)
		return false;
	*iov = chain->iov + i;
	for (left = p->len, *n = 0; left; (*n)++) {
		struct iovec *v = &(*iov)[*n];

		v->iov_len = MIN(v->iov_len, left);
		left -= v->iov_len;
	}
	return true;
}

static void take_packet(struct vsock *v, struct virtq_chain *chain)
{
	struct vsock_conn *c;
	struct iovec *iov;
	struct vsock_pkt p;
	unsigned int n;

	if (!take_header(chain, &p, &iov, &n) || p.src_cid != VSOCK_CID_GUEST ||
	    p.dst_cid != VSOCK_CID_HOST)
		return;
	c = p.type == VSOCK_TYPE_STREAM ? vsock_find(v, p.dst_port, p.src_port) : NULL;
	if (c)
		vsock_conn_packet(c, &p, iov, n);
	else if (p.op != VSOCK_OP_RST && !(p.op == VSOCK_OP_REQUEST && vsock_host_request(v, &p)))
		vsock_reset(v, p.dst_port, p.src_port, p.type);
}

static void take_packets(struct vsock *v)
{
	struct virtq *vq = virtio_vq(&v->dev, TX);
	struct virtq_chain chain;
	size_t turn = 0;

	if (!vq)
		return;
	virtq_want_kick(vq, false);
	while (turn < TURN_BYTES && v->resets < VSOCK_RESETS) {
		if (!virtio_pop(&v->dev, TX, &chain)) {
			virtq_want_kick(vq, true);
			if (virtq_empty(vq))
				break;
			virtq_want_kick(vq, false);
			continue;       /* one came between */
		}
		turn += VSOCK_HEADER + (size_t)MIN(chain.out_len, (uint64_t)TURN_BYTES);
		take_packet(v, &chain);
		virtq_push(vq, chain.head, 0);
	}
	v->stuck = v->resets == VSOCK_RESETS;
	if (turn)
		virtio_call(&v->dev, TX);
	if (turn >= TURN_BYTES)
		kick_self(v, TX);
}

static void kicked(struct virtio_dev *dev, unsigned int ring)
{
	struct vsock *v = of(dev);

	if (ring == RX)
		vsock_feed(v);
	/* Room for resets: the guest's packets, which were left alone, may come again. */
	if (ring == TX || (v->stuck && v->resets < VSOCK_RESETS)) {
		take_packets(v);
		vsock_feed(v);
	}
}

/* What the guest sent before it stopped is its clients'. */
static void stopping(struct virtio_dev *dev, unsigned int ring)
{
	struct vsock *v = of(dev);
	struct virtq *vq = virtio_vq(dev, TX);
	unsigned int i;

	for (i = 0; ring == TX && i < vq->at.size && !virtq_empty(vq) && v->resets < VSOCK_RESETS; i++)
		take_packets(v);
}

static void reset(struct virtio_dev *dev)
{
	vsock_host_down(of(dev), -ECONNRESET);
}

static const struct virtio_ops vsock_ops = {
	.name = "virtio-vsock",
	.id = VIRTIO_ID_VSOCK,
	.pci_class = { 0x02, 0x80, 0x00 },      /* other network controller */
	.rings = RINGS,
	.ring_size = { 256, 256, 16 },
	.config_len = 8,
	.config_read = config_read,
	.stopping = stopping,
	.kicked = kicked,
	.reset = reset,
};

/**
 * vsock_new() - a vsock device
 * @mem, @w: borrowed
 * Return: the device, freed with vsock_free(); NULL with errno.
 */
struct vsock *vsock_new(const struct gmem *mem, struct worker *w)
{
	struct vsock *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->event < 0) {
		free(v);
		return NULL;
	}
	vsock_link_init(&v->all);
	vsock_link_init(&v->ready);
	virtio_init(&v->dev, &vsock_ops, mem, w);
	vsock_host_init(v);
	return v;
}

/** vsock_free() - free a device whose rings are stopped, and its worker with it. @v: may be NULL. */
void vsock_free(struct vsock *v)
{
	if (!v)
		return;
	vsock_host_down(v, -ESHUTDOWN);
	vsock_host_free(v);
	close(v->event);
	free(v);
}

/** vsock_dev() - the device as a front end takes it. @v. Return: borrowed. */
struct virtio_dev *vsock_dev(struct vsock *v)
{
	return &v->dev;
}

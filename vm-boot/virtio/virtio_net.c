// SPDX-License-Identifier: ISC
/*
 * virtio_net.c - virtio-net: a network card whose cable is a frames socket (virtio 1.2 §5.1).
 *
 *	peer == socket == netwire.c -- ring 0 --> guest
 *	                            <-- ring 1 --
 *
 * No offloads: a frames socket carries frames and nothing beside them, so there is nobody to tell that a checksum is
 * yet to be made or a segment to be cut, and passt and QEMU's `-netdev stream` know no more. A large MTU
 * does what offloads are for: at 65520 a segment has 64 KiB. A header of 12 bytes goes before each frame all the
 * same (§5.1.6); what a guest writes there is not looked at.
 *
 * A frame to the guest takes as many buffers as it needs (MRG_RXBUF), which the driver sees all at once. Without
 * buffers the socket is not read; when none came for NETWIRE_PATIENCE_MSEC, frames are dropped until the driver kicks.
 * Frames from the guest are taken as netwire.c takes them. Nothing is in flight between two handlers.
 *
 * The link is up while somebody holds the socket's other end; the guest hears of each change.
 */
#include "virtio_net.h"

#include <stdlib.h>

#include "loop.h"
#include "net.h"
#include "netwire.h"
#include "util.h"
#include "virtio.h"
#include "worker.h"

#define VIRTIO_NET_F_MTU (1ULL << 3)
#define VIRTIO_NET_F_MAC (1ULL << 5)
#define VIRTIO_NET_F_MRG_RXBUF (1ULL << 15)
#define VIRTIO_NET_F_STATUS (1ULL << 16)

enum { RX, TX, RINGS };

enum {
	RING_SIZE = 256,
	HEADER = 12,            /* struct virtio_net_hdr_mrg_rxbuf */
	NUM_BUFFERS = 10,       /* where in it */
	ETHERNET_MIN = 14,
	LINK_UP = 1,
	TURN_FRAMES = 256,      /* so that the other ring, and other cards, get their turn */
};

struct virtio_net {
	struct virtio_dev dev;
	struct virtio_ops ops;          /* ours but for what features depend on the card */
	struct virtio_net_card card;
	uint16_t status;                /* atomic */
	struct netwire wire;
	void (*lost)(void *arg);
	void *arg;
	int starved_timer;
	bool starved;                   /* a frame waits for buffers; they are wanted */
	bool deaf;                      /* ... for too long: frames are dropped */
	struct virtq_chain first, more; /* scratch */
	struct {
		uint16_t head;
		uint32_t len;
	} used[RING_SIZE];
};

static struct virtio_net *of(struct virtio_dev *dev)
{
	return container_of(dev, struct virtio_net, dev);
}

/* §5.1.4: mac, le16 status, le16 max_virtqueue_pairs, le16 mtu. */
static void config_read(struct virtio_dev *dev, size_t off, void *buf, size_t len)
{
	const struct virtio_net *n = of(dev);
	uint8_t config[12] = { 0 };

	memcpy(config, n->card.mac, sizeof(n->card.mac));
	put_le16(config + 6, __atomic_load_n(&n->status, __ATOMIC_RELAXED));
	put_le16(config + 8, 1);
	put_le16(config + 10, n->card.mtu);
	memcpy(buf, config + off, len);
}

static void set_link(struct virtio_net *n, uint16_t status)
{
	__atomic_store_n(&n->status, status, __ATOMIC_RELAXED);
	if (n->dev.config_changed)
		n->dev.config_changed(n->dev.front);
}

/* Come back to a ring after the others had their turn. */
static void kick_self(struct virtio_net *n, unsigned int ring)
{
	uint64_t one = 1;

	if (write(n->dev.ring[ring].kick, &one, sizeof(one)) < 0)
		virtq_want_kick(virtio_vq(&n->dev, ring), true);
}

/* -- to the guest -- */

/* Copy @len bytes to what @chain has writable, from its byte @at on. */
static void chain_put(const struct virtq_chain *chain, size_t at, const uint8_t *data, size_t len)
{
	unsigned int i;

	for (i = chain->out; len; i++) {
		size_t skip = MIN(at, chain->iov[i].iov_len), part = MIN(len, chain->iov[i].iov_len - skip);

		memcpy((uint8_t *)chain->iov[i].iov_base + skip, data, part);
		at -= skip;
		data += part;
		len -= part;
	}
}

/* Take a buffer. Return: false when there is none; then the driver was told that one is wanted. */
static bool take_buffer(struct virtio_net *n, struct virtq_chain *chain)
{
	struct virtq *vq = virtio_vq(&n->dev, RX);

	if (virtio_pop(&n->dev, RX, chain))
		return true;
	virtq_want_kick(vq, true);
	if (!virtio_pop(&n->dev, RX, chain))
		return false;
	virtq_want_kick(vq, false);     /* one came between */
	return true;
}

static void put_back(struct virtio_net *n, unsigned int buffers)
{
	while (buffers--)
		virtq_unpop(virtio_vq(&n->dev, RX));
}

enum put { PUT_DONE, PUT_NEVER, PUT_LATER };

/* Show the driver a frame in @buffers buffers, whose header is to be in n->first. */
static void complete(struct virtio_net *n, unsigned int buffers)
{
	struct virtq *vq = virtio_vq(&n->dev, RX);
	uint8_t header[HEADER] = { 0 };
	unsigned int i;

	put_le16(header + NUM_BUFFERS, (uint16_t)buffers);
	chain_put(&n->first, 0, header, sizeof(header));
	for (i = 0; i < buffers; i++)
		virtq_fill(vq, n->used[i].head, n->used[i].len);
	virtq_publish(vq);
}

/* Give the guest a frame. What is written to buffers that are put back is overwritten later. */
static enum put put_frame(struct virtio_net *n, const uint8_t *frame, size_t len)
{
	const struct virtq *vq = virtio_vq(&n->dev, RX);
	bool mergeable = n->dev.features & VIRTIO_NET_F_MRG_RXBUF;
	size_t skip = HEADER;
	unsigned int buffers = 0;

	do {
		struct virtq_chain *c = buffers ? &n->more : &n->first;
		size_t part;

		if (!take_buffer(n, c)) {
			put_back(n, buffers);
			return PUT_LATER;
		}
		if (c->in_len <= skip) {
			virtio_broke(&n->dev, RX, "buffer too small for a header and a byte");
			return PUT_LATER;
		}
		part = MIN(len, (size_t)MIN(c->in_len - skip, (uint64_t)FRAMES_MAX));
		n->used[buffers].head = c->head;
		n->used[buffers++].len = (uint32_t)(skip + part);
		chain_put(c, skip, frame, part);
		frame += part;
		len -= part;
		skip = 0;
	} while (len && mergeable && buffers < vq->at.size);
	if (len) {
		put_back(n, buffers);
		return PUT_NEVER;
	}
	complete(n, buffers);
	return PUT_DONE;
}

static void starve(struct virtio_net *n)
{
	netwire_hold(&n->wire);
	if (!n->starved)
		loop_timer_set(worker_loop(n->dev.worker), n->starved_timer, NETWIRE_PATIENCE_MSEC);
	n->starved = true;
}

/* Whether the frame at hand is for nobody, or was given to the guest; it is to wait otherwise. */
static bool dispose(struct virtio_net *n, const uint8_t *frame, size_t len)
{
	enum put put = n->deaf ? PUT_NEVER : virtio_vq(&n->dev, RX) ? put_frame(n, frame, len) : PUT_LATER;

	if (put == PUT_LATER)
		starve(n);
	else if (put == PUT_NEVER)
		netwire_drop(&n->wire);
	else
		netwire_taken(&n->wire);
	return put != PUT_LATER;
}

static void give_frames(struct virtio_net *n)
{
	struct virtq *vq = virtio_vq(&n->dev, RX);
	const uint8_t *frame;
	bool given = false;
	size_t len;

	/* While no frame waits nobody needs to hear of new buffers: a kick is an exit. */
	if (vq && !n->deaf)
		virtq_want_kick(vq, false);
	netwire_turn(&n->wire);
	while (netwire_next(&n->wire, &frame, &len) && dispose(n, frame, len))
		given = true;
	if (given && vq)
		virtio_call(&n->dev, RX);
}

static void on_starved(void *arg, uint32_t events)
{
	struct virtio_net *n = arg;

	(void)events;
	if (!n->starved)
		return;
	n->deaf = true;
	give_frames(n);
}

/* The driver gave buffers, or its ring begins. */
static void fed(struct virtio_net *n)
{
	n->starved = n->deaf = false;
	loop_timer_set(worker_loop(n->dev.worker), n->starved_timer, 0);
	give_frames(n);
}

/* -- from the guest -- */

/* What is behind the header of @chain. Return: how many buffers that is; 0 with a header that is cut. */
static unsigned int behind_header(struct virtq_chain *chain, struct iovec **iov)
{
	size_t skip = HEADER;
	unsigned int i = 0;

	if (chain->out_len < HEADER)
		return 0;
	while (i < chain->out && skip >= chain->iov[i].iov_len)
		skip -= chain->iov[i++].iov_len;
	if (i == chain->out)
		return 0;
	chain->iov[i].iov_base = (uint8_t *)chain->iov[i].iov_base + skip;
	chain->iov[i].iov_len -= skip;
	*iov = chain->iov + i;
	return chain->out - i;
}

static void take_frame(struct virtio_net *n, struct virtq_chain *chain)
{
	struct iovec *iov;
	unsigned int parts = behind_header(chain, &iov);

	if (!parts || chain->out_len < HEADER + ETHERNET_MIN || chain->out_len > HEADER + FRAMES_MAX || chain->in)
		virtio_broke(&n->dev, TX, "what it sends is no frame");
	else
		netwire_put(&n->wire, iov, parts);
}

static void take_frames(struct virtio_net *n)
{
	struct virtq *vq = virtio_vq(&n->dev, TX);
	unsigned int frames = 0;

	if (!vq)
		return;
	virtq_want_kick(vq, false);
	while (frames < TURN_FRAMES && netwire_takes(&n->wire)) {
		if (!virtio_pop(&n->dev, TX, &n->first)) {
			virtq_want_kick(vq, true);
			if (virtq_empty(vq))
				break;
			virtq_want_kick(vq, false);
			continue;       /* one came between */
		}
		take_frame(n, &n->first);
		virtq_fill(vq, n->first.head, 0);
		frames++;
	}
	if (!frames)
		return;
	virtq_publish(vq);
	if (frames == TURN_FRAMES)
		kick_self(n, TX);
	netwire_flush(&n->wire);
	virtio_call(&n->dev, TX);
}

static void kicked(struct virtio_dev *dev, unsigned int ring)
{
	if (ring == RX)
		fed(of(dev));
	else
		take_frames(of(dev));
}

static const struct virtio_ops net_ops = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.pci_class = { 0x02, 0x00, 0x00 },      /* Ethernet controller */
	.rings = RINGS,
	.ring_size = { RING_SIZE, RING_SIZE },
	.features = VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_MRG_RXBUF,
	.config_len = 12,
	.config_read = config_read,
	.kicked = kicked,
};

/* -- the wire's callbacks -- */

static void on_came(void *arg)
{
	give_frames(arg);
}

static void on_room(void *arg)
{
	take_frames(arg);
}

static void on_gone(void *arg)
{
	struct virtio_net *n = arg;

	set_link(n, 0);
	n->lost(n->arg);
}

/**
 * virtio_net_new() - a network card with no cable in it
 * @mem, @w: borrowed
 * @card: copied
 * @lost, @arg: called as the worker when the peer has left
 * Return: the device, freed with virtio_net_free(); NULL with errno.
 */
struct virtio_net *virtio_net_new(const struct gmem *mem, struct worker *w, const struct virtio_net_card *card,
				  void (*lost)(void *arg), void *arg)
{
	struct virtio_net *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->ops = net_ops;
	n->ops.features |= card->mtu ? VIRTIO_NET_F_MTU : 0;
	n->card = *card;
	n->lost = lost;
	n->arg = arg;
	virtio_init(&n->dev, &n->ops, mem, w);
	n->starved_timer = loop_timer(worker_loop(w), on_starved, n);
	if (netwire_init(&n->wire, w) < 0 || n->starved_timer < 0) {
		virtio_net_free(n);
		return NULL;
	}
	n->wire.came = on_came;
	n->wire.room = on_room;
	n->wire.gone = on_gone;
	n->wire.arg = n;
	return n;
}

/** virtio_net_free() - free a card whose rings and worker are stopped. @n: may be NULL. */
void virtio_net_free(struct virtio_net *n)
{
	if (!n)
		return;
	netwire_free(&n->wire);
	loop_timer_del(worker_loop(n->dev.worker), &n->starved_timer);
	free(n);
}

/** virtio_net_dev() - the card as a front end takes it. @n. Return: borrowed. */
struct virtio_dev *virtio_net_dev(struct virtio_net *n)
{
	return &n->dev;
}

/**
 * virtio_net_attach() - put the cable in
 * @net: the card, without a peer; as its worker
 * @fd: connected stream socket, consumed
 * Return: 0 or -errno.
 */
int virtio_net_attach(void *net, int *fd)
{
	struct virtio_net *n = net;
	int err = netwire_attach(&n->wire, fd);

	if (!err)
		set_link(n, LINK_UP);
	return err;
}

/** virtio_net_counts() - what passed. @net: the card; as its worker. @counts: filled in, as the guest sees it. */
void virtio_net_counts(void *net, struct net_counts *counts)
{
	const struct netwire *w = &((struct virtio_net *)net)->wire;

	*counts = (struct net_counts){
		.up = w->fd >= 0, .in = w->in.frames, .out = w->out.frames, .dropped = w->dropped + w->out.dropped,
	};
}

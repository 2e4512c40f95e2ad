// SPDX-License-Identifier: ISC
/*
 * virtio_console.c - virtio-console: one port, resizable (virtio 1.2 §5.3).
 *
 * Without MULTIPORT: Linux ignores the size in the configuration otherwise. Ring 0 carries input to
 * the guest, ring 1 its output. Output is taken as long as the sink has room; input is taken from
 * the sink as buffers are there for it. Every descriptor taken is given back at once: nothing is
 * ever in flight between two handlers.
 *
 * Linux prints a line in two pieces and polls the used ring for each before it goes on; nobody waits
 * for the interrupt. So output is taken on the vCPU that kicked. Readers get what is printed at once
 * when it was quiet before, and gathered over 4 ms when it was not; interrupts are gathered, too.
 */
#include <assert.h>
#include <stdlib.h>

#include "virtio_console.h"
#include "loop.h"
#include "port.h"
#include "util.h"
#include "virtio.h"
#include "worker.h"

#define VIRTIO_CONSOLE_F_SIZE (1ULL << 0)

enum { RX, TX, RINGS };

enum {
	TURN_BYTES = 256 << 10, /* so that another device on the worker gets its turn */
	GATHER_MSEC = 4,        /* how long readers and interrupt may wait for more output */
};

struct console {
	struct virtio_dev dev;
	struct port_sink sink;
	int gather_timer;               /* armed while @gathering */
	bool gathering;
	bool unread;                    /* output was taken and readers not told */
	bool called_for;                /* buffers were given back and the driver not told */
	uint32_t size;                  /* rows << 16 | cols: one word, so that both change at once */
};

static struct console *of(struct virtio_dev *dev)
{
	return container_of(dev, struct console, dev);
}

/* §5.3.4: le16 cols, le16 rows, le32 max_nr_ports, le32 emerg_wr. */
static void config_read(struct virtio_dev *dev, size_t off, void *buf, size_t len)
{
	uint8_t config[12] = { 0 };

	put_le32(config, __atomic_load_n(&of(dev)->size, __ATOMIC_RELAXED));
	memcpy(buf, config + off, len);
}

static void tell_readers(struct console *c)
{
	if (!c->unread)
		return;
	c->unread = false;
	c->sink.flush(c->sink.arg);
}

static void tell_driver(struct console *c)
{
	if (!c->called_for)
		return;
	c->called_for = false;
	virtio_call(&c->dev, TX);
}

/* Output was taken: tell readers now if it was quiet before, else with what follows. */
static void gather(struct console *c)
{
	if (c->gathering)
		return;
	tell_readers(c);
	c->gathering = true;
	loop_timer_set(worker_loop(c->dev.worker), c->gather_timer, GATHER_MSEC);
}

static void on_gather_timer(void *arg, uint32_t events)
{
	struct console *c = arg;

	(void)events;
	c->gathering = false;
	tell_driver(c);
	if (c->unread)
		gather(c);
}

/* What room the sink has; it may have none only because readers were not told of what there is. */
static size_t room_for_output(struct console *c)
{
	size_t room = c->sink.room(c->sink.arg);

	if (room || !c->unread)
		return room;
	tell_readers(c);
	return c->sink.room(c->sink.arg);
}

/* @last: the ring stops: take everything, room or not. */
static void take_output(struct console *c, bool last)
{
	struct virtq *vq = virtio_vq(&c->dev, TX);
	struct virtq_chain chain;
	size_t turn = 0;

	if (!vq)
		return;
	virtq_want_kick(vq, false);
	while (turn < TURN_BYTES) {
		size_t room = last ? TURN_BYTES : room_for_output(c);
		unsigned int i;

		if (!room)
			break;
		if (!virtio_pop(&c->dev, TX, &chain)) {
			virtq_want_kick(vq, true);
			if (virtq_empty(vq))
				break;
			virtq_want_kick(vq, false);
			continue;       /* one came between */
		}
		for (i = 0; i < chain.out; i++) {
			/* A buffer beyond any console's is cut, not obeyed. */
			size_t len = MIN(chain.iov[i].iov_len, room);

			c->sink.write(c->sink.arg, chain.iov[i].iov_base, len);
			room -= len;
			turn += len;
		}
		virtq_push(vq, chain.head, 0);
		turn += 16;     /* an empty request is work, too */
		c->unread = c->called_for = true;
	}
	if (turn)
		gather(c);
	if (turn >= TURN_BYTES) {
		uint64_t one = 1;

		if (write(c->dev.ring[TX].kick, &one, sizeof(one)) < 0)
			virtq_want_kick(vq, true);
	}
}

/* Put one piece of input in @chain. Return bytes; 0 when none waits. */
static size_t fill(struct console *c, const struct virtq_chain *chain)
{
	uint8_t buf[512];
	size_t len = c->sink.input(c->sink.arg, buf, MIN(sizeof(buf), (size_t)chain->in_len));
	size_t done = 0;
	unsigned int i;

	for (i = chain->out; done < len; i++) {
		size_t n = MIN(len - done, chain->iov[i].iov_len);

		memcpy(chain->iov[i].iov_base, buf + done, n);
		done += n;
	}
	return len;
}

static void give_input(struct console *c)
{
	struct virtq *vq = virtio_vq(&c->dev, RX);
	struct virtq_chain chain;
	unsigned int turn = 0;

	if (!vq)
		return;
	/* While no input waits nobody needs to hear of new buffers: a kick is an exit. */
	virtq_want_kick(vq, false);
	while (turn < vq->at.size) {
		size_t len;

		if (!virtio_pop(&c->dev, RX, &chain)) {
			virtq_want_kick(vq, true);
			if (virtq_empty(vq))
				break;
			continue;       /* one came between */
		}
		len = fill(c, &chain);
		if (!len && chain.in_len) {
			virtq_unpop(vq);
			break;
		}
		virtq_push(vq, chain.head, (uint32_t)len);
		turn++;
	}
	if (turn)
		virtio_call(&c->dev, RX);
}

static void kicked(struct virtio_dev *dev, unsigned int ring)
{
	if (ring == TX)
		take_output(of(dev), false);
	else
		give_input(of(dev));
}

static void started(struct virtio_dev *dev, unsigned int ring)
{
	struct console *c = of(dev);

	if (ring == RX && c->sink.up)
		c->sink.up(c->sink.arg);
}

static void stopping(struct virtio_dev *dev, unsigned int ring)
{
	if (ring != TX)
		return;
	take_output(of(dev), true);
	tell_readers(of(dev));
	tell_driver(of(dev));
}

static const struct virtio_ops console_ops = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.pci_class = { 0x07, 0x80, 0x00 },      /* other communication device */
	.rings = RINGS,
	.direct = 1u << TX,
	.ring_size = { 64, 64 },
	.features = VIRTIO_CONSOLE_F_SIZE,
	.config_len = 12,
	.config_read = config_read,
	.started = started,
	.kicked = kicked,
	.stopping = stopping,
};

/**
 * virtio_console_new() - a console device
 * @mem, @w: borrowed
 * @sink: copied; its functions are called as the worker
 * Return: the device, freed with virtio_console_free(), or NULL.
 */
struct virtio_dev *virtio_console_new(const struct gmem *mem, struct worker *w,
				      const struct port_sink *sink)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	virtio_init(&c->dev, &console_ops, mem, w);
	c->sink = *sink;
	c->gather_timer = loop_timer(worker_loop(w), on_gather_timer, c);
	if (c->gather_timer < 0) {
		free(c);
		return NULL;
	}
	return &c->dev;
}

/** virtio_console_free() - free a console whose rings are stopped. @dev: may be NULL. */
void virtio_console_free(struct virtio_dev *dev)
{
	if (!dev)
		return;
	loop_timer_del(worker_loop(dev->worker), &of(dev)->gather_timer);
	free(of(dev));
}

/** virtio_console_input() - the sink has input. @dev: the device; called as its worker. */
void virtio_console_input(void *dev)
{
	give_input(of(dev));
}

/** virtio_console_room() - the sink has room again. @dev: the device; called as its worker. */
void virtio_console_room(void *dev)
{
	take_output(of(dev), false);
}

/** virtio_console_resize() - tell the guest the terminal's size. @dev: from any thread. */
void virtio_console_resize(struct virtio_dev *dev, uint16_t cols, uint16_t rows)
{
	struct console *c = of(dev);
	uint32_t size = (uint32_t)rows << 16 | cols;

	if (__atomic_exchange_n(&c->size, size, __ATOMIC_RELAXED) != size)
		dev->config_changed(dev->front);
}

// SPDX-License-Identifier: ISC
/*
 * qnet.c - between a network card that QEMU has and its peer: frames are handed on, whole.
 *
 *	guest - QEMU - socket pair - here - frames socket - peer
 *
 * QEMU could hold the peer's socket itself. But a connected one never comes up again once its peer has left, a
 * listening one cannot dial or ask VM_NET, either believes any length, and a peer that does not read stops the guest's
 * transmissions for good. So QEMU's end of the pair stays for ever, and its monitor is told of the link (set_link).
 */
#include "qnet.h"

#include <errno.h>

#include "log.h"
#include "net.h"
#include "netwire.h"
#include "util.h"

struct qnet {
	struct netwire guest, peer;
	bool up;                        /* atomic */
	int event;
	void (*lost)(void *arg);
	void *arg;
};

static void pump(struct netwire *from, struct netwire *to)
{
	const uint8_t *frame;
	size_t len;

	netwire_turn(from);
	while (netwire_next(from, &frame, &len)) {
		struct iovec iov = { (void *)(uintptr_t)frame, len };

		if (!netwire_takes(to)) {
			netwire_hold(from);
			break;
		}
		netwire_put(to, &iov, 1);
		netwire_taken(from);
	}
	netwire_flush(to);
}

static void to_peer(void *arg)
{
	struct qnet *q = arg;

	pump(&q->guest, &q->peer);
}

static void to_guest(void *arg)
{
	struct qnet *q = arg;

	pump(&q->peer, &q->guest);
}

static void set_link(struct qnet *q, bool up)
{
	uint64_t one = 1;

	__atomic_store_n(&q->up, up, __ATOMIC_RELEASE);
	if (write(q->event, &one, sizeof(one)) < 0)
		debug("network: %s", errstr(errno));
}

static void on_peer_gone(void *arg)
{
	struct qnet *q = arg;

	set_link(q, false);
	q->lost(q->arg);
}

static void on_qemu_gone(void *arg)
{
	(void)arg;      /* its child's descriptor tells */
}

/**
 * qnet_new() - serve a card of QEMU's that has no peer
 * @w: worker, borrowed, not started
 * @fd: our end of a stream socket pair, consumed, on failure, too
 * @event: eventfd, borrowed, to write to when qnet_up() has changed
 * @lost, @arg: called as the worker when the peer has left
 * Return: it, freed with qnet_free(); NULL with errno.
 */
struct qnet *qnet_new(struct worker *w, int *fd, int event, void (*lost)(void *arg), void *arg)
{
	struct qnet *q = calloc(1, sizeof(*q));
	int err, err2;

	if (!q) {
		cleanup_fd(fd);
		return NULL;
	}
	q->event = event;
	q->lost = lost;
	q->arg = arg;
	err = netwire_init(&q->guest, w);
	err2 = netwire_init(&q->peer, w);
	q->guest.came = q->peer.room = to_peer;
	q->guest.room = q->peer.came = to_guest;
	q->guest.gone = on_qemu_gone;
	q->peer.gone = on_peer_gone;
	q->guest.arg = q->peer.arg = q;
	if (!err)
		err = err2 ? err2 : netwire_attach(&q->guest, fd);
	if (err) {
		cleanup_fd(fd);
		qnet_free(q);
		errno = -err;
		return NULL;
	}
	return q;
}

/** qnet_free() - free it. @q: its worker is stopped; may be NULL. */
void qnet_free(struct qnet *q)
{
	if (!q)
		return;
	netwire_free(&q->guest);
	netwire_free(&q->peer);
	free(q);
}

/** qnet_attach() - a peer is there. @qnet: without one; as its worker. @fd: consumed. Return: 0 or -errno. */
int qnet_attach(void *qnet, int *fd)
{
	struct qnet *q = qnet;
	int err = netwire_attach(&q->peer, fd);

	if (!err)
		set_link(q, true);
	return err;
}

/** qnet_counts() - what passed. @qnet: as its worker. @counts: filled in. */
void qnet_counts(void *qnet, struct net_counts *counts)
{
	const struct qnet *q = qnet;

	*counts = (struct net_counts){
		.up = qnet_up(q), .in = q->guest.out.frames, .out = q->peer.out.frames,
		.dropped = q->guest.dropped + q->guest.out.dropped + q->peer.dropped + q->peer.out.dropped,
	};
}

/** qnet_up() - whether a peer is there. @q: from any thread. Return: so. */
bool qnet_up(const struct qnet *q)
{
	return __atomic_load_n(&q->up, __ATOMIC_ACQUIRE);
}

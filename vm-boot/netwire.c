// SPDX-License-Identifier: ISC
/*
 * netwire.c - one end of a wire: a frames socket whose other end may leave, come back, and be slow.
 *
 *	ABSENT	nobody is there: what is put is dropped
 *	FLOWS	what is put goes out
 *	STUCK	the socket is full: what is put is queued, and netwire_takes() says when that is full, too
 *	DROPS	it has been so for NETWIRE_PATIENCE_MSEC, without a byte taken: what is put is dropped
 *
 *	ABSENT --attach--> FLOWS <--full, EPOLLOUT--> STUCK --time--> DROPS --EPOLLOUT--> FLOWS
 *	any of them --end, error, a length that no frame has--> ABSENT
 *
 * So a guest whose peer sleeps is held back for a moment and never for ever: a full transmit queue would be a
 * network card that hangs. What comes is read as long as somebody takes it; netwire_hold() stops that, and
 * who holds it sees to it that it does not last. A frame of which a byte went out is finished or its peer has gone.
 */
#include "netwire.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "log.h"
#include "loop.h"
#include "util.h"
#include "worker.h"

enum {
	OUT_SIZE = 256 << 10,
	GATHERED = 64 << 10,    /* queued bytes that are worth a system call */
	LARGE = 8 << 10,        /* a frame that is worth one of its own, and no copy */
	ETHERNET_HEADER = 14,
	READS = 4,              /* of up to 256 KiB each, in one turn */
};

static void rewatch(struct netwire *w)
{
	if (w->watch >= 0)
		loop_mod(worker_loop(w->worker), w->watch, (w->held ? 0 : EPOLLIN) | (w->stuck ? EPOLLOUT : 0));
}

static void set_stuck(struct netwire *w, bool stuck)
{
	w->stuck = stuck;
	if (!stuck)
		w->dropping = false;
	loop_timer_set(worker_loop(w->worker), w->timer, stuck && !w->dropping ? NETWIRE_PATIENCE_MSEC : 0);
	rewatch(w);
}

static void detach(struct netwire *w)
{
	loop_del(worker_loop(w->worker), &w->watch);
	cleanup_fd(&w->fd);
	frames_in_reset(&w->in);
	frames_out_reset(&w->out);
	w->frame = NULL;
	w->held = false;
	set_stuck(w, false);
}

/* The caller sees to it that what waited for room goes on, now to nobody. */
static void leave(struct netwire *w, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT;

	if (why)
		warn_limited(&limit, "network: the peer is cut off: %s", why);
	detach(w);
	w->gone(w->arg);
}

static void on_event(void *arg, uint32_t events)
{
	struct netwire *w = arg;

	if (events & EPOLLOUT) {
		w->stuck = w->dropping = false;
		netwire_flush(w);
		w->room(w->arg);
	}
	if (w->fd < 0)
		return;
	if (events & EPOLLIN) {
		w->came(w->arg);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		leave(w, NULL);
		w->room(w->arg);
	}
}

static void on_timer(void *arg, uint32_t events)
{
	struct netwire *w = arg;

	(void)events;
	if (!w->stuck)
		return;
	w->dropping = true;
	w->room(w->arg);
}

/**
 * netwire_init() - a wire with nobody at its end
 * @w: filled in; the caller sets came, room, gone and arg, which are called as the worker
 * @worker: who serves it, borrowed
 * Return: 0 or -errno; netwire_free() either way.
 */
int netwire_init(struct netwire *w, struct worker *worker)
{
	int err;

	*w = (struct netwire){ .worker = worker, .fd = -1, .watch = -1, .timer = -1 };
	err = frames_in_init(&w->in);
	if (!err)
		err = frames_out_init(&w->out, OUT_SIZE);
	if (!err)
		err = w->timer = loop_timer(worker_loop(worker), on_timer, w);
	return MIN(err, 0);
}

/** netwire_free() - end it. @w: initialized; its worker's thread is stopped. */
void netwire_free(struct netwire *w)
{
	if (w->timer >= 0)
		detach(w);
	loop_timer_del(worker_loop(w->worker), &w->timer);
	frames_in_free(&w->in);
	frames_out_free(&w->out);
}

/**
 * netwire_attach() - somebody is there
 * @w: with nobody; as the worker
 * @fd: connected stream socket, consumed, on failure, too
 * Return: 0 or -errno.
 */
int netwire_attach(struct netwire *w, int *fd)
{
	w->watch = loop_add(worker_loop(w->worker), *fd, EPOLLIN, on_event, w);
	if (w->watch < 0) {
		int err = w->watch;

		w->watch = -1;
		cleanup_fd(fd);
		return err;
	}
	w->fd = steal_fd(fd);
	return 0;
}

/** netwire_turn() - begin a turn: so many reads are allowed now. @w. */
void netwire_turn(struct netwire *w)
{
	w->turns = READS;
}

/**
 * netwire_next() - look at the next frame that came
 * @w: any; netwire_turn() said how much may be read
 * @frame, @len: set to it; netwire_taken() goes on, until then it is the next one
 * Return: whether there is one.
 */
bool netwire_next(struct netwire *w, const uint8_t **frame, size_t *len)
{
	while (!w->frame && w->fd >= 0) {
		int got = frames_in_next(&w->in, &w->frame, &w->len);
		ssize_t n;

		if (got > 0 && w->len >= ETHERNET_HEADER)
			break;
		if (got > 0) {
			w->frame = NULL;
			w->dropped++;
			continue;
		}
		if (!got && !w->turns)
			return false;   /* epoll knows */
		w->turns--;
		n = got ? got : frames_in_fill(&w->in, w->fd);
		if (n == -EAGAIN)
			return false;
		if (n <= 0) {
			leave(w, got ? "it sent a frame of impossible length" : NULL);
			w->room(w->arg);
			return false;
		}
	}
	*frame = w->frame;
	*len = w->len;
	return w->frame;
}

/** netwire_taken() - the frame that netwire_next() showed was taken. @w. Reading goes on. */
void netwire_taken(struct netwire *w)
{
	w->frame = NULL;
	if (w->held) {
		w->held = false;
		rewatch(w);
	}
}

/** netwire_hold() - nobody can take the next frame: read no more until netwire_taken(). @w. */
void netwire_hold(struct netwire *w)
{
	w->held = true;
	rewatch(w);
}

/** netwire_drop() - throw the next frame away. @w: netwire_next() showed one. */
void netwire_drop(struct netwire *w)
{
	w->dropped++;
	netwire_taken(w);
}

/** netwire_takes() - whether netwire_put() should be called at all. @w. Return: so. */
bool netwire_takes(const struct netwire *w)
{
	return w->fd < 0 || w->dropping || frames_out_room(&w->out);
}

/**
 * netwire_put() - send a frame; netwire_flush() after the last one
 * @w: netwire_takes() it, or it may be dropped
 * @iov, @n: the frame; one of no bytes or too many is dropped
 */
void netwire_put(struct netwire *w, const struct iovec *iov, unsigned int n)
{
	size_t len = 0;
	unsigned int i;
	int err;

	if (w->fd < 0 || w->dropping) {
		w->dropped++;
		return;
	}
	for (i = 0; i < n && len < LARGE; i++)
		len += iov[i].iov_len;
	err = len < LARGE || w->stuck ? frames_out_put(&w->out, iov, n) :
					frames_out_send(&w->out, w->fd, iov, n);
	if (err && err != -EMSGSIZE && err != -ENOBUFS)
		leave(w, NULL);
	else if (!w->stuck && w->out.len >= GATHERED)
		netwire_flush(w);
}

/**
 * netwire_flush() - send what was put
 * @w: any. When the peer is found gone here, netwire_takes() is true, and room() is not called.
 */
void netwire_flush(struct netwire *w)
{
	int err;

	if (w->fd < 0 || w->stuck)
		return;
	err = frames_out_flush(&w->out, w->fd);
	if (err < 0)
		leave(w, NULL);
	else
		set_stuck(w, err);
}

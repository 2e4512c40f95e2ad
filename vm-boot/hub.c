// SPDX-License-Identifier: ISC
/*
 * hub.c - the console's hub: one guest port, many readers.
 *
 *	guest port --hub_write()--> ring --+--> reader (socket, position of its own)
 *	           <--hub_input()-- queue <+--- reader
 *
 * What the guest prints goes into one ring; each reader follows it at its own pace over a stream
 * socket. Nobody stops the guest: a reader that lags by more than the ring loses the oldest bytes,
 * its loss is counted, and it goes on at a place that is neither inside an escape sequence nor
 * inside a character (cut.c). One reader may *hold*: while it lags by nearly the ring, hub_room() says 0 and
 * the port stops taking output from the guest; but after a second in all without catching up the
 * hold lapses and that reader loses bytes like any other, because a guest that waits for its console
 * waits with interrupts off.
 *
 * What readers type is queued, 4 KiB, until the guest's driver is up and takes it; when the queue is
 * full we stop reading from readers, and the backlog stands in their sockets.
 *
 * The hub is a worker's; attach, lost and drain may be called from any thread.
 */
#include "hub.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "cut.h"
#include "loop.h"
#include "ring.h"
#include "util.h"
#include "worker.h"

enum {
	RING_SIZE = 1 << 20,
	REPLAY_SIZE = 64 << 10,
	HOLD_MARGIN = 256 << 10,        /* room for what a port may hold when its guest ends */
	HOLD_MSEC = 1000,
	INPUT_SIZE = 4096,
	READERS_MAX = 64,
};

struct reader {
	struct hub *hub;
	int sock;                       /* -1: free slot */
	int watch;                      /* -1 while @gone and the queue is full */
	unsigned int flags;
	bool blocked;                   /* its socket is full */
	bool gone;                      /* it hung up; what it typed before may still be unread */
	bool lapsed;                    /* held too long; holds again when it has caught up */
	uint64_t owner;
	uint64_t pos;
	uint64_t lost;
};

struct hub {
	struct worker *worker;
	struct loop *loop;
	struct ring ring;
	struct hub_port port;
	bool up;
	void (*up_hook)(void *arg);
	void *up_arg;
	bool stuck;                     /* the port was told that there is no room */
	int hold_timer;
	bool draining;
	void (*drained)(void *arg);
	void *drained_arg;
	size_t queued;
	uint8_t queue[INPUT_SIZE];
	struct reader reader[READERS_MAX];
};

static void on_reader(void *arg, uint32_t events);

static uint32_t wanted(const struct reader *r)
{
	const struct hub *h = r->hub;

	/* A read-only reader's input is read too, and thrown away: its end is seen by that. */
	return (h->queued < INPUT_SIZE || (r->flags & HUB_READ_ONLY) ? EPOLLIN : 0) |
	       (r->blocked ? EPOLLOUT : 0);
}

static void rewatch(struct hub *h)
{
	int i;

	for (i = 0; i < READERS_MAX; i++)
		if (h->reader[i].watch >= 0)
			loop_mod(h->loop, h->reader[i].watch, wanted(&h->reader[i]));
}

static void drop_reader(struct reader *r)
{
	struct hub *h = r->hub;
	uint8_t waste[512];
	int i;

	loop_del(h->loop, &r->watch);
	/* Closing with input unread would give the reader ECONNRESET instead of its last bytes. */
	shutdown(r->sock, SHUT_RDWR);
	while (recv(r->sock, waste, sizeof(waste), MSG_DONTWAIT) > 0)
		continue;
	cleanup_fd(&r->sock);
	if (!h->draining || !h->drained)
		return;
	for (i = 0; i < READERS_MAX; i++)
		if (h->reader[i].sock >= 0)
			return;
	h->drained(h->drained_arg);
}

static bool holds(const struct reader *r)
{
	return r->sock >= 0 && (r->flags & HUB_HOLD) && !r->lapsed && !r->gone;
}

/** hub_room() - bytes the port may write now. @h: hub. Return: a bound, 0 to wait for room(). */
size_t hub_room(struct hub *h)
{
	int i;

	for (i = 0; i < READERS_MAX; i++) {
		struct reader *r = &h->reader[i];

		if (holds(r) && h->ring.head - r->pos > RING_SIZE - HOLD_MARGIN) {
			if (!h->stuck) {
				h->stuck = true;
				loop_timer_set(h->loop, h->hold_timer, HOLD_MSEC);
			}
			return 0;
		}
	}
	return HOLD_MARGIN;
}

static void check_room(struct hub *h)
{
	if (!h->stuck || !hub_room(h))
		return;
	h->stuck = false;
	loop_timer_set(h->loop, h->hold_timer, 0);
	if (h->port.room)
		h->port.room(h->port.arg);
}

static void on_hold_timer(void *arg, uint32_t events)
{
	struct hub *h = arg;
	int i;

	(void)events;
	for (i = 0; i < READERS_MAX; i++)
		if (holds(&h->reader[i]) && h->ring.head - h->reader[i].pos > RING_SIZE - HOLD_MARGIN)
			h->reader[i].lapsed = true;
	check_room(h);
}

/* Give a reader what its socket takes. */
static void feed(struct reader *r)
{
	struct hub *h = r->hub;
	uint64_t oldest = ring_start(&h->ring);

	while (r->pos != h->ring.head && !r->gone) {
		struct iovec iov[2];
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
		ssize_t n;

		if (r->pos < oldest) {
			uint64_t from = cut_start(&h->ring, oldest);

			r->lost += from - r->pos;
			r->pos = from;
			continue;
		}
		ring_peek(&h->ring, r->pos, iov);
		n = sendmsg(r->sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			r->blocked = true;
			return;
		}
		if (n < 0)
			r->gone = true;
		else
			r->pos += (uint64_t)n;
	}
	r->blocked = false;
	r->lapsed = false;
	if (h->draining)
		drop_reader(r);
}

/* Read what it typed, as much as there is room for. */
static void take_input(struct reader *r)
{
	struct hub *h = r->hub;
	uint8_t waste[512];
	bool ro = r->flags & HUB_READ_ONLY;
	void *buf = ro ? waste : h->queue + h->queued;
	size_t space = ro ? sizeof(waste) : INPUT_SIZE - h->queued;
	ssize_t n;

	if (!space)
		return;
	n = recv(r->sock, buf, space, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		drop_reader(r);
		return;
	}
	if (n < 0 || ro)
		return;
	h->queued += (size_t)n;
}

static void offer_input(struct hub *h)
{
	if (h->queued && h->up && h->port.input)
		h->port.input(h->port.arg);
}

static void on_reader(void *arg, uint32_t events)
{
	struct reader *r = arg;
	struct hub *h = r->hub;

	if (events & EPOLLOUT)
		feed(r);
	if (events & (EPOLLHUP | EPOLLERR))
		r->gone = true;
	/* What it typed before it left counts: it has left when there is nothing more to read. */
	if (r->sock >= 0 && (r->gone || (events & EPOLLIN)))
		take_input(r);
	offer_input(h);
	/* A hang-up is reported for ever: do not listen until there is room for the rest. */
	if (r->sock >= 0 && r->gone && h->queued == INPUT_SIZE)
		loop_del(h->loop, &r->watch);
	rewatch(h);
	check_room(h);
}

/*
 * There is room in the queue again: let readers type, and those who left have their last word. The
 * port is taking input just now and goes on until there is none: it must not be told once more.
 */
static void queue_has_room(struct hub *h)
{
	int i;

	for (i = 0; i < READERS_MAX; i++) {
		struct reader *r = &h->reader[i];

		while (r->sock >= 0 && r->watch < 0 && h->queued < INPUT_SIZE)
			take_input(r);
	}
	rewatch(h);
}

/**
 * hub_write() - what the guest printed
 * @h: hub; called as its worker
 * @buf, @len: bytes, at most hub_room() if the guest is to be held back
 *
 * Readers get them with hub_flush(): waking them is no reason to let the guest wait.
 */
void hub_write(struct hub *h, const void *buf, size_t len)
{
	ring_write(&h->ring, buf, len);
}

/** hub_flush() - give readers what was written. @h: hub; called as its worker. */
void hub_flush(struct hub *h)
{
	int i;

	for (i = 0; i < READERS_MAX; i++) {
		struct reader *r = &h->reader[i];

		if (r->sock < 0 || r->blocked || r->gone)
			continue;
		feed(r);
		if (r->watch >= 0)
			loop_mod(h->loop, r->watch, wanted(r));
	}
}

/**
 * hub_input() - take what was typed
 * @h: hub; called as its worker
 * @buf, @len: where to, at most how much
 * Return: bytes taken, 0 when nothing waits.
 */
size_t hub_input(struct hub *h, void *buf, size_t len)
{
	size_t n = MIN(len, h->queued);

	if (!n)
		return 0;
	memcpy(buf, h->queue, n);
	memmove(h->queue, h->queue + n, h->queued - n);
	h->queued -= n;
	if (h->queued + n == INPUT_SIZE)
		queue_has_room(h);
	return n;
}

/** hub_set_port() - say who the guest's side is. @h: hub. @port: copied. */
void hub_set_port(struct hub *h, const struct hub_port *port)
{
	h->port = *port;
}

/** hub_set_up_hook() - be told once, as the worker, when the port comes up. @h: hub. */
void hub_set_up_hook(struct hub *h, void (*fn)(void *arg), void *arg)
{
	h->up_hook = fn;
	h->up_arg = arg;
}

/** hub_port_up() - the guest's driver is up: give it what waits. @h: hub; called as its worker. */
void hub_port_up(struct hub *h)
{
	if (!h->up) {
		h->up = true;
		if (h->up_hook)
			h->up_hook(h->up_arg);
	}
	offer_input(h);
}

/** hub_is_up() - whether the guest's driver came up. @h: hub. Return: so. */
bool hub_is_up(struct hub *h)
{
	return h->up;
}

struct attach {
	struct hub *h;
	unsigned int flags;
	uint64_t owner;
	int sock;
	int result;
};

/* A reader that hung up may not have been noticed yet: who comes after it must not find it there. */
static void notice_end(struct reader *r)
{
	struct pollfd p = { .fd = r->sock };

	if (r->sock >= 0 && !r->gone && poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR))
		on_reader(r, EPOLLHUP);
}

static void do_attach(void *arg)
{
	struct attach *a = arg;
	struct hub *h = a->h;
	struct reader *r = NULL;
	int i;

	for (i = 0; i < READERS_MAX; i++) {
		if (a->flags & HUB_HOLD)
			notice_end(&h->reader[i]);
		if (h->reader[i].sock >= 0 && !h->reader[i].gone &&
		    (a->flags & h->reader[i].flags & HUB_HOLD)) {
			a->result = -EBUSY;
			return;
		}
		if (h->reader[i].sock < 0 && !r)
			r = &h->reader[i];
	}
	if (!r) {
		a->result = -EMFILE;
		return;
	}
	*r = (struct reader){
		.hub = h,
		.sock = a->sock,
		.watch = -1,
		.flags = a->flags,
		.owner = a->owner,
		.pos = h->ring.head,
	};
	r->watch = loop_add(h->loop, r->sock, wanted(r), on_reader, r);
	if (r->watch < 0) {
		r->sock = -1;
		a->result = r->watch;
		return;
	}
	a->sock = -1;
	if (a->flags & HUB_REPLAY) {
		uint64_t all = MIN(h->ring.head, (uint64_t)REPLAY_SIZE);

		r->pos = h->ring.head - all;
		if (r->pos)
			r->pos = cut_start(&h->ring, r->pos);
		feed(r);
		if (r->watch >= 0)
			loop_mod(h->loop, r->watch, wanted(r));
	}
}

/**
 * hub_attach() - a new reader
 * @h: hub, from any thread
 * @flags: HUB_*
 * @owner: whom hub_lost() is asked for
 * @client: set to the reader's end of its socket, the caller's
 * Return: 0; -EBUSY when another reader holds; -EMFILE when there are 64; -errno.
 */
int hub_attach(struct hub *h, unsigned int flags, uint64_t owner, int *client)
{
	struct attach a = { .h = h, .flags = flags, .owner = owner };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	a.sock = pair[0];
	worker_call(h->worker, do_attach, &a);
	cleanup_fd(&a.sock);
	if (a.result)
		close(pair[1]);
	else
		*client = pair[1];
	return a.result;
}

struct lost {
	struct hub *h;
	uint64_t owner, bytes;
};

static void do_lost(void *arg)
{
	struct lost *l = arg;
	uint64_t oldest = ring_start(&l->h->ring);
	int i;

	for (i = 0; i < READERS_MAX; i++) {
		const struct reader *r = &l->h->reader[i];

		if (r->owner != l->owner)
			continue;
		l->bytes += r->lost;
		/* Where it does not read just now, what it will find gone. */
		if (r->sock >= 0 && !r->gone && r->pos < oldest)
			l->bytes += oldest - r->pos;
	}
}

/** hub_lost() - bytes that @owner's readers lost so far. @h: hub, any thread. Return: bytes. */
uint64_t hub_lost(struct hub *h, uint64_t owner)
{
	struct lost l = { .h = h, .owner = owner };

	worker_call(h->worker, do_lost, &l);
	return l.bytes;
}

static void do_drain(void *arg)
{
	struct hub *h = arg;
	bool any = false;
	int i;

	h->draining = true;
	for (i = 0; i < READERS_MAX; i++)
		any |= h->reader[i].sock >= 0;
	if (!any)
		h->drained(h->drained_arg);
	for (i = 0; i < READERS_MAX; i++) {
		if (h->reader[i].sock < 0)
			continue;
		feed(&h->reader[i]);
		if (h->reader[i].watch >= 0)
			loop_mod(h->loop, h->reader[i].watch, wanted(&h->reader[i]));
	}
}

/**
 * hub_drain() - the guest is no more: give every reader the rest, then its end
 * @h: hub, any thread; nothing is written to it afterwards
 * @fn, @arg: called once, as the worker, when the last reader has it all or has left
 */
void hub_drain(struct hub *h, void (*fn)(void *arg), void *arg)
{
	h->drained = fn;
	h->drained_arg = arg;
	worker_call(h->worker, do_drain, h);
}

/** hub_new() - a hub on a worker that has not started. @w: borrowed. Return: hub, or NULL. */
struct hub *hub_new(struct worker *w)
{
	struct hub *h = calloc(1, sizeof(*h));
	int i;

	if (!h)
		return NULL;
	h->worker = w;
	h->loop = worker_loop(w);
	for (i = 0; i < READERS_MAX; i++)
		h->reader[i] = (struct reader){ .hub = h, .sock = -1, .watch = -1 };
	h->hold_timer = loop_timer(h->loop, on_hold_timer, h);
	if (h->hold_timer < 0 || ring_init(&h->ring, RING_SIZE) < 0) {
		loop_timer_del(h->loop, &h->hold_timer);
		free(h);
		return NULL;
	}
	return h;
}

/** hub_free() - free a hub; before its worker, whose thread has ended. @h: may be NULL. */
void hub_free(struct hub *h)
{
	int i;

	if (!h)
		return;
	h->drained = NULL;
	for (i = 0; i < READERS_MAX; i++)
		if (h->reader[i].sock >= 0)
			drop_reader(&h->reader[i]);
	loop_timer_del(h->loop, &h->hold_timer);
	ring_free(&h->ring);
	free(h);
}

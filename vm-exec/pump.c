// SPDX-License-Identifier: ISC
/*
 * pump.c - the bytes of one stream, one way.
 *
 *	from ──▶ data ──▶ to
 *
 * States: IDLE (not started), OPEN, ENDING (@from is at its end, what it gave is still to be written),
 * DONE (nothing moves any more; read_error and write_error say why).
 *
 *	IDLE	pump_start()					-> OPEN
 *	OPEN	@from ends, pump_end()				-> ENDING
 *	OPEN	@from fails, or gives more than the limit	-> DONE
 *	ENDING	all is written					-> DONE
 *	all	@to fails, pump_stop()				-> DONE
 *
 * Nothing is read before what was read is written: who takes nothing stops the reading of this stream
 * and of no other, and no more memory is used than there is here. A keyboard is the exception: its keys
 * go through a filter that looks for the escape, which must work while the guest takes nothing; what
 * then does not fit is lost.
 *
 * A file is always ready and cannot be waited for: as a source it is read whenever its other end, a
 * socket, takes something; as a destination it is written to until it has all. A descriptor that is
 * not waited for is not watched either, or its hang-up would wake us for ever.
 */
#include "pump.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "util.h"

static size_t held(const struct pump *p)
{
	return p->len - p->at;
}

static void watch(struct pump *p, int *id, int fd, uint32_t events, loop_fn *fn)
{
	if (!events)
		loop_del(p->loop, id);
	else if (*id < 0)
		*id = loop_add(p->loop, fd, events, fn, p);
}

static void on_from(void *arg, uint32_t events);
static void on_to(void *arg, uint32_t events);

static bool wants_input(const struct pump *p)
{
	return p->state == PUMP_OPEN && (!held(p) || p->filter);
}

static void update(struct pump *p)
{
	if (!p->from_ready)
		watch(p, &p->from_watch, p->from.fd, wants_input(p) ? EPOLLIN : 0, on_from);
	if (!p->to_ready)
		watch(p, &p->to_watch, p->to.fd, held(p) ? EPOLLOUT : 0, on_to);
}

static void finish(struct pump *p)
{
	pump_stop(p);
	p->done(p->arg, p);
}

static void fill(struct pump *p)
{
	uint8_t lost[256], *into;
	size_t room;
	ssize_t n;

	if (!wants_input(p))
		return;
	memmove(p->data, p->data + p->at, held(p));
	p->len = held(p);
	p->at = 0;
	into = p->len < PUMP_SIZE ? p->data + p->len : lost;
	room = p->len < PUMP_SIZE ? PUMP_SIZE - p->len : sizeof(lost);
	n = fdio_read(&p->from, into, room);
	if (n == -EAGAIN)
		return;
	if (n < 0)
		p->read_error = (int)n;
	if (n <= 0) {
		p->state = PUMP_ENDING;
		return;
	}
	p->moved += (uint64_t)n;
	if (p->filter)
		n = (ssize_t)p->filter(p->arg, into, (size_t)n);
	if (into != lost)
		p->len += (size_t)n;
}

static void drain(struct pump *p)
{
	while (held(p)) {
		ssize_t n = fdio_write(&p->to, p->data + p->at, held(p));

		if (n < 0 && n != -EAGAIN) {
			p->write_error = (int)n;
			p->at = p->len;
		}
		if (n <= 0)
			return;
		p->at += (size_t)n;
		if (!p->to_ready)
			return;
	}
}

/* After something moved: see whether this is over, and wait for what is next. */
static void settle(struct pump *p)
{
	if (p->state == PUMP_DONE)
		return;         /* the filter ended it all */
	if (p->moved > p->limit)
		p->read_error = -EOVERFLOW;
	if (p->read_error || p->write_error || (p->state == PUMP_ENDING && !held(p)))
		finish(p);
	else
		update(p);
}

static void on_from(void *arg, uint32_t events)
{
	struct pump *p = arg;

	(void)events;
	fill(p);
	/* What would not block is tried at once; the rest waits for poll's word (fdio.c). */
	if (p->state != PUMP_DONE && (p->to_ready || p->to.socket || p->to.reopened))
		drain(p);
	settle(p);
}

static void on_to(void *arg, uint32_t events)
{
	struct pump *p = arg;

	(void)events;
	drain(p);
	if (p->from_ready && !p->write_error)
		fill(p);
	settle(p);
}

/** pump_init() - nothing to pump yet. @p: filled in. */
void pump_init(struct pump *p)
{
	p->state = PUMP_IDLE;
	p->from = p->to = (struct fdio)FDIO_INIT;
	p->from_watch = p->to_watch = -1;
	p->from_ready = p->to_ready = false;
	p->moved = 0;
	p->limit = UINT64_MAX;
	p->read_error = p->write_error = 0;
	p->at = p->len = 0;
}

/* Whether a descriptor cannot be waited for. Return 1, 0 or -errno. */
static int always_ready(struct pump *p, int fd)
{
	int id = loop_add(p->loop, fd, 0, on_from, p);

	if (id < 0)
		return id == -EPERM ? 1 : id;
	loop_del(p->loop, &id);
	return 0;
}

/**
 * pump_start() - begin to move bytes
 * @p: IDLE, with @from and @to open; one of them is a socket
 * @loop: where to wait
 * @done: called once, when the pump is DONE, but not by pump_stop()
 * @filter: takes keys and leaves, in the same place, those that go on; or NULL
 * @arg: of both
 * Return: 0 or -errno.
 */
int pump_start(struct pump *p, struct loop *loop, pump_fn *done, pump_filter *filter, void *arg)
{
	int from, to;

	assert(p->state == PUMP_IDLE);
	p->loop = loop;
	from = always_ready(p, p->from.fd);
	to = always_ready(p, p->to.fd);
	if (from < 0 || to < 0)
		return MIN(from, to);
	p->from_ready = from;
	p->to_ready = to;
	p->done = done;
	p->filter = filter;
	p->arg = arg;
	p->state = PUMP_OPEN;
	if (p->from_ready)
		fill(p);
	settle(p);
	return 0;
}

/** pump_stop() - move nothing more; its descriptors stay open. @p: in whatever state; DONE afterwards. */
void pump_stop(struct pump *p)
{
	if (p->state == PUMP_OPEN || p->state == PUMP_ENDING) {
		loop_del(p->loop, &p->from_watch);
		loop_del(p->loop, &p->to_watch);
	}
	p->state = PUMP_DONE;
}

/** pump_waits() - whether it is the source that keeps it. @p: pump. Return: so. */
bool pump_waits(const struct pump *p)
{
	return p->state == PUMP_OPEN && !held(p);
}

/** pump_look() - take what is there without waiting to be told. @p: in whatever state. */
void pump_look(struct pump *p)
{
	if (pump_waits(p))
		on_from(p, 0);
}

/** pump_end() - take what is there, pass it on, and be done. @p: in whatever state. */
void pump_end(struct pump *p)
{
	pump_look(p);
	if (p->state != PUMP_OPEN)
		return;
	p->state = PUMP_ENDING;
	settle(p);
}

/** pump_limit() - expect so many bytes in all. @p: in whatever state. @limit: bytes. */
void pump_limit(struct pump *p, uint64_t limit)
{
	p->limit = limit;
	if (p->state == PUMP_OPEN && p->moved > limit) {
		p->read_error = -EOVERFLOW;
		finish(p);
	}
}

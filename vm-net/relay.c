// SPDX-License-Identifier: ISC
/*
 * relay.c - pairs of stream sockets whose bytes are carried from each to the other.
 *
 *	near ---half[NEAR]---> far		near: whoever connected, or libslirp for the guest
 *	near <---half[FAR]---- far		far: the place that is connected to here
 *
 *	DIALLING --connected--> UP --both halves done--> ended (0)
 *	DIALLING, UP --the far side fails--> ended (-errno)
 *	DIALLING, UP --the near side fails--> ended (0), and the far side is reset
 *
 * A half reads while there is room in its buffer, so who does not read stops who writes. Its end of file is passed on
 * by shutdown() once the buffer is empty, and the half is done; it is done as well when its sink is gone for good. A
 * descriptor that nothing is wanted of is still watched for hang-up, and no more after it hung up: nothing spins.
 *
 * A UNIX socket whose backlog is full refuses with EAGAIN and cannot be waited for: it is tried again each RETRY_MSEC
 * for RETRIES times. A pair whose near side hung up, and whose far side has taken nothing since the last sweep, is
 * dropped.
 *
 * @done is called from the loop, and by relays_cancel(), never by relays_open().
 */
#include "relay.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>

#include "half.h"
#include "loop.h"
#include "util.h"

enum { NEAR, FAR, RETRY_MSEC = 20, RETRIES = 250, SWEEP_MSEC = 30000 };

struct relay {
	struct relays *all;
	struct relay *next, **link;
	int fd[2], watch[2];
	bool hung[2];
	struct half half[2];            /* by source */
	struct hostsock_addr to;
	uint32_t tag;
	bool dialling, due;             /* due: on_retry() has something to do for it */
	unsigned int tries;             /* that are left; 0: none is due */
	int failed;                     /* -errno, to be told */
	uint64_t swept;                 /* bytes that the far side had taken when last swept */
};

struct relays {
	struct loop *loop;
	struct relay *first;
	unsigned int count, max;
	int retry, sweep;               /* timers */
	bool retrying;
	relay_fn *done;
	void *arg;
};

/* -- ending -- */

static void drop(struct relay *r)
{
	struct relays *rs = r->all;
	int i;

	for (i = NEAR; i <= FAR; i++) {
		loop_del(rs->loop, &r->watch[i]);
		cleanup_fd(&r->fd[i]);
		free(r->half[i].buf);
	}
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	rs->count--;
	free(r);
}

/* Whether the near side has gone, so that there is nobody to tell. */
static bool near_gone(const struct relay *r)
{
	struct pollfd p = { .fd = r->fd[NEAR] };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

/* The far side failed, or all is said. */
static void finish(struct relay *r, int err)
{
	struct relays *rs = r->all;
	uint32_t tag = r->tag;

	if (err && near_gone(r))
		err = 0;
	drop(r);
	if (rs->done)
		rs->done(rs->arg, tag, err);
}

/* The near side failed: the far one gets a reset where there is such a thing, else the end. */
static void cancel(struct relay *r)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(r->fd[FAR], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	finish(r, 0);
}

/* -- carrying -- */

/* One direction, as far as it goes. Return: false when that ended the pair. */
static bool move(struct relay *r, int side)
{
	struct half *h = &r->half[side];
	int err = half_push(h, r->fd[!side]);

	if (!err) {
		err = half_pull(h, r->fd[side]);
		if (err && side == FAR) {
			finish(r, err);
			return false;
		}
		if (err) {
			cancel(r);
			return false;
		}
		err = half_push(h, r->fd[!side]);
	}
	if (err && side == FAR) {
		cancel(r);
		return false;
	}
	if (err) {
		r->failed = err == -ECONNRESET ? err : 0;
		half_drop(h);           /* what the far side has said before may still be there */
	}
	return true;
}

static void on_near(void *arg, uint32_t events);
static void on_far(void *arg, uint32_t events);

static int watch(struct relay *r, int side, uint32_t events)
{
	static loop_fn *const fn[] = { on_near, on_far };

	if (!events && r->hung[side]) {
		loop_del(r->all->loop, &r->watch[side]);
		return 0;
	}
	if (r->watch[side] >= 0) {
		loop_mod(r->all->loop, r->watch[side], events);
		return 0;
	}
	r->watch[side] = loop_add(r->all->loop, r->fd[side], events, fn[side], r);
	return MIN(r->watch[side], 0);
}

/* Wait for what can be done next. Return: 0, -errno. */
static int arm(struct relay *r)
{
	int side;

	for (side = NEAR; side <= FAR; side++) {
		const struct half *in = &r->half[side], *out = &r->half[!side];
		uint32_t events = 0;

		if (r->dialling) {
			events = side == FAR ? EPOLLOUT : 0;
		} else {
			events |= half_wants(in) ? EPOLLIN : 0;
			events |= out->len && !out->done ? EPOLLOUT : 0;
		}
		if (watch(r, side, events) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void carry(struct relay *r)
{
	int side, err;

	for (side = NEAR; side <= FAR && !r->dialling; side++)
		if (!move(r, side))
			return;
	/* Who hung up and has said all hears nothing more either. */
	for (side = NEAR; side <= FAR; side++)
		if (r->hung[side] && r->half[side].eof && !r->half[!side].done)
			half_drop(&r->half[!side]);
	if (r->half[NEAR].done && r->half[FAR].done)
		finish(r, r->failed);
	else if ((err = arm(r)) < 0)
		finish(r, err);
}

/* -- dialling -- */

static void dial(struct relay *r)
{
	int err = connect(r->fd[FAR], &r->to.sa, r->to.len) < 0 ? errno : 0;

	if (!err || err == EINPROGRESS) {
		r->dialling = err;
		r->tries = 0;
		return;
	}
	if (err == EAGAIN && r->tries > 1) {
		r->tries--;
		return;
	}
	r->failed = -err;
}

static void retry_after(struct relays *rs, unsigned int msec)
{
	rs->retrying = true;
	loop_timer_set(rs->loop, rs->retry, msec);
}

static struct relay *due(const struct relays *rs)
{
	struct relay *r = rs->first;

	while (r && !r->due)
		r = r->next;
	return r;
}

static void on_retry(void *arg, uint32_t events)
{
	struct relays *rs = arg;
	struct relay *r;
	bool again = false;

	(void)events;
	rs->retrying = false;
	for (r = rs->first; r; r = r->next) {
		if (!r->tries)
			continue;
		if (!r->failed)
			dial(r);
		r->due = r->failed || !r->tries;
		again |= !r->due;
	}
	if (again)
		retry_after(rs, RETRY_MSEC);
	/* Who hears of an end may end others. */
	while ((r = due(rs))) {
		r->due = false;
		if (r->failed)
			finish(r, r->failed);
		else
			carry(r);
	}
}

static void on_sweep(void *arg, uint32_t events)
{
	struct relays *rs = arg;
	struct relay *r, *next;

	(void)events;
	for (r = rs->first; r; r = next) {
		next = r->next;
		if (r->hung[NEAR] && r->half[NEAR].moved == r->swept)
			cancel(r);
		else
			r->swept = r->half[NEAR].moved;
	}
	if (rs->first)
		loop_timer_set(rs->loop, rs->sweep, SWEEP_MSEC);
}

static void on_near(void *arg, uint32_t events)
{
	struct relay *r = arg;

	r->hung[NEAR] |= events & (EPOLLHUP | EPOLLERR);
	carry(r);
}

static void on_far(void *arg, uint32_t events)
{
	struct relay *r = arg;
	socklen_t len = sizeof(int);
	int err = 0;

	if (r->tries)
		return;                 /* not connected, and says so all the time */
	if (r->dialling) {
		getsockopt(r->fd[FAR], SOL_SOCKET, SO_ERROR, &err, &len);
		if (err) {
			finish(r, -err);
			return;
		}
		r->dialling = false;
	}
	r->hung[FAR] |= events & (EPOLLHUP | EPOLLERR);
	carry(r);
}

/* -- the set -- */

/**
 * relays_new() - no pair yet
 * @l: borrowed for as long
 * @max: pairs at a time; each has two descriptors and, when it is used, two buffers of HALF_BUFFER
 * @done, @arg: told of each end; NULL: nobody
 * Return: it; NULL with errno.
 */
struct relays *relays_new(struct loop *l, unsigned int max, relay_fn *done, void *arg)
{
	struct relays *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return NULL;
	*rs = (struct relays){ .loop = l, .max = max, .retry = -1, .sweep = -1, .done = done, .arg = arg };
	rs->retry = loop_timer(l, on_retry, rs);
	rs->sweep = rs->retry < 0 ? rs->retry : loop_timer(l, on_sweep, rs);
	if (rs->sweep < 0) {
		errno = -rs->sweep;
		relays_free(rs);
		return NULL;
	}
	return rs;
}

/** relays_free() - close all pairs, and tell nobody. @rs: may be NULL. */
void relays_free(struct relays *rs)
{
	if (!rs)
		return;
	while (rs->first)
		drop(rs->first);
	loop_timer_del(rs->loop, &rs->retry);
	loop_timer_del(rs->loop, &rs->sweep);
	free(rs);
}

/** relays_full() - whether there are as many as may be. @rs. Return: so. */
bool relays_full(const struct relays *rs)
{
	return rs->count >= rs->max;
}

/** relays_count() - how many there are. @rs. Return: pairs. */
unsigned int relays_count(const struct relays *rs)
{
	return rs->count;
}

static struct relay *find(const struct relays *rs, uint32_t tag)
{
	struct relay *r = rs->first;

	while (r && r->tag != tag)
		r = r->next;
	return r;
}

/** relays_has() - whether there is a pair of a tag. @rs, @tag. Return: so. */
bool relays_has(const struct relays *rs, uint32_t tag)
{
	return find(rs, tag);
}

/** relays_cancel() - the near side is gone, says who knows. @rs. @tag: if there is no such pair, nothing happens. */
void relays_cancel(struct relays *rs, uint32_t tag)
{
	struct relay *r = find(rs, tag);

	if (r)
		cancel(r);
}

/* What one side says goes on at once, for it may have asked for that, and its urgent data in line. UNIX sockets do so anyway. */
static void as_it_came(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

/**
 * relays_open() - connect a socket, and carry bytes between it and another
 * @rs
 * @near: a connected stream socket; taken, -1 afterwards, on failure too
 * @far: a non-blocking stream socket, not connected; taken likewise
 * @plan: copied
 * Return: 0, also when connecting fails, which @done hears of; -EMFILE: as many as may be; -ENOMEM.
 */
int relays_open(struct relays *rs, int *near, int *far, const struct relay_plan *plan)
{
	struct relay *r = relays_full(rs) ? NULL : calloc(1, sizeof(*r));
	struct half *h = r ? r->half : NULL;

	if (h) {
		h[NEAR].buf = malloc(HALF_BUFFER);
		h[FAR].buf = malloc(HALF_BUFFER);
	}
	if (!h || !h[NEAR].buf || !h[FAR].buf) {
		if (h) {
			free(h[NEAR].buf);
			free(h[FAR].buf);
		}
		free(r);
		cleanup_fd(near);
		cleanup_fd(far);
		return relays_full(rs) ? -EMFILE : -ENOMEM;
	}
	r->all = rs;
	r->fd[NEAR] = steal_fd(near);
	r->fd[FAR] = steal_fd(far);
	r->watch[NEAR] = r->watch[FAR] = -1;
	as_it_came(r->fd[NEAR]);
	as_it_came(r->fd[FAR]);
	r->to = plan->to;
	r->tag = plan->tag;
	r->tries = RETRIES;
	r->dialling = true;
	memcpy(h[NEAR].buf, plan->head, plan->headlen);
	h[NEAR].len = plan->headlen;
	r->link = &rs->first;
	r->next = rs->first;
	if (r->next)
		r->next->link = &r->next;
	rs->first = r;
	if (!rs->count++)
		loop_timer_set(rs->loop, rs->sweep, SWEEP_MSEC);
	dial(r);
	if (!r->tries && (r->failed = arm(r)) < 0)
		r->tries = 1;
	if (r->tries && (r->failed || !rs->retrying))
		retry_after(rs, r->failed ? 1 : RETRY_MSEC);
	return 0;
}

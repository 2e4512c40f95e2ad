// SPDX-License-Identifier: ISC
/*
 * loop.c - one thread's event loop: level-triggered epoll and timers.
 *
 * A watch is a slot in a table; what epoll carries is (slot, generation), never a pointer. Removing
 * a watch bumps its slot's generation, so an event of the same batch that was fetched for it before
 * is recognised as stale and dropped: a handler may remove any watch, its own too, and free what it
 * watched for at once.
 *
 * Handlers do bounded work and never block. A lock that guards the loop is held while they run and
 * not while the thread waits: another thread that holds it may change watches, too. A watch's events
 * of 0 still reports EPOLLERR and EPOLLHUP; remove the watch to hear nothing.
 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util.h"

enum { LOOP_BATCH = 32 };

struct slot {
	int fd;                 /* -1: free */
	bool timer;             /* fd is a timerfd of ours */
	uint32_t generation;
	uint32_t events;
	loop_fn *fn;
	void *arg;
};

struct loop {
	int epfd;
	bool running;
	pthread_mutex_t *lock;  /* held while handlers run; NULL: one thread, no lock */
	unsigned int count;
	struct slot *slots;
};

/** loop_new() - an empty loop. Return: the loop, freed with loop_free(), or NULL with errno. */
struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		free(l);
		return NULL;
	}
	return l;
}

/** loop_free() - free a loop and its timers; watched fds stay their owners'. @l: may be NULL. */
void loop_free(struct loop *l)
{
	unsigned int i;

	if (!l)
		return;
	for (i = 0; i < l->count; i++)
		if (l->slots[i].fd >= 0 && l->slots[i].timer)
			close(l->slots[i].fd);
	close(l->epfd);
	free(l->slots);
	free(l);
}

static int new_slot(struct loop *l)
{
	struct slot *more;
	unsigned int i, n;

	for (i = 0; i < l->count; i++)
		if (l->slots[i].fd < 0)
			return (int)i;
	n = l->count ? 2 * l->count : 16;
	more = realloc(l->slots, n * sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->slots = more;
	for (i = l->count; i < n; i++)
		more[i] = (struct slot){ .fd = -1 };
	i = l->count;
	l->count = n;
	return (int)i;
}

/**
 * loop_add() - watch a descriptor
 * @l: loop; call from its own thread or with its lock
 * @fd: borrowed; remove the watch before closing it
 * @events: EPOLLIN, EPOLLOUT, or 0 for errors and hang-up alone
 * @fn, @arg: called with what happened
 * Return: a watch id; -EPERM for files that are always ready; another -errno.
 */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *arg)
{
	int id = new_slot(l);
	struct epoll_event ev;
	struct slot *s;

	if (id < 0)
		return id;
	s = &l->slots[id];
	ev.events = events;
	ev.data.u64 = (uint64_t)s->generation << 32 | (uint32_t)id;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	s->fd = fd;
	s->timer = false;
	s->events = events;
	s->fn = fn;
	s->arg = arg;
	return id;
}

/**
 * loop_mod() - change what a watch waits for
 * @l: loop
 * @id: a live watch
 * @events: as for loop_add()
 */
void loop_mod(struct loop *l, int id, uint32_t events)
{
	struct slot *s = &l->slots[id];
	struct epoll_event ev;

	assert(s->fd >= 0);
	if (s->events == events)
		return;
	ev.events = events;
	ev.data.u64 = (uint64_t)s->generation << 32 | (uint32_t)id;
	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, s->fd, &ev) == 0)
		s->events = events;
}

/** loop_del() - end a watch. @l: loop. @id: the watch, set to -1; -1 is no watch and ignored. */
void loop_del(struct loop *l, int *id)
{
	struct slot *s;

	if (*id < 0)
		return;
	s = &l->slots[*id];
	assert(s->fd >= 0);
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	s->generation++;
	s->fd = -1;
	*id = -1;
}

/**
 * loop_timer() - make a timer, not yet set
 * @l: loop
 * @fn, @arg: called once each time it runs out
 * Return: a watch id for loop_timer_set() and loop_timer_del(), or -errno.
 */
int loop_timer(struct loop *l, loop_fn *fn, void *arg)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int id;

	if (fd < 0)
		return -errno;
	id = loop_add(l, fd, EPOLLIN, fn, arg);
	if (id < 0) {
		close(fd);
		return id;
	}
	l->slots[id].timer = true;
	return id;
}

/**
 * loop_timer_set() - start or stop a timer
 * @l: loop
 * @id: from loop_timer()
 * @msec: from now, once; 0 stops it
 */
void loop_timer_set(struct loop *l, int id, uint64_t msec)
{
	struct itimerspec its = {
		.it_value = { (time_t)(msec / 1000), (long)(msec % 1000) * 1000000 },
	};

	assert(l->slots[id].timer);
	timerfd_settime(l->slots[id].fd, 0, &its, NULL);
}

/** loop_timer_del() - end a timer. @l: loop. @id: as loop_del(). */
void loop_timer_del(struct loop *l, int *id)
{
	int fd;

	if (*id < 0)
		return;
	fd = l->slots[*id].fd;
	loop_del(l, id);
	close(fd);
}

/** loop_guard() - have a lock held while handlers run. @l: loop, not running. @lock: borrowed. */
void loop_guard(struct loop *l, pthread_mutex_t *lock)
{
	l->lock = lock;
}

/**
 * loop_run() - handle events until loop_stop()
 * @l: loop; the calling thread becomes its thread
 * Return: 0, or -errno when waiting itself fails.
 */
int loop_run(struct loop *l)
{
	struct epoll_event ev[LOOP_BATCH];

	l->running = true;
	while (l->running) {
		int i, n = epoll_wait(l->epfd, ev, LOOP_BATCH, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (l->lock)
			pthread_mutex_lock(l->lock);
		for (i = 0; i < n; i++) {
			struct slot *s = &l->slots[(uint32_t)ev[i].data.u64];
			uint64_t expirations;

			if (s->fd < 0 || s->generation != ev[i].data.u64 >> 32)
				continue;
			if (s->timer && read(s->fd, &expirations, sizeof(expirations)) < 0)
				continue;       /* re-armed within this batch */
			s->fn(s->arg, ev[i].events);
		}
		if (l->lock)
			pthread_mutex_unlock(l->lock);
	}
	return 0;
}

/** loop_stop() - make loop_run() return after this batch. @l: loop, from a handler. */
void loop_stop(struct loop *l)
{
	l->running = false;
}

// SPDX-License-Identifier: ISC
/*
 * mirror.c - descriptors that somebody names anew each turn, watched by epoll, which hears of changes alone.
 *
 * A library with a poll() of its own in mind names all its descriptors before each sleep. Each turn, from mirror_begin()
 * to mirror_end(), is compared with the last one. A descriptor's number says nothing about whose it is: who opens or closes
 * one says so, or a new socket of an old number would never be heard. What is open is listed, wanted or not.
 */
#include "mirror.h"

#include <errno.h>
#include <sys/epoll.h>

#include "util.h"

enum { BATCH = 64 };

/** mirror_init() - nothing is wanted. @m: filled in. Return: 0, -errno. */
int mirror_init(struct mirror *m)
{
	*m = (struct mirror){ .epfd = epoll_create1(EPOLL_CLOEXEC), .turn = 1 };
	return m->epfd < 0 ? -errno : 0;
}

/** mirror_free() - watch nothing any more. @m: initialized. */
void mirror_free(struct mirror *m)
{
	cleanup_fd(&m->epfd);
	free(m->fd);
	free(m->listed);
	m->fd = NULL;
	m->listed = NULL;
}

/* Room for a descriptor's number. */
static struct mirrored *entry(struct mirror *m, int fd)
{
	size_t n = MAX(m->fds, (size_t)64);
	struct mirrored *more;
	int *list;

	if (fd < 0)
		return NULL;
	if ((size_t)fd < m->fds)
		return &m->fd[fd];
	while (n <= (size_t)fd)
		n *= 2;
	more = realloc(m->fd, n * sizeof(*more));
	if (more)
		m->fd = more;
	list = realloc(m->listed, n * sizeof(*list));
	if (list)
		m->listed = list;
	if (!more || !list)
		return NULL;
	memset(m->fd + m->fds, 0, (n - m->fds) * sizeof(*m->fd));
	m->fds = n;
	return &m->fd[fd];
}

static void watch(struct mirror *m, int fd, struct mirrored *e, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	int op = !events ? EPOLL_CTL_DEL : e->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (e->watched == events)
		return;
	m->changes++;
	if (epoll_ctl(m->epfd, op, fd, &ev) < 0 && op != EPOLL_CTL_DEL)
		epoll_ctl(m->epfd, op == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
	e->watched = events;
}

static void list(struct mirror *m, int fd, struct mirrored *e)
{
	if (!e->listed)
		m->listed[m->listed_n++] = fd;
	e->listed = true;
}

/** mirror_begin() - begin a turn. @m: initialized. */
void mirror_begin(struct mirror *m)
{
	m->turn++;
}

/**
 * mirror_want() - watch a descriptor until the next turn
 * @m. @fd: borrowed. @events: EPOLL bits, not 0.
 * Return: 0, -ENOMEM.
 */
int mirror_want(struct mirror *m, int fd, uint32_t events)
{
	struct mirrored *e = entry(m, fd);

	if (!e)
		return -ENOMEM;
	e->wanted = e->turn == m->turn ? e->wanted | events : events;
	e->turn = m->turn;
	watch(m, fd, e, e->wanted);
	list(m, fd, e);
	return 0;
}

/** mirror_end() - end a turn: what was not wanted in it is watched no more. @m. */
void mirror_end(struct mirror *m)
{
	size_t i, kept = 0;

	for (i = 0; i < m->listed_n; i++) {
		int fd = m->listed[i];
		struct mirrored *e = &m->fd[fd];

		if (e->turn != m->turn)
			watch(m, fd, e, 0);
		e->listed = e->turn == m->turn || e->open;
		if (e->listed)
			m->listed[kept++] = fd;
	}
	m->listed_n = kept;
}

/**
 * mirror_collect() - see what has happened, without waiting
 * @m. @happened: set to descriptors. @max: so many.
 * Return: how many.
 */
int mirror_collect(struct mirror *m, int happened[], int max)
{
	struct epoll_event ev[BATCH];
	int i, n = epoll_wait(m->epfd, ev, MIN(max, (int)BATCH), 0);

	for (i = 0; i < n; i++) {
		happened[i] = ev[i].data.fd;
		m->fd[ev[i].data.fd].revents = ev[i].events;
	}
	return MAX(n, 0);
}

/**
 * mirror_happened() - what happened to a descriptor
 * @m. @fd.
 * Return: EPOLL bits, until mirror_settled() or it is closed.
 */
uint32_t mirror_happened(const struct mirror *m, int fd)
{
	return fd >= 0 && (size_t)fd < m->fds ? m->fd[fd].revents : 0;
}

/** mirror_wanted() - what was last wanted of a descriptor. @m. @fd. Return: EPOLL bits. */
uint32_t mirror_wanted(const struct mirror *m, int fd)
{
	return fd >= 0 && (size_t)fd < m->fds ? m->fd[fd].wanted : 0;
}

/** mirror_settled() - what happened was told. @m. @happened, @n: of mirror_collect(). */
void mirror_settled(struct mirror *m, const int happened[], int n)
{
	int i;

	for (i = 0; i < n; i++)
		m->fd[happened[i]].revents = 0;
}

static void forget(struct mirror *m, int fd, struct mirrored *e)
{
	watch(m, fd, e, 0);
	e->revents = 0;
	e->mark = (struct mirror_mark){ .of = NULL };
}

/**
 * mirror_opened() - a descriptor was opened: what was known of its number was another's
 * @m
 * @fd: borrowed
 * Return: 0; -ENOMEM: it is not listed until it is wanted.
 */
int mirror_opened(struct mirror *m, int fd)
{
	struct mirrored *e = entry(m, fd);

	if (!e)
		return -ENOMEM;
	forget(m, fd, e);
	e->open = true;
	list(m, fd, e);
	return 0;
}

/** mirror_mark() - what its owner says of a descriptor. @m. @fd: listed. Return: it, until it is closed or another opened. */
struct mirror_mark *mirror_mark(struct mirror *m, int fd)
{
	return &m->fd[fd].mark;
}

/** mirror_closing() - a descriptor is about to be closed. @m. @fd. */
void mirror_closing(struct mirror *m, int fd)
{
	struct mirrored *e = entry(m, fd);

	if (!e)
		return;
	forget(m, fd, e);
	e->open = false;
}

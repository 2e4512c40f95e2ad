// SPDX-License-Identifier: ISC
/*
 * qport.c - a terminal port that QEMU has, seen from the host: the other end of its socket or pipe.
 *
 *	guest -> QEMU's UART or virtconsole -> socket -> sink (hub or log)
 *	guest <- UART <- socket <- buffer <- sink
 *
 * When the sink has no room the socket is not read; it fills, and QEMU's UART holds the guest back.
 * Input stands in the socket until the UART's FIFO takes it; the socket's buffer is made small, so
 * that a backlog stays with who typed it. A driver that starts throws away what the FIFO holds:
 * nothing is sent before qport_listens().
 *
 * All of it happens as the worker, but for qport_new() and qport_free(), when it does not run.
 */
#include "qport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "log.h"
#include "loop.h"
#include "util.h"
#include "worker.h"

enum { INPUT_SIZE = 512, OUTPUT_SIZE = 16 << 10, SNDBUF = 2048 };

struct qport {
	struct worker *worker;
	struct port_sink sink;
	int fd;
	int watch;              /* -1: QEMU's end is closed */
	int printed;            /* eventfd, written when there is output and nobody listens yet; -1 */
	bool listens;
	bool stuck;             /* the sink has no room */
	bool blocked;           /* the socket takes no more input */
	size_t len;
	uint8_t input[INPUT_SIZE];
};

static void rewatch(struct qport *p)
{
	if (p->watch >= 0)
		loop_mod(worker_loop(p->worker), p->watch,
			 (p->stuck ? 0 : EPOLLIN) | (p->blocked ? EPOLLOUT : 0));
}

static void say_printed(struct qport *p)
{
	uint64_t one = 1;

	if (p->printed >= 0 && !p->listens && write(p->printed, &one, sizeof(one)) < 0)
		debug("console: %s", errstr(errno));
}

/*
 * One chunk from QEMU to the sink. @last: the guest is gone, room does not matter.
 * Return: false when there is nothing more, for now or for ever.
 */
static bool take_output(struct qport *p, bool last)
{
	uint8_t buf[OUTPUT_SIZE];
	size_t room = last ? sizeof(buf) : p->sink.room(p->sink.arg);
	ssize_t n;

	p->stuck = !room;
	if (!room)
		return false;
	do
		n = read(p->fd, buf, MIN(room, sizeof(buf)));
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		p->sink.write(p->sink.arg, buf, (size_t)n);
		p->sink.flush(p->sink.arg);
		say_printed(p);
		return true;
	}
	if (n == 0 || errno != EAGAIN)
		loop_del(worker_loop(p->worker), &p->watch);
	return false;
}

static void send_input(struct qport *p)
{
	for (;;) {
		ssize_t n;

		if (!p->len && p->listens)
			p->len = p->sink.input(p->sink.arg, p->input, sizeof(p->input));
		if (!p->len)
			break;
		n = send(p->fd, p->input, p->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* Any other error is QEMU's end, which reading will show. */
			p->blocked = errno == EAGAIN;
			return;
		}
		p->len -= (size_t)n;
		memmove(p->input, p->input + n, p->len);
	}
	p->blocked = false;
}

static void on_event(void *arg, uint32_t events)
{
	struct qport *p = arg;

	if (events & EPOLLOUT)
		send_input(p);
	if (events & EPOLLIN)
		take_output(p, false);
	else if (events & (EPOLLHUP | EPOLLERR))
		/* Stuck at QEMU's end: qport_finish() takes the rest. */
		loop_del(worker_loop(p->worker), &p->watch);
	rewatch(p);
}

/** qport_input() - the sink may have input. @port: the port; called as its worker. */
void qport_input(void *port)
{
	struct qport *p = port;

	if (p->blocked)
		return;
	send_input(p);
	rewatch(p);
}

/** qport_room() - the sink has room again. @port: the port; called as its worker. */
void qport_room(void *port)
{
	struct qport *p = port;

	p->stuck = false;
	rewatch(p);
}

static void do_listens(void *arg)
{
	struct qport *p = arg;

	p->listens = true;
	if (p->sink.up)
		p->sink.up(p->sink.arg);
	qport_input(p);
}

/** qport_listens() - the guest's driver takes input now. @p: from any thread. */
void qport_listens(struct qport *p)
{
	worker_call(p->worker, do_listens, p);
}

static void do_finish(void *arg)
{
	struct qport *p = arg;

	while (take_output(p, true))
		continue;
	loop_del(worker_loop(p->worker), &p->watch);
}

/** qport_finish() - QEMU is no more: give the sink the rest. @p: from any thread. */
void qport_finish(struct qport *p)
{
	worker_call(p->worker, do_finish, p);
}

/**
 * qport_new() - serve a port
 * @w: worker, borrowed, not started
 * @fd: our end of a stream socket pair, or for output alone of a pipe, whose other end is QEMU's;
 *	consumed
 * @sink: where it leads; copied
 * @printed: eventfd, borrowed, to write to for output before qport_listens(); -1: none
 * Return: the port, freed with qport_free(); NULL with errno.
 */
struct qport *qport_new(struct worker *w, int *fd, const struct port_sink *sink, int printed)
{
	struct qport *p = calloc(1, sizeof(*p));
	int size = SNDBUF;

	if (!p || fcntl(*fd, F_SETFL, O_NONBLOCK) < 0) {
		cleanup_fd(fd);
		free(p);
		return NULL;
	}
	p->worker = w;
	p->sink = *sink;
	p->fd = steal_fd(fd);
	p->printed = printed;
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));  /* not a pipe's */
	p->watch = loop_add(worker_loop(w), p->fd, EPOLLIN, on_event, p);
	if (p->watch < 0) {
		errno = -p->watch;
		close(p->fd);
		free(p);
		return NULL;
	}
	return p;
}

/** qport_free() - free a port whose worker has ended. @p: may be NULL. */
void qport_free(struct qport *p)
{
	if (!p)
		return;
	loop_del(worker_loop(p->worker), &p->watch);
	close(p->fd);
	free(p);
}

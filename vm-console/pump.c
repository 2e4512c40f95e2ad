// SPDX-License-Identifier: ISC
/*
 * pump.c - the console's stream for automation: wait, send, print, all within one deadline.
 *
 * Whatever it does, it waits in one place, await(), which also ends at the deadline and at a signal.
 * While it sends it goes on receiving, or a guest that echoes could block us while we block it.
 */
#include "pump.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "log.h"
#include "util.h"

static volatile sig_atomic_t caught;
static sigset_t awaiting;       /* what is blocked in await() alone: nothing of ours */

static void on_signal(int sig)
{
	caught = sig;
}

/** pump_signal() - the fatal signal that came, for which the caller must die. Return: it or 0. */
int pump_signal(void)
{
	return caught;
}

/**
 * pump_init() - make ready; INT, TERM, HUP and QUIT are caught from here on
 * @p: filled in; large, the caller's
 * @con: stream open
 * @deadline: on now_msec()'s clock, 0 for none
 * Return: 0 or -errno of stdout.
 */
int pump_init(struct pump *p, struct console *con, uint64_t deadline)
{
	static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction ours = { .sa_handler = on_signal }, old;
	sigset_t block;
	size_t i;

	p->con = con;
	p->deadline = deadline;
	p->ended = false;
	p->at = p->len = 0;
	p->why[0] = 0;
	sigemptyset(&block);
	for (i = 0; i < ARRAY_SIZE(fatal); i++) {
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;       /* nohup(1) meant it */
		sigaction(fatal[i], &ours, NULL);
		sigaddset(&block, fatal[i]);
	}
	sigprocmask(SIG_BLOCK, &block, &awaiting);
	return fdio_open(&p->out, STDOUT_FILENO, true);
}

static void receive(struct pump *p)
{
	ssize_t n;

	if (p->at) {
		memmove(p->buf, p->buf + p->at, p->len - p->at);
		p->len -= p->at;
		p->at = 0;
	}
	n = recv(p->con->stream, p->buf + p->len, PUMP_SIZE - p->len, MSG_DONTWAIT);
	if (n > 0)
		p->len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		p->ended = true;
}

/*
 * Wait for @fd (or -1) to take output, for the stream to bring some if @read, or for @until (0:
 * never). Return 1; 0 at @until; -ETIMEDOUT at the deadline; -EINTR at a fatal signal.
 */
static int await(struct pump *p, int fd, bool read, uint64_t until)
{
	struct pollfd pfd[] = {
		{ .fd = fd, .events = POLLOUT },
		{ .fd = read && !p->ended ? p->con->stream : -1, .events = POLLIN },
	};

	for (;;) {
		uint64_t end = p->deadline, now = now_msec();
		struct timespec ts;
		int n;

		if (caught)
			return -EINTR;
		if (until && (!end || until < end))
			end = until;
		ts.tv_sec = end > now ? (time_t)((end - now) / 1000) : 0;
		ts.tv_nsec = end > now ? (long)((end - now) % 1000) * 1000000 : 0;
		n = ppoll(pfd, ARRAY_SIZE(pfd), end ? &ts : NULL, &awaiting);
		if (n > 0) {
			if (pfd[1].revents)
				receive(p);
			return 1;
		}
		now = now_msec();
		if (p->deadline && now >= p->deadline)
			return -ETIMEDOUT;
		if (until && now >= until)
			return 0;
	}
}

/**
 * pump_wait() - have at least one received byte
 * @p: pump
 * @quiet: milliseconds to wait at most; negative: for ever
 * Return: 1; 0 when none came in time; -ETIMEDOUT at the deadline; -ECONNRESET when the VM ended and
 * all it said is used; -EINTR at a fatal signal.
 */
int pump_wait(struct pump *p, int64_t quiet)
{
	uint64_t until = quiet < 0 ? 0 : now_msec() + (uint64_t)quiet;

	while (p->at == p->len) {
		int e;

		if (p->ended)
			return -ECONNRESET;
		e = await(p, -1, true, until);
		if (e <= 0)
			return e;
	}
	return 1;
}

/**
 * pump_send() - give the guest input, all of it
 * @p: pump
 * @data, @len: what
 * Return: 0; -ECONNRESET when the VM ended; -ETIMEDOUT; -EINTR.
 */
int pump_send(struct pump *p, const void *data, size_t len)
{
	const char *from = data;

	while (len) {
		ssize_t n = send(p->con->stream, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		int e;

		if (n > 0) {
			from += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -ECONNRESET;
		e = await(p, p->con->stream, p->len - p->at < PUMP_SIZE, 0);
		if (e < 0)
			return e;
	}
	return 0;
}

/**
 * pump_print() - write to stdout, all of it
 * @p: pump; meanwhile it reads nothing, so that nothing is lost to a slow reader but time
 * @data, @len: what
 * Return: 0; -EPIPE when nobody reads it; -EIO with p->why; -ETIMEDOUT; -EINTR.
 */
int pump_print(struct pump *p, const void *data, size_t len)
{
	const char *from = data;

	while (len) {
		int e = await(p, p->out.fd, false, 0);
		ssize_t n;

		if (e < 0)
			return e;
		n = fdio_write(&p->out, from, len);
		if (n == -EPIPE)
			return -EPIPE;
		if (n < 0 && n != -EAGAIN) {
			snprintf(p->why, sizeof(p->why), "stdout: %s", errstr((int)n));
			return -EIO;
		}
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

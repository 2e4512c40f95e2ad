// SPDX-License-Identifier: ISC
/*
 * attach.c - a person, or a stream, on the console.
 *
 *	keyboard or stdin ──▶ input ──▶ stream socket ──▶ output ──▶ stdout
 *
 * Each buffer is read into while there is room and written from while there is something. So a stdout
 * that takes nothing stops the reading of the socket, and loses nothing here. A guest that takes no
 * input stops the reading of a stdin that is no terminal; a keyboard is read on, because the escape
 * must work on a guest that hangs, and what then does not fit is dropped with a bell.
 *
 * The escape detaches when it stays alone, and stands for itself when it is typed twice: it is held
 * back for a moment (ESCAPE_WAIT). Only a terminal has an escape; a stream passes every byte.
 *
 * End of stdin ends nothing: output goes on until the VM ends, or until nobody reads it.
 */
#include "attach.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "tty.h"
#include "util.h"

enum {
	BUFFER = 64 << 10,
	ESCAPE_WAIT = 500,      /* ms in which the escape's second press must come */
};

enum outcome { GOING_ON, DETACHED, VM_ENDED, TIMED_OUT, FAILED };

struct buffer {
	size_t at, len;
	uint8_t data[BUFFER];
};

static struct buffer input, output;
static uint64_t escape_until;           /* the escape was typed once; 0: not */
static volatile sig_atomic_t resized;
static uint8_t last_byte = '\n';
static bool prints_to_terminal;

static void on_winch(int sig)
{
	(void)sig;
	resized = 1;
}

static size_t held(const struct buffer *b)
{
	return b->len - b->at;
}

/* Move what is held to the front. Return the room behind it. */
static size_t make_room(struct buffer *b)
{
	memmove(b->data, b->data + b->at, held(b));
	b->len = held(b);
	b->at = 0;
	return BUFFER - b->len;
}

static void put_key(uint8_t byte)
{
	if (make_room(&input))
		input.data[input.len++] = byte;
	else if (make_room(&output))
		output.data[output.len++] = '\a';
}

/* Take what was typed. Return whether the escape detaches. */
static bool take_keys(const struct attach *a, const uint8_t *keys, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (escape_until) {
			escape_until = 0;
			if (keys[i] != a->escape)
				return true;
		} else if (keys[i] == a->escape) {
			escape_until = now_msec() + ESCAPE_WAIT;
			continue;
		}
		put_key(keys[i]);
	}
	return false;
}

static enum outcome read_keys(struct attach *a)
{
	bool typed = a->terminal >= 0;
	uint8_t keys[4096];
	size_t room = typed ? sizeof(keys) : MIN(make_room(&input), sizeof(keys));
	ssize_t n = fdio_read(&a->keys, keys, room);

	if (n == -EAGAIN)
		return GOING_ON;
	if (n <= 0 && typed) {
		tty_gone(a->keys.fd);
		warn("the terminal has no more keys for us");
		return FAILED;
	}
	if (n < 0)
		warn("stdin: %s", errstr((int)n));
	if (n <= 0) {
		fdio_close(&a->keys);
		return GOING_ON;
	}
	if (typed)
		return take_keys(a, keys, (size_t)n) ? DETACHED : GOING_ON;
	memcpy(input.data + input.len, keys, (size_t)n);
	input.len += (size_t)n;
	return GOING_ON;
}

static void write_input(struct console *con)
{
	ssize_t n = send(con->stream, input.data + input.at, held(&input),
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		input.at += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		input.at = input.len;   /* nobody takes it any more; what came is still to be read */
}

static enum outcome read_output(struct console *con)
{
	ssize_t n;

	make_room(&output);
	n = recv(con->stream, output.data + output.len, BUFFER - output.len, MSG_DONTWAIT);
	if (n > 0)
		output.len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		return VM_ENDED;
	return GOING_ON;
}

static enum outcome write_output(const struct fdio *out)
{
	ssize_t n = fdio_write(out, output.data + output.at, held(&output));

	if (n == -EPIPE)
		tty_die(SIGPIPE);
	if (n < 0 && n != -EAGAIN) {
		warn("stdout: %s", errstr((int)n));
		return FAILED;
	}
	if (n > 0) {
		output.at += (size_t)n;
		last_byte = output.data[output.at - 1];
	}
	return GOING_ON;
}

static void send_size(struct attach *a)
{
	struct winsize_cells size;

	resized = 0;
	if (a->terminal >= 0 && tty_size(a->terminal, &size) == 0)
		console_resize(a->con, &size);
}

/* Milliseconds until something is due, or -1. Sets @now. */
static int64_t due(const struct attach *a, uint64_t *now)
{
	uint64_t until = a->deadline;

	*now = now_msec();
	if (escape_until && (!until || escape_until < until))
		until = escape_until;
	if (!until)
		return -1;
	return until > *now ? (int64_t)(until - *now) : 0;
}

/* Whether there is nothing left for us but to print, where the reader may go: a terminal is never missed so. */
static bool only_prints(const struct attach *a)
{
	return a->keys.fd < 0 && !held(&input) && !prints_to_terminal;
}

/* One turn: wait until something can be done, and do it. */
static enum outcome turn(struct attach *a, const struct fdio *out, const sigset_t *awaiting)
{
	enum { STREAM, KEYS, OUT, CONTROL };
	bool typed = a->terminal >= 0;
	struct pollfd pfd[] = {
		[STREAM] = { .fd = a->con->stream },
		[KEYS] = { .fd = typed || held(&input) < BUFFER ? a->keys.fd : -1, .events = POLLIN },
		[OUT] = { .fd = held(&output) || only_prints(a) ? out->fd : -1, .events = held(&output) ? POLLOUT : 0 },
		[CONTROL] = { .fd = a->con->replies ? a->con->link.sock : -1, .events = POLLIN },
	};
	enum outcome o = GOING_ON;
	struct timespec ts;
	uint64_t now;
	int64_t left = due(a, &now);
	int n;

	if (a->deadline && now >= a->deadline)
		return TIMED_OUT;
	if (escape_until && now >= escape_until)
		return DETACHED;
	if (!held(&output))
		pfd[STREAM].events |= POLLIN;
	if (held(&input))
		pfd[STREAM].events |= POLLOUT;
	if (!pfd[STREAM].events)
		pfd[STREAM].fd = -1;    /* a hang-up that we do not want to see yet */
	ts = (struct timespec){ (time_t)(left / 1000), (long)(left % 1000) * 1000000 };
	n = ppoll(pfd, ARRAY_SIZE(pfd), left < 0 ? NULL : &ts, awaiting);
	if (tty_resumed() || resized)
		send_size(a);
	if (n <= 0)
		return GOING_ON;
	if (pfd[CONTROL].revents)
		console_drain(a->con, false);
	if (pfd[STREAM].revents & POLLOUT)
		write_input(a->con);
	if (pfd[OUT].revents && !pfd[OUT].events)
		tty_die(SIGPIPE);       /* its reader is gone, and we have nothing to say */
	if (pfd[OUT].revents)
		o = write_output(out);
	if (!o && pfd[KEYS].revents)
		o = read_keys(a);
	if (!o && !held(&output) && (pfd[STREAM].revents & (POLLIN | POLLHUP | POLLERR)))
		o = read_output(a->con);
	return o;
}

/* What the end of the VM means for us. Return the exit status. */
static int vm_ended(struct attach *a)
{
	const char *cause;
	int status = console_cause(a->con, &cause);

	if (status == EXIT_OURS)
		warn("console: the VM ended: %s", cause);
	return status;
}

/**
 * attach_run() - join terminal and console until one of them ends
 * @a: console open, keys and terminal as wanted
 *
 * May die of a signal instead of returning, with the terminal restored. Return: the exit status.
 */
int attach_run(struct attach *a)
{
	struct sigaction winch = { .sa_handler = on_winch };
	struct fdio out = FDIO_INIT;
	enum outcome o = GOING_ON;
	sigset_t block, awaiting;
	uint64_t lost;
	int e = fdio_open(&out, STDOUT_FILENO, true);

	if (e) {
		warn("stdout: %s", errstr(e));
		return EXIT_OURS;
	}
	prints_to_terminal = isatty(STDOUT_FILENO);
	sigaction(SIGWINCH, &winch, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGWINCH);
	sigaddset(&block, SIGCONT);
	sigprocmask(SIG_BLOCK, &block, &awaiting);
	e = a->terminal >= 0 ? tty_raw(a->terminal) : 0;
	if (e) {
		warn("terminal: raw mode: %s", errstr(e));
		return EXIT_OURS;
	}
	send_size(a);
	while (!o)
		o = turn(a, &out, &awaiting);
	tty_restore();
	if (a->terminal >= 0 && prints_to_terminal && last_byte != '\n')
		fdio_write(&out, "\n", 1);
	lost = console_lost(a->con);
	if (lost)
		warn("console: %llu bytes of output were lost: this end was too slow",
		     (unsigned long long)lost);
	if (o == VM_ENDED)
		e = vm_ended(a);
	else if (o == DETACHED)
		e = 0;
	else
		e = o == TIMED_OUT ? EXIT_TIMEOUT : EXIT_OURS;
	return !e && lost && a->terminal < 0 ? EXIT_OURS : e;
}

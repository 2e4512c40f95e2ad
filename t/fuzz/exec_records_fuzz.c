// SPDX-License-Identifier: ISC
/*
 * exec_records_fuzz.c - an agent that says anything to vm-exec, on the control connection and on the streams.
 *
 * The input is a byte that says what was asked for, then deeds: a byte that says which, a length, bytes. When they are
 * over the agent hangs up and the VM with it. Whatever came, vm-exec ends, with an outcome that is one, and believes in an
 * exit only when every byte of it came.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "session.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TTY = 1, DETACH = 2, INTERACTIVE = 4, INPUT_MAX = 4096 };

static struct session s;
static struct agent agent;
static int peer[PROTO_STREAMS];         /* the agent's ends */
static int vm = -1;                     /* the VM's end of the control socket */
static uint64_t sent[PROTO_STREAMS];
static const uint8_t *input;
static size_t left;

static void sane(bool ok)
{
	if (!ok)
		abort();
}

static int on_started(void *arg)
{
	(void)arg;
	sane(s.state == SESSION_RUNNING);
	return 0;
}

static void on_flushed(void *arg)
{
	(void)arg;
}

/* -- the agent -- */

static void say(unsigned int stream, const void *data, size_t len)
{
	ssize_t n = peer[stream] < 0 ? -1 : send(peer[stream], data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	sent[stream] += n > 0 ? (uint64_t)n : 0;
}

/* A record that is well-formed: type, then fields as kind and value; counts may be what they ought to be. */
static void say_record(const uint8_t *b, size_t len)
{
	static const uint8_t kinds[] = {
		PROTO_K_PID, PROTO_K_STATUS, PROTO_K_SIGNAL, PROTO_K_BYTES_OUT, PROTO_K_BYTES_ERR, PROTO_K_TEXT,
	};
	unsigned int out = s.cfg->tty ? PROTO_TTY : PROTO_STDOUT;
	struct wire_out w;
	size_t i;

	wire_begin(&w, b[0] & 0x80 ? b[0] & 0x7f : PROTO_STARTED + b[0] % 3);
	for (i = 1; i + 1 < len; i += 2) {
		uint8_t kind = kinds[b[i] % sizeof(kinds)], value = b[i + 1];

		if (kind == PROTO_K_BYTES_OUT || kind == PROTO_K_BYTES_ERR)
			wire_put_u64(&w, kind, value ? value : sent[kind == PROTO_K_BYTES_OUT ? out : PROTO_STDERR]);
		else if (kind == PROTO_K_TEXT)
			wire_put(&w, kind, b, MIN((size_t)value, len));
		else
			wire_put_u32(&w, kind, value & 0x80 ? value * 3u : value);
	}
	if (!wire_end(&w))
		say(PROTO_CONTROL, w.data, w.len);
	wire_drop(&w);
}

static void deed(unsigned int what, const uint8_t *b, size_t len)
{
	static const char *const names[] = { "INT", "TERM", "HUP" };

	if (what % 8 < 3 && len)
		say_record(b, len);
	else if (what % 8 == 3)
		say(PROTO_CONTROL, b, len);
	else if (what % 8 < 6)
		say(what / 8 % PROTO_STREAMS, b, len);
	else if (what % 8 == 6 && peer[what / 8 % PROTO_STREAMS] >= 0)
		shutdown(peer[what / 8 % PROTO_STREAMS], SHUT_WR);
	else if (s.state == SESSION_RUNNING)
		session_signal(&s, what & 8 ? SIGINT : SIGTERM, names[what / 16 % ARRAY_SIZE(names)]);
}

/* One deed a turn of the loop; then the end of everything that the session waits for. */
static void on_turn(void *arg, uint32_t events)
{
	unsigned int i, what;
	size_t len;

	(void)arg;
	(void)events;
	if (left < 2) {
		for (i = 0; i < PROTO_STREAMS; i++)
			cleanup_fd(&peer[i]);
		cleanup_fd(&vm);
		return;
	}
	what = input[0];
	len = MIN((size_t)input[1], left - 2);
	input += 2;
	left -= 2;
	deed(what, input, len);
	input += len;
	left -= len;
}

/* -- vm-exec -- */

static void make_streams(void)
{
	int pair[2], i;

	for (i = 0; i < PROTO_STREAMS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		agent.stream[i] = pair[0];
		peer[i] = pair[1];
		sent[i] = 0;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	agent.link.sock = pair[0];
	vm = pair[1];
}

/* What comes out is for nobody. */
static void divert(struct pump *p, int null)
{
	if (p->to.fd < 0)
		return;
	fdio_close(&p->to);
	if (fdio_open(&p->to, null, true))
		abort();
}

static void check(const struct outcome *o)
{
	bool told = o->kind == OUTCOME_EXIT || o->kind == OUTCOME_SIGNAL || o->kind == OUTCOME_INTERRUPT;

	sane(s.state == SESSION_OVER && o->kind > OUTCOME_NONE && o->kind < OUTCOME_KINDS);
	sane(!s.cfg->detach || !told);
	sane(o->kind != OUTCOME_STARTED || s.cfg->detach);
	sane(o->kind != OUTCOME_FAILED || *o->text);
	sane(o->kind != OUTCOME_REFUSED || (o->number >= 125 && o->number <= 127));
	sane(o->kind != OUTCOME_EXIT || o->number <= 255);
	sane(o->kind != OUTCOME_SIGNAL || (o->number >= 1 && o->number <= 64));
	if (!told)
		return;
	/* All that was sent came, and was as much as the agent said. */
	sane(s.out.moved == sent[s.cfg->tty ? PROTO_TTY : PROTO_STDOUT] && s.out.moved == s.out.limit);
	sane(s.cfg->tty || (s.err.moved == sent[PROTO_STDERR] && s.err.moved == s.err.limit));
}

static void clean_up(void)
{
	unsigned int i;

	fdio_close(&s.in.from);
	fdio_close(&s.out.to);
	fdio_close(&s.err.to);
	if (s.cfg->tty && s.cfg->interactive)
		close(s.in.to.fd);
	wire_in_free(&s.control.in);
	wire_drop(&s.control.out);
	loop_free(s.loop);
	for (i = 0; i < PROTO_STREAMS; i++) {
		cleanup_fd(&peer[i]);
		cleanup_fd(&agent.stream[i]);
	}
	cleanup_fd(&agent.link.sock);
	cleanup_fd(&vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char word[] = "true", *command[] = { word, NULL };
	struct config config = CONFIG_INIT;
	static int null = -1, turn = -1;
	struct term term = { .size = -1 };

	if (!size || size > INPUT_MAX)
		return 0;
	if (null < 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		turn = eventfd(1, EFD_CLOEXEC);
	}
	config.command = command;
	config.tty = data[0] & TTY;
	config.detach = data[0] & DETACH;
	config.interactive = data[0] & INTERACTIVE && !config.detach;
	term.keys = config.interactive ? null : -1;
	make_streams();
	memset(&s, 0, sizeof(s));
	s.started = on_started;
	s.flushed = on_flushed;
	if (session_init(&s, &config, &agent, &term, 0))
		abort();
	divert(&s.out, null);
	divert(&s.err, null);
	input = data + 1;
	left = size - 1;
	if (loop_add(s.loop, turn, EPOLLIN, on_turn, NULL) < 0 || loop_run(s.loop))
		abort();
	check(&s.outcome);
	clean_up();
	return 0;
}

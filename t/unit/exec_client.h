/* SPDX-License-Identifier: ISC */
/* exec_client.h - a client of the exec server, for its tests. */
#ifndef EXEC_CLIENT_H
#define EXEC_CLIENT_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto.h"
#include "util.h"
#include "wire.h"

enum {
	IN = 1 << PROTO_STDIN, OUT = 1 << PROTO_STDOUT, ERR = 1 << PROTO_STDERR, TTY = 1 << PROTO_TTY,
	ALL = IN | OUT | ERR,
	WAIT_MS = 30000,
};

static struct sockaddr_un server_address = { .sun_family = AF_UNIX };

/* What is to be run. */
struct job {
	const char *argv[8];
	const char *env[8];
	const char *cwd, *user;
	uint32_t streams, flags;
	uint16_t cols, rows;
	const void *input;
	size_t input_len;
	bool keep_input;		/* no end of file after the input */
};

/* A session, and what came of it. */
struct client {
	int fd[PROTO_STREAMS];		/* -1: none (any more) */
	uint8_t id[PROTO_ID];
	struct wire_in in;
	bool started, failed, exited;
	uint32_t pid, status, signal;	/* status: 999 none */
	char text[2048];
	uint64_t bytes_out, bytes_err;
	char *data[PROTO_STREAMS];
	size_t len[PROTO_STREAMS];
	size_t fed;
};

static inline int server_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&server_address, sizeof(server_address)) < 0) {
		perror("# connect");
		abort();
	}
	return fd;
}

static inline int server_hello(int which, const uint8_t *id)
{
	uint8_t hello[PROTO_HELLO] = { 'p', 'v', 'm', PROTO_VERSION, (uint8_t)which };
	int fd = server_connect();

	memcpy(hello + PROTO_HELLO - PROTO_ID, id, PROTO_ID);
	if (write(fd, hello, sizeof(hello)) != (ssize_t)sizeof(hello))
		abort();
	return fd;
}

static inline void send_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			return;		/* the server has hung up */
		p += n;
		len -= (size_t)n;
	}
}

static inline void send_record(int fd, struct wire_out *w)
{
	if (wire_end(w) < 0)
		abort();
	send_all(fd, w->data, w->len);
	wire_drop(w);
}

static inline void put_exec(struct wire_out *w, const struct job *j)
{
	uint8_t size[4];
	size_t i;

	wire_begin(w, PROTO_EXEC);
	for (i = 0; i < ARRAY_SIZE(j->argv) && j->argv[i]; i++)
		wire_put_text(w, PROTO_K_ARG, j->argv[i]);
	for (i = 0; i < ARRAY_SIZE(j->env) && j->env[i]; i++)
		wire_put_text(w, PROTO_K_ENV, j->env[i]);
	if (j->cwd)
		wire_put_text(w, PROTO_K_CWD, j->cwd);
	if (j->user)
		wire_put_text(w, PROTO_K_USER, j->user);
	wire_put_u32(w, PROTO_K_STREAMS, j->streams);
	wire_put_u32(w, PROTO_K_FLAGS, j->flags);
	put_le16(size, j->cols);
	put_le16(size + 2, j->rows);
	if (j->cols)
		wire_put(w, PROTO_K_SIZE, size, sizeof(size));
}

/* Connect everything, ask for nothing yet. */
static inline void client_open(struct client *c, uint32_t streams)
{
	int i;

	*c = (struct client){ .status = 999 };
	if (getrandom(c->id, sizeof(c->id), 0) < 0)
		abort();
	wire_in_init(&c->in, WIRE_SMALL);
	for (i = 0; i < PROTO_STREAMS; i++)
		c->fd[i] = i == PROTO_CONTROL || (streams & 1u << i) ? server_hello(i, c->id) : -1;
}

static inline void client_start(struct client *c, const struct job *j)
{
	struct wire_out w;

	client_open(c, j->streams);
	put_exec(&w, j);
	send_record(c->fd[PROTO_CONTROL], &w);
}

static inline void client_free(struct client *c)
{
	int i;

	for (i = 0; i < PROTO_STREAMS; i++) {
		cleanup_fd(&c->fd[i]);
		free(c->data[i]);
	}
	wire_in_free(&c->in);
}

static inline void client_record(struct client *c, const struct wire_record *r)
{
	switch (r->type) {
	case PROTO_STARTED:
		c->started = wire_get_u32(r, PROTO_K_PID, &c->pid);
		break;
	case PROTO_FAILED:
		c->failed = wire_get_u32(r, PROTO_K_STATUS, &c->status) &&
			    wire_get_text(r, PROTO_K_TEXT, c->text, sizeof(c->text));
		break;
	case PROTO_EXIT:
		c->exited = wire_get_u32(r, PROTO_K_STATUS, &c->status);
		c->exited |= wire_get_u32(r, PROTO_K_SIGNAL, &c->signal);
		wire_get_u64(r, PROTO_K_BYTES_OUT, &c->bytes_out);
		wire_get_u64(r, PROTO_K_BYTES_ERR, &c->bytes_err);
		break;
	default:
		abort();
	}
}

static inline void client_control(struct client *c)
{
	struct wire_record r;
	size_t room;
	void *p = wire_room(&c->in, &room);
	ssize_t n = p ? read(c->fd[PROTO_CONTROL], p, room) : -1;

	if (n <= 0) {
		cleanup_fd(&c->fd[PROTO_CONTROL]);
		return;
	}
	wire_got(&c->in, (size_t)n);
	while (wire_next(&c->in, &r) > 0) {
		client_record(c, &r);
		wire_take(&c->in);
	}
}

static inline void client_read(struct client *c, int which)
{
	enum { CHUNK = 65536 };
	ssize_t n;

	c->data[which] = realloc(c->data[which], c->len[which] + CHUNK + 1);
	n = read(c->fd[which], c->data[which] + c->len[which], CHUNK);
	if (n <= 0)
		cleanup_fd(&c->fd[which]);
	else
		c->len[which] += (size_t)n;
	c->data[which][c->len[which]] = 0;
}

static inline void client_feed(struct client *c, const struct job *j, int which)
{
	ssize_t n = send(c->fd[which], (const char *)j->input + c->fed, j->input_len - c->fed,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		c->fed += (size_t)n;
	else if (errno != EAGAIN)
		c->fed = j->input_len;
	if (c->fed == j->input_len && !j->keep_input)
		shutdown(c->fd[which], SHUT_WR);
}

/* Move bytes once. Return: false when nothing is left to come, or nothing came in WAIT_MS. */
static inline bool client_step(struct client *c, const struct job *j)
{
	int in = j->streams & TTY ? PROTO_TTY : PROTO_STDIN, i;
	struct pollfd p[PROTO_STREAMS];
	bool any = false;

	for (i = 0; i < PROTO_STREAMS; i++) {
		p[i] = (struct pollfd){ .fd = i == PROTO_STDIN ? -1 : c->fd[i], .events = POLLIN };
		any |= p[i].fd >= 0;
	}
	if (!any)
		return false;
	if (c->fd[in] >= 0 && c->fed < j->input_len) {
		p[in].fd = c->fd[in];
		p[in].events |= POLLOUT;
	}
	if (poll(p, PROTO_STREAMS, WAIT_MS) <= 0) {
		printf("# nothing happens\n");
		return false;
	}
	if (p[in].revents & (POLLOUT | POLLERR | POLLHUP) && c->fed < j->input_len)
		client_feed(c, j, in);
	for (i = 0; i < PROTO_STREAMS; i++)
		if (i != PROTO_STDIN && (p[i].revents & ~POLLOUT)) {
			if (i == PROTO_CONTROL)
				client_control(c);
			else
				client_read(c, i);
		}
	return true;
}

/* To the end of all streams. */
static inline void client_finish(struct client *c, const struct job *j)
{
	if (c->fd[PROTO_STDIN] >= 0 && !j->input_len && !j->keep_input)
		shutdown(c->fd[PROTO_STDIN], SHUT_WR);
	/* A stream that came after its session had failed is closed later: not waited for. */
	while (!c->failed && client_step(c, j))
		;
}

static inline void client_run(struct client *c, const struct job *j)
{
	client_start(c, j);
	client_finish(c, j);
}

static inline void client_signal(struct client *c, const char *name)
{
	struct wire_out w;

	wire_begin(&w, PROTO_SIGNAL);
	wire_put_text(&w, PROTO_K_NAME, name);
	send_record(c->fd[PROTO_CONTROL], &w);
}

static inline bool client_said(const struct client *c, int which, const char *text)
{
	size_t len = strlen(text);

	return c->len[which] == len && (!len || !memcmp(c->data[which], text, len));
}

#endif

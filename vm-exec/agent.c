// SPDX-License-Identifier: ISC
/*
 * agent.c - the connections to the agent in the guest.
 *
 * The VM's control socket answers `ready agent` when the agent is up, and `vsock 1 N` with N streams
 * connected to it, asked for at once, which costs about what one does. Each begins with a hello
 * (proto.h) that ties it to our one session. Calls here block; start-up alone makes them.
 */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "log.h"
#include "util.h"

/** agent_init() - not connected. @a: filled in. */
void agent_init(struct agent *a)
{
	unsigned int i;

	a->link.sock = -1;
	for (i = 0; i < PROTO_STREAMS; i++)
		a->stream[i] = -1;
}

/* The streams that a command as wanted has, as bits beside the control connection's. */
static uint32_t streams_of(const struct config *c)
{
	uint32_t in = c->interactive ? 1U << PROTO_STDIN : 0;

	if (c->detach)
		return 0;
	return c->tty ? 1U << PROTO_TTY : in | 1U << PROTO_STDOUT | 1U << PROTO_STDERR;
}

static int await_agent(struct agent *a, char *err, size_t errsize)
{
	struct msg request, reply;
	char why[400];
	int e;

	msg_init(&request);
	msg_add(&request, "ready");
	msg_add(&request, "agent");
	e = ctl_call(a->link.sock, &request, &reply, why, sizeof(why));
	msg_drop(&reply);
	if (e)
		snprintf(err, errsize, "agent: does not come up: %s", why);
	return e;
}

static bool is_stream(int fd)
{
	socklen_t len = sizeof(int);
	struct stat st;
	int type;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static int take_streams(struct agent *a, struct msg *reply, uint32_t wanted)
{
	unsigned int i;
	int n = 0;

	for (i = 0; i < PROTO_STREAMS; i++) {
		if (!(wanted & 1U << i))
			continue;
		a->stream[i] = msg_take_fd(reply, n++);
		if (!is_stream(a->stream[i]))
			return -EPROTO;
	}
	return reply->fds == n ? 0 : -EPROTO;
}

static int connect_streams(struct agent *a, uint32_t wanted, char *err, size_t errsize)
{
	struct msg request, reply;
	char why[400];
	int e;

	msg_init(&request);
	msg_add(&request, "vsock");
	msg_addf(&request, "%d", (int)PROTO_EXEC_PORT);
	msg_addf(&request, "%d", __builtin_popcount(wanted));
	e = ctl_call(a->link.sock, &request, &reply, why, sizeof(why));
	if (e) {
		snprintf(err, errsize, "agent: no connection: %s", why);
	} else {
		e = take_streams(a, &reply, wanted);
		if (e)
			snprintf(err, errsize, "agent: malformed reply to vsock");
	}
	msg_drop(&reply);
	return e;
}

/* A connection of ours has room for this: it is the first on it. */
static int greet(int fd, unsigned int which, const uint8_t id[PROTO_ID])
{
	uint8_t hello[PROTO_HELLO] = { 'p', 'v', 'm', PROTO_VERSION, (uint8_t)which };
	ssize_t n;

	memcpy(hello + PROTO_HELLO - PROTO_ID, id, PROTO_ID);
	do
		n = send(fd, hello, sizeof(hello), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(hello) ? 0 : -ECONNRESET;
}

/**
 * agent_open() - connect to the agent of the VM, as soon as it is up
 * @a: link open; stream is filled in, the caller's
 * @c: what is wanted
 * @err, @errsize: what went wrong
 *
 * Blocks until the agent is up or never will be. Return: 0 or -errno with @err filled in.
 */
int agent_open(struct agent *a, const struct config *c, char *err, size_t errsize)
{
	uint32_t wanted = 1U << PROTO_CONTROL | streams_of(c);
	uint8_t id[PROTO_ID];
	unsigned int i;
	int e;

	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
		snprintf(err, errsize, "no random numbers");
		return -EIO;
	}
	e = await_agent(a, err, errsize);
	if (!e)
		e = connect_streams(a, wanted, err, errsize);
	for (i = 0; !e && i < PROTO_STREAMS; i++) {
		if (a->stream[i] < 0)
			continue;
		e = greet(a->stream[i], i, id);
		if (e)
			snprintf(err, errsize, "agent: it hangs up at once");
	}
	return e;
}

/**
 * agent_request() - the `exec` record
 * @w: filled in, wire_end() it, which fails when it is too long; wire_drop() it
 * @c: what is wanted
 * @size: of the terminal; 0 columns: not known
 */
void agent_request(struct wire_out *w, const struct config *c, const struct winsize_cells *size)
{
	uint8_t cells[4];
	size_t i;

	wire_begin(w, PROTO_EXEC);
	for (i = 0; c->command[i]; i++)
		wire_put_text(w, PROTO_K_ARG, c->command[i]);
	for (i = 0; i < c->env.count; i++)
		wire_put_text(w, PROTO_K_ENV, c->env.list[i]);
	if (c->dir)
		wire_put_text(w, PROTO_K_CWD, c->dir);
	if (c->user)
		wire_put_text(w, PROTO_K_USER, c->user);
	wire_put_u32(w, PROTO_K_STREAMS, streams_of(c));
	wire_put_u32(w, PROTO_K_FLAGS, c->detach ? PROTO_DETACH : 0);
	if (c->tty && size->cols) {
		put_le16(cells, size->cols);
		put_le16(cells + 2, size->rows);
		wire_put(w, PROTO_K_SIZE, cells, sizeof(cells));
	}
}

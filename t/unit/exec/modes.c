// SPDX-License-Identifier: ISC
/*
 * modes.c - an agent that lies, breaks rules, stalls and vanishes; see ../exec_server.c.
 *
 * A mode is a list of steps, one word each, with a comma between: what is sent on the control
 * connection, what on stdout, what is closed. After the last it waits until the client has gone.
 *
 *	started started-no-pid		records as they should be, or not quite
 *	exit:N signal:N failed:N	... counting 3 bytes on stdout, none on stderr
 *	exit-both exit-none exit-uncounted unknown exec
 *	huge big reserved fields half	a header or body that cannot be
 *	split				the next record goes byte by byte
 *	join				the next record goes with the one behind it
 *	out:N err:N			bytes on stdout, stderr
 *	eof				stdout and stderr end
 *	close				everything is closed
 *	close-control			... the control connection alone
 *	flood				records without end
 *	hold				nothing more, for ever
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agent.h"
#include "util.h"

static struct wire_out joined;
static bool split, join;

static void put(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; split && i < len; i++)
		send(fd, p + i, 1, MSG_NOSIGNAL);
	if (!split)
		send(fd, p, len, MSG_NOSIGNAL);
	split = false;
}

static void put_record(int fd, struct wire_out *w)
{
	uint8_t both[2 * WIRE_SMALL];

	wire_end(w);
	if (join) {
		joined = *w;
		join = false;
		return;
	}
	memcpy(both, joined.data, joined.len);
	memcpy(both + joined.len, w->data, w->len);
	put(fd, both, joined.len + w->len);
	wire_drop(&joined);
	wire_drop(w);
}

static void put_exit(int fd, const char *how, uint32_t number)
{
	struct wire_out w;

	wire_begin(&w, PROTO_EXIT);
	if (strcmp(how, "signal") && strcmp(how, "exit-none"))
		wire_put_u32(&w, PROTO_K_STATUS, number);
	if (!strcmp(how, "signal") || !strcmp(how, "exit-both"))
		wire_put_u32(&w, PROTO_K_SIGNAL, number);
	if (strcmp(how, "exit-uncounted")) {
		wire_put_u64(&w, PROTO_K_BYTES_OUT, 3);
		wire_put_u64(&w, PROTO_K_BYTES_ERR, 0);
	}
	put_record(fd, &w);
}

static void put_simple(int fd, unsigned int type, unsigned int kind, uint32_t number)
{
	struct wire_out w;

	wire_begin(&w, type);
	wire_put_u32(&w, kind, number);
	if (type == PROTO_FAILED)
		wire_put_text(&w, PROTO_K_TEXT, "out of\033[2J luck\n");
	put_record(fd, &w);
}

/* A header, and a field's behind it. */
static void put_raw(int fd, uint32_t len, uint16_t reserved, uint32_t field)
{
	uint8_t b[WIRE_HEADER + WIRE_FIELD_HEADER + 4] = { 0 };

	put_le32(b, len);
	put_le16(b + 4, PROTO_STARTED);
	put_le16(b + 6, reserved);
	put_le32(b + 8, field);
	put_le16(b + 12, PROTO_K_PID);
	put(fd, b, sizeof(b));
}

static void put_bytes(int fd, size_t len)
{
	char block[65536];

	memset(block, 'x', sizeof(block));
	while (len) {
		ssize_t n = send(fd, block, MIN(len, sizeof(block)), MSG_NOSIGNAL);

		if (n <= 0)
			return;
		len -= (size_t)n;
	}
}

static void close_all(const struct request *q)
{
	int i;

	for (i = 0; i < PROTO_STREAMS; i++)
		if (q->stream[i] >= 0)
			shutdown(q->stream[i], SHUT_RDWR);
}

static void step(const struct request *q, const char *word, uint32_t number)
{
	int fd = q->stream[PROTO_CONTROL];
	int out = q->stream[q->stream[PROTO_TTY] >= 0 ? PROTO_TTY : PROTO_STDOUT];

	if (is_mode(word, "started"))
		put_simple(fd, PROTO_STARTED, PROTO_K_PID, 7);
	else if (is_mode(word, "started-no-pid"))
		put_simple(fd, PROTO_STARTED, PROTO_K_STATUS, 7);
	else if (is_mode(word, "failed"))
		put_simple(fd, PROTO_FAILED, PROTO_K_STATUS, number);
	else if (is_mode(word, "unknown"))
		put_simple(fd, 999, PROTO_K_PID, 7);
	else if (is_mode(word, "exec"))
		put_simple(fd, PROTO_EXEC, PROTO_K_ARG, 7);
	else if (is_mode(word, "exit") || is_mode(word, "signal") || !strncmp(word, "exit-", 5))
		put_exit(fd, word, number);
	else if (is_mode(word, "huge"))
		put_raw(fd, UINT32_MAX, 0, 4);
	else if (is_mode(word, "big"))
		put_raw(fd, WIRE_SMALL + 1, 0, 4);
	else if (is_mode(word, "reserved"))
		put_raw(fd, WIRE_FIELD_HEADER + 4, 1, 4);
	else if (is_mode(word, "fields"))
		put_raw(fd, WIRE_FIELD_HEADER + 4, 0, 5);
	else if (is_mode(word, "half"))
		put(fd, "\14\0\0\0\4\0", 6);
	else if (is_mode(word, "out"))
		put_bytes(out, number);
	else if (is_mode(word, "err"))
		put_bytes(q->stream[PROTO_STDERR], number);
	else if (is_mode(word, "eof")) {
		shutdown(out, SHUT_WR);
		shutdown(q->stream[PROTO_STDERR], SHUT_WR);
	} else if (is_mode(word, "close"))
		close_all(q);
	else if (is_mode(word, "close-control"))
		shutdown(fd, SHUT_RDWR);
	else if (is_mode(word, "hold"))
		pause();
	split |= is_mode(word, "split");
	join |= is_mode(word, "join");
	while (is_mode(word, "flood") && send(fd, "\0\0\0\0\4\0\0\0", 8, MSG_NOSIGNAL) > 0)
		;
}

/** agent_misbehave() - do as a mode says. @q: request. @mode: steps. Return: exit status. */
int agent_misbehave(const struct request *q, const char *mode)
{
	char *steps = strdup(mode), *save = NULL, *word;
	char byte;

	for (word = strtok_r(steps, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *number = strchr(word, ':');

		if (number)
			*number++ = 0;
		step(q, word, number ? (uint32_t)strtoul(number, NULL, 10) : 0);
	}
	free(steps);
	while (recv(q->stream[PROTO_CONTROL], &byte, 1, 0) > 0)
		;
	return 0;
}

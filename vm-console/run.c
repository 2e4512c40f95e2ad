// SPDX-License-Identifier: ISC
/*
 * run.c - run a command in the guest through a shell on its console.
 *
 * session.c finds the shell and starts our helper in it, guest.c is what is typed, record.c how the
 * answers are framed. The transcript, in which N is a nonce of the session:
 *
 *	we send			guest answers
 *	probe 1, probe 2...	N P 2			a shell is there
 *	loader			N L			echo is off
 *	piece of the helper	N a LENGTH		so much of it is there; again and again
 *	(empty line)		N H			the helper runs; or N E WHY
 *	N c OFFSET PIECE	N c LENGTH		a piece of the command
 *	N v			N v SHA256 -		checksum of the command as it arrived
 *	N x			N X			it runs
 *				N D STATUS SIZE SUM	it ended; SUM is STATUS + SIZE
 *				N E WHY			or the command killed the helper
 *	N w			N X or N D ...		asked when something else came that may have hit D
 *	N i, N k		nothing			SIGINT, SIGKILL to the command's process group
 *	N e			N e			D was heard
 *	N g K BYTES		N g K LENGTH SHA256 - CODE DATA		chunk K of the output
 *	N f			N f			the output was had, its file may go
 *	N q			N Q			good-bye
 *	N z			nothing			good-bye in a hurry: kill, clear up, leave
 *
 * We send lines of at most 240 characters, one at a time, each answered before the next: nothing is
 * overrun, neither a UART nor a terminal's 4096 bytes, and nothing is waited for by sleeping.
 *
 * Every request behind H may be repeated without harm, and is, when no good answer comes: after a
 * silence, and at once after a damaged chunk. So the kernel may print into the middle of it all, and
 * lost bytes cost time, or in the end an error, but never make a wrong result.
 *
 * The output goes to a file in the guest and is fetched when the command has ended: a background
 * child that keeps it open holds nobody up, and what that writes later is not part of the result.
 */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "log.h"
#include "opts.h"
#include "sha256.h"
#include "util.h"

enum {
	PIECE = 200,            /* characters of the command in a line */
	ATTEMPTS = 10,          /* at a chunk */
	GRACE = 1000,           /* ms between SIGINT and SIGKILL */
	RECOVERY = 8000,        /* ms that clearing up after a timeout may take in all */
};

struct ended {
	uint64_t status, size;
};

/* Give the helper the command and see that it arrived as it is. */
static int upload(struct session *s, const char *command)
{
	autofree char *quoted = guest_quote(command);
	char line[GUEST_LINE], number[24], sum[SHA256_TEXT];
	size_t len, done, n;
	struct record rec;
	int e = 0;

	if (!quoted)
		return session_fail(s, "out of memory");
	len = strlen(quoted);
	for (done = 0; !e && done < len; done += n) {
		n = MIN(len - done, (size_t)PIECE);
		snprintf(line, sizeof(line), "c %zu %.*s", done, (int)n, quoted + done);
		snprintf(number, sizeof(number), "%zu", done + n);
		e = session_ask(s, line, "c", number, &rec);
	}
	if (!e)
		e = session_ask(s, "v", "v", NULL, &rec);
	if (e)
		return e;
	sha256_text(command, strlen(command), sum);
	if (!rec.args || strcmp(rec.arg[0], sum))
		return session_fail(s, "the command did not arrive in the guest as it is");
	return 0;
}

static bool take_end(const struct record *rec, struct ended *end)
{
	uint64_t sum;

	return rec->op == 'D' && rec->args == 3 && !parse_u64(rec->arg[0], 0, 255, &end->status) &&
	       !parse_u64(rec->arg[1], 0, UINT64_MAX / 2, &end->size) &&
	       !parse_u64(rec->arg[2], 0, UINT64_MAX, &sum) && sum == end->status + end->size;
}

/* Wait for the command's end, for as long as it takes. */
static int wait_end(struct session *s, struct ended *end)
{
	struct record rec;

	for (;;) {
		int e = session_next(s, -1, &rec);

		if (!e) {
			/* Something else was on the console: it may have cost us the news. */
			s->reader.noise = false;
			e = session_ask(s, "w", "XDE", NULL, &rec);
		}
		if (e < 0)
			return e;
		if (rec.op == 'E') {
			s->state = SESSION_AWAY;
			session_type(s, " stty sane\n");        /* its modes died with it */
			return session_fail(s, rec.args ? rec.arg[0] : "the helper gave up");
		}
		if (take_end(&rec, end))
			return 0;
	}
}

/* The bytes of a chunk, if they came as they were sent: their number, or -EBADMSG. */
static ssize_t take_chunk(const struct session *s, const struct record *rec,
			  uint8_t bytes[SESSION_CHUNK_MAX])
{
	char sum[SHA256_TEXT];
	uint64_t length;
	ssize_t n;

	if (rec->args != RECORD_ARGS || parse_u64(rec->arg[1], 0, s->chunk, &length))
		return -EBADMSG;
	n = record_decode(rec->arg[4][0], rec->data, rec->len, bytes, SESSION_CHUNK_MAX);
	if (n < 0 || (uint64_t)n != length)
		return -EBADMSG;
	sha256_text(bytes, (size_t)n, sum);
	return strcmp(rec->arg[2], sum) ? -EBADMSG : n;
}

/*
 * Get the chunk at @offset and print the output in it, which ends at @size. Return the number of bytes
 * or -errno. A console that spoils chunks gets smaller ones for a while: the kernel may be talkative.
 */
static int64_t fetch_chunk(struct session *s, uint64_t offset, uint64_t size)
{
	static uint8_t bytes[SESSION_CHUNK_MAX];
	int attempt;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		size_t expected = (size_t)MIN(size - offset, (uint64_t)s->chunk);
		char request[64], number[24];
		struct record rec;
		ssize_t n;
		int e;

		snprintf(number, sizeof(number), "%llu", (unsigned long long)(offset / s->chunk));
		snprintf(request, sizeof(request), "g %s %zu", number, s->chunk);
		e = session_ask(s, request, "g", number, &rec);
		if (e)
			return e;
		n = take_chunk(s, &rec, bytes);
		if (n < 0) {
			debug("console: chunk %s of %zu bytes came damaged", number, s->chunk);
			s->chunk = MAX(s->chunk / 2, (size_t)SESSION_CHUNK_MIN);
			continue;
		}
		if ((size_t)n < expected)
			return session_fail(s, "the guest lost some of the command's output");
		if (!attempt && s->chunk < SESSION_CHUNK_MAX &&
		    !((offset + expected) % (2 * s->chunk)))
			s->chunk *= 2;
		e = pump_print(s->p, bytes, expected);
		return e ? e : (int64_t)expected;
	}
	return session_fail(s, "the command's output comes damaged");
}

/* Tell that the end was heard, print the output, have its file removed. */
static int finish(struct session *s, const struct ended *end)
{
	uint64_t done = 0;
	struct record rec;
	int e = session_ask(s, "e", "e", NULL, &rec);

	if (e)
		return e;
	s->state = SESSION_READY;
	while (done < end->size) {
		int64_t n = fetch_chunk(s, done, end->size);

		if (n < 0)
			return (int)n;
		done += (uint64_t)n;
	}
	return session_ask(s, "f", "f", NULL, &rec);
}

/**
 * run_command() - run a command in the guest and print its output
 * @s: AWAY, then a session is opened first, or READY; READY afterwards, unless it fails
 * @command: for the guest's `sh -c`
 *
 * Return: the command's exit status, 0-255; -ETIMEDOUT (run_recover() then); -EINTR, -EPIPE and -EIO
 * (session_abandon() then; for -EIO the pump knows why); -ECONNRESET when the VM ended.
 */
int run_command(struct session *s, const char *command)
{
	struct ended end;
	struct record rec;
	int e = s->state == SESSION_AWAY ? session_open(s) : 0;

	if (!e)
		e = upload(s, command);
	if (e)
		return e;
	s->state = SESSION_BUSY;
	s->reader.noise = false;
	e = session_ask(s, "x", "XD", NULL, &rec);
	if (!e && !take_end(&rec, &end))
		e = wait_end(s, &end);
	if (!e)
		e = finish(s, &end);
	return e ? e : (int)end.status;
}

/* Stop the command: first as Ctrl-C would, then for good. */
static int stop(struct session *s, struct ended *end)
{
	uint64_t deadline = s->p->deadline;
	int e = session_say(s, "i");

	if (!e) {
		s->p->deadline = now_msec() + GRACE;
		e = wait_end(s, end);
		s->p->deadline = deadline;
	}
	if (e == -ETIMEDOUT) {
		e = session_say(s, "k");
		if (!e)
			e = wait_end(s, end);
	}
	return e;
}

/**
 * run_recover() - after a timeout: stop the command, print what it had written, leave the guest's
 * shell and terminal as they were
 * @s: in whatever state; AWAY afterwards
 *
 * Moves the pump's deadline. What does not work out in time is left to the guest (session_abandon()).
 */
void run_recover(struct session *s)
{
	struct ended end;
	int e = 0;

	s->p->deadline = now_msec() + RECOVERY;
	if (s->state == SESSION_BUSY) {
		e = stop(s, &end);
		if (!e)
			e = finish(s, &end);
	}
	if (!e && s->state == SESSION_READY)
		e = session_close(s);
	if (e)
		debug("console: the command could not be stopped in an orderly way");
	session_abandon(s);
}

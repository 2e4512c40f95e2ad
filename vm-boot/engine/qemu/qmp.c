// SPDX-License-Identifier: ISC
/*
 * qmp.c - QEMU's monitor: commands out, answers and events in (QEMU docs/interop/qmp-spec).
 *
 *	GREETING --"QMP" object--> NEGOTIATING --answer to qmp_capabilities--> READY
 *	any of them --wrong line, end of the connection--> BROKEN
 *
 * Each message is a line of JSON. QEMU hosts the guest and is believed no more than the guest: a
 * line longer than LINE_SIZE or that is not a QMP message breaks the connection for good. Commands
 * are small, go out whole or not at all, and are numbered; answers to numbers that nobody waits for
 * any more are told to the handler, who knows them or not.
 */
#include "qmp.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "json.h"
#include "log.h"
#include "util.h"

enum { LINE_SIZE = 64 << 10 };

enum qmp_state { QMP_GREETING, QMP_NEGOTIATING, QMP_READY, QMP_BROKEN };

struct qmp {
	int sock;
	enum qmp_state state;
	int why;                /* BROKEN: -errno */
	struct qmp_handler handler;
	const struct qmp_beside *beside;        /* while it greets, or NULL */
	unsigned int next_id;
	unsigned int wait_id;   /* whose answer qmp_run() waits for, 0: none */
	int result;             /* of it, when wait_id is 0 again */
	size_t len;
	char buf[LINE_SIZE];
};

static int broken(struct qmp *m, int err)
{
	if (m->state != QMP_BROKEN)
		m->why = err;
	m->state = QMP_BROKEN;
	return m->why;
}

static int take_reply(struct qmp *m, const char *line, size_t len)
{
	char text[256], desc[200];
	bool failed = json_get(line, len, "error", text, sizeof(text)) == JSON_OBJECT;
	unsigned long id;
	char *end;

	if (failed && json_get(line, len, "error.desc", desc, sizeof(desc)) != JSON_STRING)
		strcpy(desc, "no reason given");
	if (!failed && json_get(line, len, "return", text, sizeof(text)) == -ENOENT)
		return -EBADMSG;
	if (json_get(line, len, "id", text, sizeof(text)) != JSON_NUMBER)
		return -EBADMSG;
	id = strtoul(text, &end, 10);
	if (*end || !id || id >= m->next_id)
		return -EBADMSG;
	if (failed)
		debug("qemu: monitor: %s", desc);
	if (id == m->wait_id) {
		m->wait_id = 0;
		m->result = failed ? -EIO : 0;
	} else if (m->handler.reply) {
		m->handler.reply(m->handler.arg, (unsigned int)id, line, len);
	}
	return 0;
}

static int take_line(struct qmp *m, const char *line, size_t len)
{
	char name[64];
	int type;

	if (m->state == QMP_GREETING) {
		if (json_get(line, len, "QMP", name, sizeof(name)) != JSON_OBJECT)
			return -EBADMSG;
		m->state = QMP_NEGOTIATING;
		return 0;
	}
	type = json_get(line, len, "event", name, sizeof(name));
	if (type == -ENOENT)
		return take_reply(m, line, len);
	/* Of events with such a name there is none that we know. */
	if (type == -EMSGSIZE)
		return 0;
	if (type != JSON_STRING)
		return -EBADMSG;
	m->handler.event(m->handler.arg, name, line, len);
	return 0;
}

static int take_lines(struct qmp *m)
{
	char *from = m->buf, *end = m->buf + m->len, *nl;
	int err = 0;

	while (!err && (nl = memchr(from, '\n', (size_t)(end - from)))) {
		err = take_line(m, from, (size_t)(nl - from));
		from = nl + 1;
	}
	m->len = (size_t)(end - from);
	memmove(m->buf, from, m->len);
	return err ? err : m->len == sizeof(m->buf) ? -EMSGSIZE : 0;
}

/**
 * qmp_read() - take what QEMU said
 * @m: monitor
 *
 * Does not block; one call reads at most one line's worth. Return: 0 when there may be more;
 * -EAGAIN; -EPIPE at the end of the connection; -EBADMSG, -EMSGSIZE: QEMU is not to be trusted any
 * more, and will be asked nothing.
 */
int qmp_read(struct qmp *m)
{
	ssize_t n;
	int err;

	if (m->state == QMP_BROKEN)
		return m->why;
	do
		n = recv(m->sock, m->buf + m->len, sizeof(m->buf) - m->len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		return broken(m, -EPIPE);
	m->len += (size_t)n;
	err = take_lines(m);
	return err ? broken(m, err) : 0;
}

/**
 * qmp_send() - give a command and do not wait
 * @m: monitor
 * @command: its name
 * @arguments: a JSON object, or NULL
 * Return: the number its answer will have, positive; -EAGAIN when QEMU takes no commands; -errno.
 */
int qmp_send(struct qmp *m, const char *command, const char *arguments)
{
	char text[512];
	unsigned int id = m->next_id;
	ssize_t sent;
	int n;

	if (m->state == QMP_BROKEN)
		return m->why;
	assert(m->state != QMP_GREETING);
	n = snprintf(text, sizeof(text), "{\"execute\":\"%s\",\"id\":%u%s%s}\n", command, id,
		     arguments ? ",\"arguments\":" : "", arguments ? arguments : "");
	assert((size_t)n < sizeof(text));
	do
		sent = send(m->sock, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	if (sent != n)
		return broken(m, -EPIPE);
	m->next_id = id == INT32_MAX ? 1 : id + 1;
	return (int)id;
}

static int64_t now_msec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Read once more, or serve what is beside it, waiting for either until @deadline. */
static int wait_read(struct qmp *m, int64_t deadline)
{
	struct pollfd p[2] = {
		{ .fd = m->sock, .events = POLLIN },
		{ .fd = m->beside ? m->beside->fd : -1, .events = POLLIN },
	};
	int64_t left = deadline - now_msec();
	int n;

	n = left > 0 ? poll(p, ARRAY_SIZE(p), (int)left) : 0;
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ETIMEDOUT;
	if (p[1].revents && m->beside->serve(m->beside->arg))
		m->beside = NULL;
	if (!p[0].revents)
		return 0;
	n = qmp_read(m);
	return n == -EAGAIN ? 0 : n;
}

/**
 * qmp_run() - give a command and wait for its answer; events are handled meanwhile
 * @m: monitor; not from its handler
 * @command: its name; takes no arguments
 * @msec: how long to wait
 * Return: 0; -EIO when QEMU refused; -ETIMEDOUT, the answer then goes to the handler; what
 * qmp_read() and qmp_send() return.
 */
int qmp_run(struct qmp *m, const char *command, int msec)
{
	int64_t deadline = now_msec() + msec;
	int err = qmp_send(m, command, NULL);

	if (err < 0)
		return err;
	m->wait_id = (unsigned int)err;
	for (err = 0; !err && m->wait_id;)
		err = wait_read(m, deadline);
	if (m->wait_id || m->state == QMP_BROKEN) {
		/* A wrong line may have come together with the answer; nobody would read it again. */
		m->wait_id = 0;
		return err ? err : m->why;
	}
	return m->result;
}

/**
 * qmp_greet() - hear the greeting and negotiate
 * @m: new
 * @msec: in all
 * @beside: served meanwhile; NULL: nothing
 * Return: as qmp_run().
 */
int qmp_greet(struct qmp *m, int msec, const struct qmp_beside *beside)
{
	int64_t deadline = now_msec() + msec;
	int err = 0;

	m->beside = beside;
	while (!err && m->state == QMP_GREETING)
		err = wait_read(m, deadline);
	if (!err)
		err = qmp_run(m, "qmp_capabilities", (int)MAX(deadline - now_msec(), (int64_t)1));
	m->beside = NULL;
	if (!err)
		m->state = QMP_READY;
	return err;
}

/** qmp_fd() - what to watch for EPOLLIN. @m. Return: descriptor, borrowed. */
int qmp_fd(const struct qmp *m)
{
	return m->sock;
}

/**
 * qmp_new() - a monitor
 * @sock: our end of a stream socket pair; consumed
 * @handler: copied
 * Return: it, freed with qmp_free(); NULL when out of memory.
 */
struct qmp *qmp_new(int *sock, const struct qmp_handler *handler)
{
	struct qmp *m = calloc(1, sizeof(*m));

	if (!m) {
		cleanup_fd(sock);
		return NULL;
	}
	m->sock = steal_fd(sock);
	m->handler = *handler;
	m->next_id = 1;
	return m;
}

/** qmp_free() - end the connection. @m: may be NULL. */
void qmp_free(struct qmp *m)
{
	if (!m)
		return;
	cleanup_fd(&m->sock);
	free(m);
}

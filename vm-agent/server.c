// SPDX-License-Identifier: ISC
/*
 * server.c - exec connections: accepts them, ties them to sessions.
 *
 * A connection is one of these, and has HELLO_MS from accept(2) on to become a session's:
 *
 *   READING	its hello is not complete
 *   PARKED	a stream whose session is not known yet: its control connection may come later
 *
 * Then its descriptor belongs to a session (exec.c). CONNS_MAX are kept, SESSIONS_MAX run at a time;
 * what is beyond is refused. A hello is read to its last byte and not further, so that all that
 * follows is left to a stream's reader.
 *
 * Without a free descriptor accepting pauses, and goes on when one was freed, or after RETRY_MS, since
 * the kernel's table is not ours alone.
 *
 * Sessions end while their own code runs; they are freed from the timer, which they wake. TERM and
 * INT end the server: nothing is accepted any more, commands have ENDING_MS to end by themselves
 * (in a machine that goes down they got a TERM too), then they are hung up.
 */
#include "server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <linux/vm_sockets.h>

#include "clock.h"
#include "exec.h"
#include "kmsg.h"
#include "life.h"
#include "loop.h"
#include "proto.h"
#include "report.h"
#include "util.h"

enum {
	HELLO_MS = 30000,
	RETRY_MS = 1000,
	ENDING_MS = 500,
	CONNS_MAX = 4096,
	SESSIONS_MAX = 1024,
	ACCEPTS = 64,
};

struct server;

struct conn {
	struct conn *next, **at;	/* oldest first */
	struct server *server;
	int fd, watch;
	long long deadline;
	uint8_t hello[PROTO_HELLO];
	size_t len;			/* PROTO_HELLO: PARKED */
};

struct server {
	struct loop *loop;
	struct exec_host host;
	int listener, family, watch;
	int accepts;			/* at a time */
	int signals, signals_watch;
	int timer;
	long long armed;		/* when the timer fires; 0: it does not */
	long long retry;		/* when to accept again; 0: it does */
	long long ending;		/* when to hang up everyone; 0: not ending */
	struct conn *conns, **last;
	unsigned int conn_count, session_count;
	struct exec *sessions[SESSIONS_MAX];
};

/* Have the timer fire at @at at the latest. */
static void wake(void *arg, long long at)
{
	struct server *v = arg;
	long long now = clock_ms();

	if (v->armed && v->armed <= at)
		return;
	v->armed = at;
	loop_timer_set(v->loop, v->timer, at > now ? (uint64_t)(at - now) : 1);
}

/* -- connections -- */

static void drop(struct conn *c)
{
	struct server *v = c->server;

	loop_del(v->loop, &c->watch);
	cleanup_fd(&c->fd);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	else
		v->last = c->at;
	v->conn_count--;
	free(c);
	if (v->retry)
		wake(v, clock_ms());
}

static enum proto_stream kind(const struct conn *c)
{
	return c->hello[4];
}

static const uint8_t *session_id(const struct conn *c)
{
	return c->hello + PROTO_HELLO - PROTO_ID;
}

static bool hello_is_good(const struct conn *c)
{
	static const uint8_t head[4] = { 'p', 'v', 'm', PROTO_VERSION };

	return !memcmp(c->hello, head, sizeof(head)) && kind(c) < PROTO_STREAMS &&
	       !c->hello[5] && !c->hello[6] && !c->hello[7];
}

static struct exec *find_session(const struct server *v, const uint8_t *id)
{
	unsigned int i;

	for (i = 0; i < v->session_count; i++)
		if (exec_is(v->sessions[i], id))
			return v->sessions[i];
	return NULL;
}

/* Give a new session the streams that came before it. */
static void unpark(struct server *v, struct exec *s, const uint8_t *id)
{
	struct conn *c, *next;

	for (c = v->conns; c; c = next) {
		next = c->next;
		if (c->len < PROTO_HELLO || memcmp(session_id(c), id, PROTO_ID) != 0)
			continue;
		/* Not taken: the same stream twice. Either way the connection is done with. */
		exec_stream(s, kind(c), &c->fd);
		drop(c);
	}
}

/* Free the sessions that ended. Not to be called from a session's own code. */
static void sweep(struct server *v)
{
	unsigned int i;

	for (i = 0; i < v->session_count; )
		if (exec_ended(v->sessions[i])) {
			exec_free(v->sessions[i]);
			v->sessions[i] = v->sessions[--v->session_count];
		} else {
			i++;
		}
	if (v->ending && !v->session_count)
		loop_stop(v->loop);
}

static void begin_session(struct server *v, struct conn *c)
{
	uint8_t id[PROTO_ID];
	struct exec *s;

	memcpy(id, session_id(c), sizeof(id));
	if (find_session(v, id)) {
		drop(c);
		return;
	}
	if (v->session_count == SESSIONS_MAX)
		sweep(v);
	if (v->session_count == SESSIONS_MAX) {
		report_refusal(c->fd, "too many commands at a time");
		drop(c);
		return;
	}
	s = exec_new(&v->host, id, &c->fd);
	drop(c);
	if (!s) {
		kmsg(KMSG_ERR, "session: %s", strerror(ENOMEM));
		return;
	}
	v->sessions[v->session_count++] = s;
	unpark(v, s, id);
}

/* The hello is complete. */
static void classify(struct conn *c)
{
	struct server *v = c->server;
	struct exec *s;

	loop_del(v->loop, &c->watch);
	if (!hello_is_good(c)) {
		drop(c);
	} else if (kind(c) == PROTO_CONTROL) {
		begin_session(v, c);
	} else if ((s = find_session(v, session_id(c))) != NULL) {
		exec_stream(s, kind(c), &c->fd);
		drop(c);
	}
}

static void conn_ready(void *arg, uint32_t events)
{
	struct conn *c = arg;
	ssize_t n;

	(void)events;
	do
		n = recv(c->fd, c->hello + c->len, PROTO_HELLO - c->len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	if (c->len == PROTO_HELLO)
		classify(c);
}

/* Take over a connection. */
static void add_conn(struct server *v, int *fd)
{
	struct conn *c = v->conn_count < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		cleanup_fd(fd);
		return;
	}
	*c = (struct conn){
		.server = v, .fd = steal_fd(fd), .deadline = clock_ms() + HELLO_MS, .at = v->last,
	};
	*v->last = c;
	v->last = &c->next;
	v->conn_count++;
	c->watch = loop_add(v->loop, c->fd, EPOLLIN, conn_ready, c);
	if (c->watch < 0) {
		drop(c);
		return;
	}
	wake(v, c->deadline);
}

/* Whether the one that connected may: the host, through vsock; ourselves, through a file. A guest's
 * user comes from another CID. */
static bool may_connect(int fd, const struct sockaddr_vm *from)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (from->svm_family == AF_VSOCK)
		return from->svm_cid == VMADDR_CID_HOST;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == geteuid();
}

static void pause_accepting(struct server *v, int err)
{
	static bool said;

	if (!said)
		kmsg(KMSG_WARNING, "accept: %s: paused; not said again", strerror(err));
	said = true;
	loop_mod(v->loop, v->watch, 0);
	v->retry = clock_ms() + RETRY_MS;
	wake(v, v->retry);
}

static void listener_ready(void *arg, uint32_t events)
{
	struct server *v = arg;
	int i;

	(void)events;
	for (i = 0; i < v->accepts; i++) {
		struct sockaddr_vm from = { .svm_family = (sa_family_t)v->family };
		socklen_t len = sizeof(from);
		int fd = accept4(v->listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0) {
			pause_accepting(v, errno);
			return;
		}
		from.svm_family = (sa_family_t)v->family;
		if (may_connect(fd, &from))
			add_conn(v, &fd);
		else
			close(fd);
	}
}

/* -- time, children, the end -- */

static void tick_sessions(struct server *v, long long now)
{
	unsigned int i;

	for (i = 0; i < v->session_count; i++) {
		long long at;

		if (v->ending && now >= v->ending)
			exec_hang_up(v->sessions[i]);
		at = exec_tick(v->sessions[i], now);
		if (at)
			wake(v, at);
	}
}

static void timer_fired(void *arg, uint32_t events)
{
	struct server *v = arg;
	long long now = clock_ms();

	(void)events;
	v->armed = 0;
	while (v->conns && v->conns->deadline <= now)
		drop(v->conns);
	if (v->conns)
		wake(v, v->conns->deadline);
	if (v->retry && !v->ending) {
		v->retry = 0;
		loop_mod(v->loop, v->watch, EPOLLIN);
	}
	if (v->ending > now)
		wake(v, v->ending);
	tick_sessions(v, now);
	sweep(v);
}

/* Reap whoever exited: commands through their sessions, and the helpers that nobody waits for. */
static void reap(struct server *v)
{
	unsigned int i;

	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			return;
		for (i = 0; i < v->session_count; i++)
			if (exec_pid(v->sessions[i]) == info.si_pid)
				break;
		if (i < v->session_count)
			exec_reap(v->sessions[i]);
		else
			waitpid(info.si_pid, NULL, WNOHANG);
	}
}

static void begin_ending(struct server *v)
{
	if (v->ending)
		return;
	v->ending = clock_ms() + ENDING_MS;
	loop_del(v->loop, &v->watch);
	while (v->conns)
		drop(v->conns);
	wake(v, v->ending);
	sweep(v);
}

static void signal_came(void *arg, uint32_t events)
{
	struct server *v = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(v->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo == SIGCHLD)
			reap(v);
		else
			begin_ending(v);
}

static int open_signals(void)
{
	sigset_t set;

	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int set_up(struct server *v)
{
	v->loop = loop_new();
	v->signals = open_signals();
	if (!v->loop || v->signals < 0)
		return -errno;
	v->host = (struct exec_host){ v->loop, wake, v };
	v->timer = loop_timer(v->loop, timer_fired, v);
	v->signals_watch = loop_add(v->loop, v->signals, EPOLLIN, signal_came, v);
	v->watch = loop_add(v->loop, v->listener, EPOLLIN, listener_ready, v);
	return MIN(MIN(v->timer, v->signals_watch), MIN(v->watch, 0));
}

/**
 * server_run() - serve until TERM or INT
 * @listener: listens; borrowed. Without O_NONBLOCK it is asked for one connection at a time: its
 *	description may be shared
 * @family: its, AF_VSOCK or AF_UNIX
 * @life: for the link to the host; NULL: none
 *
 * The process is the server's: its signals, its children.
 * Return: 0 when told to end; -errno.
 */
int server_run(int listener, int family, const struct life_config *life)
{
	struct server *v = calloc(1, sizeof(*v));
	struct life *link = NULL;
	int err;

	if (!v)
		return -ENOMEM;
	v->listener = listener;
	v->family = family;
	v->accepts = fcntl(listener, F_GETFL) & O_NONBLOCK ? ACCEPTS : 1;
	v->last = &v->conns;
	v->signals = -1;
	err = set_up(v);
	if (!err && life && !(link = life_start(v->loop, life)))
		err = -ENOMEM;
	if (!err)
		err = loop_run(v->loop);
	life_free(link);
	assert(err || !v->session_count);
	cleanup_fd(&v->signals);
	loop_free(v->loop);
	free(v);
	return err;
}

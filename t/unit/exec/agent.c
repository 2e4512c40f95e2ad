// SPDX-License-Identifier: ISC
/* agent.c - an agent for tests: runs commands on this host, one per process; see ../exec_server.c. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "log.h"
#include "util.h"

/* Bytes one way: read when there are none, written when there are. */
struct way {
	int from, to;           /* -1: at its end */
	size_t at, len;
	uint64_t moved;
	char buf[65536];
};

enum { WAY_IN, WAY_OUT, WAY_ERR, WAYS };

static struct way way[WAYS];
static int log_fd = -1;

/** is_mode() - whether @mode is @word. */
bool is_mode(const char *mode, const char *word)
{
	return !strcmp(mode, word);
}

/** agent_log() - write a line down. @fmt. */
void agent_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (log_fd >= 0 && (vdprintf(log_fd, fmt, ap) < 0 || write(log_fd, "\n", 1) < 0))
		die(1, "log");
	va_end(ap);
}

/** agent_send() - finish, send and drop a record. @fd, @w. */
void agent_send(int fd, struct wire_out *w)
{
	wire_end(w);
	send(fd, w->data, w->len, MSG_NOSIGNAL);
	wire_drop(w);
}

/** agent_next() - the next record, blocking. @q: record is filled in. Return: false at the end. */
bool agent_next(struct request *q)
{
	wire_take(&q->in);
	while (wire_next(&q->in, &q->record) == 0) {
		size_t room;
		void *p = wire_room(&q->in, &room);
		ssize_t n = read(q->stream[PROTO_CONTROL], p, room);

		if (n <= 0)
			return false;
		wire_got(&q->in, (size_t)n);
	}
	return q->in.record;
}

static void log_record(const struct wire_record *r)
{
	static const char *const names[] = {
		[PROTO_K_ARG] = "arg", [PROTO_K_ENV] = "env", [PROTO_K_CWD] = "cwd", [PROTO_K_USER] = "user",
		[PROTO_K_STREAMS] = "streams", [PROTO_K_FLAGS] = "flags", [PROTO_K_SIZE] = "size",
		[PROTO_K_NAME] = "signal",
	};
	struct wire_field f;
	size_t at = 0;

	while (wire_field(r, &at, &f)) {
		const char *name = f.kind < ARRAY_SIZE(names) && names[f.kind] ? names[f.kind] : "unknown";

		if (f.kind == PROTO_K_SIZE)
			agent_log("size=%ux%u", get_le16(f.data), get_le16(f.data + 2));
		else if (f.kind == PROTO_K_STREAMS || f.kind == PROTO_K_FLAGS)
			agent_log("%s=%u", name, get_le32(f.data));
		else
			agent_log("%s=%.*s", name, (int)f.len, (const char *)f.data);
	}
}

/* -- running a command -- */

static char *text_of(const struct wire_field *f)
{
	return strndup((const char *)f->data, f->len);
}

/* In the child: become the command. Return only when that fails. */
static int become(const struct request *q)
{
	char **argv = calloc(q->record.len / 8 + 2, sizeof(*argv));
	struct wire_field f;
	size_t at = 0, n = 0;

	while (wire_field(&q->record, &at, &f)) {
		if (f.kind == PROTO_K_ARG)
			argv[n++] = text_of(&f);
		if (f.kind == PROTO_K_ENV)
			putenv(text_of(&f));
		if (f.kind == PROTO_K_CWD && chdir(text_of(&f)) < 0)
			return errno;
	}
	execvp(argv[0], argv);
	return errno;
}

static void make_pipe(int *ours, int *theirs, bool in)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		die(1, "pipe");
	*ours = p[in];
	*theirs = p[!in];
	fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static void set_size(const struct wire_record *r, int master)
{
	uint8_t b[4];
	struct winsize ws = { 0 };

	if (master < 0 || !wire_get_bytes(r, PROTO_K_SIZE, b, sizeof(b)))
		return;
	ws.ws_col = get_le16(b);
	ws.ws_row = get_le16(b + 2);
	ioctl(master, TIOCSWINSZ, &ws);
}

/* The child's ends in @theirs, ours in the ways. Return the pty's master, or -1. */
static int make_streams(const struct request *q, int theirs[3])
{
	bool tty = q->streams & 1U << PROTO_TTY;
	int master = -1, i;

	for (i = 0; i < WAYS; i++)
		way[i] = (struct way){ .from = -1, .to = -1 };
	theirs[0] = theirs[1] = theirs[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (tty) {
		int slave, sock = q->stream[PROTO_TTY];

		if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
			die(1, "openpty");
		fcntl(master, F_SETFL, O_NONBLOCK);
		fcntl(master, F_SETFD, FD_CLOEXEC);
		set_size(&q->record, master);
		theirs[0] = theirs[1] = theirs[2] = slave;
		way[WAY_IN].from = sock;
		way[WAY_IN].to = master;
		way[WAY_OUT].from = master;
		way[WAY_OUT].to = sock;
		return master;
	}
	if (q->streams & 1U << PROTO_STDIN) {
		make_pipe(&way[WAY_IN].to, &theirs[0], true);
		way[WAY_IN].from = q->stream[PROTO_STDIN];
	}
	if (q->streams & 1U << PROTO_STDOUT) {
		make_pipe(&way[WAY_OUT].from, &theirs[1], false);
		way[WAY_OUT].to = q->stream[PROTO_STDOUT];
		make_pipe(&way[WAY_ERR].from, &theirs[2], false);
		way[WAY_ERR].to = q->stream[PROTO_STDERR];
	}
	return master;
}

/* Return the command's pid, or -errno of what kept it from running. */
static pid_t start(const struct request *q, int theirs[3], bool tty)
{
	int err[2], e = 0, i;
	pid_t pid;

	if (pipe2(err, O_CLOEXEC) < 0)
		die(1, "pipe");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		signal(SIGTSTP, SIG_DFL);
		setsid();
		if (tty)
			ioctl(theirs[0], TIOCSCTTY, 0);
		for (i = 0; i < 3; i++)
			dup2(theirs[i], i);
		unsetenv("VM");
		e = become(q);
		if (write(err[1], &e, sizeof(e)) < 0)
			_exit(1);
		_exit(127);
	}
	for (i = 0; i < 3; i++)
		if (i == 0 || theirs[i] != theirs[0])
			close(theirs[i]);
	close(err[1]);
	if (read(err[0], &e, sizeof(e)) != (ssize_t)sizeof(e))
		e = 0;
	close(err[0]);
	return e ? -e : pid;
}

static void way_end(struct way *w)
{
	w->from = -1;
}

static void way_read(struct way *w)
{
	ssize_t n;

	if (w->from < 0 || w->len)
		return;
	n = read(w->from, w->buf, sizeof(w->buf));
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		way_end(w);
	else
		w->len = (size_t)n;
}

static void way_write(struct way *w)
{
	ssize_t n = w->len > w->at && w->to >= 0 ? write(w->to, w->buf + w->at, w->len - w->at) : 0;

	if (n < 0 && errno != EAGAIN) {
		w->at = w->len = 0;
		if (w == &way[WAY_IN]) {
			shutdown(w->from, SHUT_RD);     /* the command has closed it: the client hears */
			while (recv(w->from, w->buf, sizeof(w->buf), MSG_DONTWAIT) > 0)
				continue;       /* ... also one that waits for room */
		} else if (w == &way[WAY_ERR])
			close(w->from);                 /* and the other way round */
		way_end(w);
	} else if (n > 0) {
		w->at += (size_t)n;
		w->moved += (uint64_t)n;
	}
	if (w->at == w->len)
		w->at = w->len = 0;
}

static void log_closed(pid_t pid)
{
	agent_log("closed");
	kill(-pid, SIGHUP);
	kill(-pid, SIGCONT);
	kill(-pid, SIGKILL);
}

static void obey(const struct request *q, pid_t pid, int master)
{
	char name[16];
	int sig;

	log_record(&q->record);
	set_size(&q->record, master);
	if (!wire_get_text(&q->record, PROTO_K_NAME, name, sizeof(name)))
		return;
	for (sig = 1; sig < 32; sig++)
		if (!strcmp(name, sigabbrev_np(sig)))
			kill(-pid, sig == SIGTSTP ? SIGSTOP : sig);
}

/* What came, all of it: poll knows nothing of a record that was read together with another. */
static bool take_control(struct request *q, pid_t pid, int master)
{
	do {
		if (!agent_next(q))
			return false;
		obey(q, pid, master);
	} while (q->in.len > q->in.record);
	return true;
}

static void send_exit(const struct request *q, int status)
{
	struct wire_out w;

	wire_begin(&w, PROTO_EXIT);
	if (WIFEXITED(status))
		wire_put_u32(&w, PROTO_K_STATUS, (uint32_t)WEXITSTATUS(status));
	else
		wire_put_u32(&w, PROTO_K_SIGNAL, (uint32_t)WTERMSIG(status));
	wire_put_u64(&w, PROTO_K_BYTES_OUT, way[WAY_OUT].moved);
	wire_put_u64(&w, PROTO_K_BYTES_ERR, way[WAY_ERR].moved);
	agent_send(q->stream[PROTO_CONTROL], &w);
}

static bool all_out(const struct pollfd *p)
{
	int i;

	for (i = WAY_OUT; i < WAYS; i++)
		if (way[i].len || (p[i].revents & POLLIN))
			return false;
	return true;
}

/* Move bytes and obey until the command has ended and all it wrote is out. */
static void serve(struct request *q, pid_t pid, int master)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status = 0, i;
	bool ended = false;

	for (;;) {
		struct pollfd p[2 * WAYS + 2];

		for (i = 0; i < WAYS; i++) {
			struct way *w = &way[i];

			p[i] = (struct pollfd){ .fd = w->len ? -1 : w->from, .events = POLLIN };
			p[WAYS + i] = (struct pollfd){ .fd = w->len ? w->to : -1, .events = POLLOUT };
		}
		p[2 * WAYS] = (struct pollfd){ .fd = q->stream[PROTO_CONTROL], .events = POLLIN };
		p[2 * WAYS + 1] = (struct pollfd){ .fd = ended ? -1 : pidfd, .events = POLLIN };
		poll(p, ARRAY_SIZE(p), ended && !way[WAY_OUT].len && !way[WAY_ERR].len ? 0 : -1);
		if (ended && all_out(p))
			break;
		if (p[2 * WAYS].revents && !take_control(q, pid, master)) {
			log_closed(pid);
			return;
		}
		if (p[2 * WAYS + 1].revents)
			ended = waitpid(pid, &status, 0) == pid;
		for (i = 0; i < WAYS; i++) {
			if (p[i].revents)
				way_read(&way[i]);
			way_write(&way[i]);
			if (i == WAY_IN && way[i].from < 0 && !way[i].len && way[i].to >= 0 && master < 0)
				cleanup_fd(&way[i].to);
		}
	}
	send_exit(q, status);
}

static void refuse(const struct request *q, int e)
{
	struct wire_out w;
	char name[200] = "", text[256];

	wire_begin(&w, PROTO_FAILED);
	wire_put_u32(&w, PROTO_K_STATUS, e == ENOENT ? 127 : 126);
	wire_get_text(&q->record, PROTO_K_ARG, name, sizeof(name));
	snprintf(text, sizeof(text), "%s: %s", name, errstr(e));
	wire_put_text(&w, PROTO_K_TEXT, text);
	agent_send(q->stream[PROTO_CONTROL], &w);
}

/** agent_run() - run a command for real. @q: request. Return: exit status. */
int agent_run(struct request *q)
{
	int theirs[3], master = make_streams(q, theirs);
	pid_t pid = start(q, theirs, master >= 0);
	struct wire_out w;
	int i;

	if (pid < 0) {
		refuse(q, -pid);
		return 0;
	}
	for (i = PROTO_STDIN; i < PROTO_STREAMS; i++)
		if (q->stream[i] >= 0)
			fcntl(q->stream[i], F_SETFL, O_NONBLOCK);
	wire_begin(&w, PROTO_STARTED);
	wire_put_u32(&w, PROTO_K_PID, (uint32_t)pid);
	agent_send(q->stream[PROTO_CONTROL], &w);
	if (q->flags & PROTO_DETACH) {
		shutdown(q->stream[PROTO_CONTROL], SHUT_RDWR);
		waitpid(pid, NULL, 0);
		agent_log("detached command ended");
		return 0;
	}
	serve(q, pid, master);
	return 0;
}

/* -- the beginning -- */

static bool take_hello(struct request *q, int fd, uint8_t id[PROTO_ID], bool first)
{
	uint8_t h[PROTO_HELLO];
	size_t i;

	if (recv(fd, h, sizeof(h), MSG_WAITALL) != (ssize_t)sizeof(h))
		return false;
	for (i = 5; i < 8; i++)
		if (h[i])
			die(1, "hello: reserved bytes");
	if (memcmp(h, "pvm", 3) || h[3] != PROTO_VERSION || h[4] >= PROTO_STREAMS || q->stream[h[4]] >= 0)
		die(1, "hello: malformed");
	if (first)
		memcpy(id, h + 8, PROTO_ID);
	else if (memcmp(id, h + 8, PROTO_ID))
		die(1, "hello: another session");
	q->stream[h[4]] = fd;
	return true;
}

/**
 * agent_main() - play the agent for one command
 * @fd, @count: the connections
 * @mode: "real", or a fault
 * @log_path: or NULL
 * Return: exit status.
 */
int agent_main(int *fd, int count, const char *mode, const char *log_path)
{
	struct request q = { 0 };
	uint8_t id[PROTO_ID];
	int i;

	if (log_path)
		log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (i = 0; i < PROTO_STREAMS; i++)
		q.stream[i] = -1;
	for (i = 0; i < count; i++)
		if (!take_hello(&q, fd[i], id, i == 0))
			return 0;
	wire_in_init(&q.in, WIRE_LARGE);
	if (!agent_next(&q) || q.record.type != PROTO_EXEC)
		die(1, "exec: malformed");
	log_record(&q.record);
	wire_get_u32(&q.record, PROTO_K_STREAMS, &q.streams);
	wire_get_u32(&q.record, PROTO_K_FLAGS, &q.flags);
	for (i = PROTO_STDIN; i < PROTO_STREAMS; i++)
		if ((q.stream[i] >= 0) != !!(q.streams & 1U << i))
			die(1, "streams: not those that were announced");
	return is_mode(mode, "real") ? agent_run(&q) : agent_misbehave(&q, mode);
}

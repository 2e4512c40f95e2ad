// SPDX-License-Identifier: ISC
/*
 * console_server.c - a stand-in for vm-boot that has a console and nothing else.
 *
 *	console_server [OPTION]... [-- COMMAND [ARG]...]
 *
 * Runs COMMAND (default: sh) on a pseudo-terminal and serves it as a VM's console: the verbs console,
 * console-size, console-lost, status, wait and dial, in a runtime directory like vm-boot's, with the
 * handle on stdout. It lives like a VM: the end of COMMAND is a power-off, and when stdout is a pipe
 * whose reader goes away, COMMAND gets SIGHUP and the VM ends as stopped. --with PROG becomes PROG
 * instead, with VM=fd:N, as vm-boot does. Faults are made on demand, for the tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "log.h"
#include "loop.h"
#include "msg.h"
#include "opts.h"
#include "ring.h"
#include "rundir.h"
#include "util.h"

enum { CLIENTS = 64, READERS = 64, RING = 64 << 10, HELD = 1 << 20 };

enum {
	OPT_NAME = OPT_LONG, OPT_BOOT, OPT_GATE, OPT_CHUNK, OPT_COLS, OPT_ROWS, OPT_DROP, OPT_NOISE,
	OPT_DIE_AT, OPT_CAUSE, OPT_STATUS, OPT_NO_SIZE, OPT_WITH, OPT_RAW, OPT_NO_CTTY,
};

static const struct opt table[] = {
	{ OPT_NAME, "name", "NAME", "name of the VM" },
	{ OPT_BOOT, "boot", "TEXT", "print this before COMMAND starts, drop input until then" },
	{ OPT_GATE, "gate", "FILE", "start COMMAND when this fifo is opened for writing and closed" },
	{ OPT_CHUNK, "chunk", "N", "move at most N bytes at a time" },
	{ OPT_COLS, "cols", "N", "width at first (80)" },
	{ OPT_ROWS, "rows", "N", "height at first (24)" },
	{ OPT_DROP, "drop", "N", "lose every Nth byte of output" },
	{ OPT_NOISE, "noise", "N", "print a kernel message after every N bytes of output" },
	{ OPT_DIE_AT, "die-at", "N", "vanish after N bytes of output, as if killed" },
	{ OPT_CAUSE, "cause", "WORD", "cause of the end to tell (poweroff)" },
	{ OPT_STATUS, "status", "N", "exit status of the VM to tell (0)" },
	{ OPT_NO_SIZE, "no-size", NULL, "refuse console-size" },
	{ OPT_WITH, "with", NULL, "the operands are a program to become, COMMAND is sh" },
	{ OPT_RAW, "raw", NULL, "the terminal starts raw" },
	{ OPT_NO_CTTY, "no-ctty", NULL, "COMMAND has no controlling terminal" },
};

static const struct opts opts = {
	.tool = "console_server", .synopsis = "[OPTION]... [-- COMMAND [ARG]...]",
	.about = "A console server for tests.", .table = table, .count = ARRAY_SIZE(table),
	.usage_status = 2,
};

struct reader {
	int sock;               /* -1: free */
	int watch;
	int client;
	bool ro, hold;
	uint64_t pos;
};

struct client {
	int sock;               /* -1: free */
	int watch;
	bool waits;
	uint64_t lost;
};

static struct config {
	const char *name, *boot, *gate, *cause;
	uint64_t chunk, cols, rows, drop, noise, die_at, status;
	bool no_size, with, raw, no_ctty;
	char *const *argv;
} cfg = { .chunk = 4096, .cols = 80, .rows = 24, .cause = "poweroff" };

static struct loop *loop;
static struct ring ring;
static struct rundir dir = RUNDIR_INIT;
static struct client clients[CLIENTS];
static struct reader readers[READERS];
static int listener = -1, master = -1, slave = -1, pty_watch = -1, gate = -1, gate_watch = -1;
static pid_t child;              /* 0 until it is started: never signal 0 or -1 */
static bool ended, exited, served, unwanted;
static uint64_t produced;

static void update_reader(struct reader *r)
{
	uint32_t events = r->ro ? 0 : EPOLLIN;

	if (r->pos < ring.head)
		events |= EPOLLOUT;
	loop_mod(loop, r->watch, events);
}

static void drop_reader(struct reader *r)
{
	loop_del(loop, &r->watch);
	cleanup_fd(&r->sock);
}

/* Bytes that may be read from the terminal without harming the reader that holds it. */
static size_t room(void)
{
	size_t left = cfg.chunk, i;

	for (i = 0; i < READERS; i++)
		if (readers[i].sock >= 0 && readers[i].hold)
			left = MIN(left, (size_t)(HELD - (ring.head - readers[i].pos)));
	return left;
}

static void publish(const uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		static const char message[] = "\r\n[   12.345678] a kernel message\r\n";

		produced++;
		if (cfg.die_at && produced > cfg.die_at)
			_exit(9);
		if (!cfg.drop || produced % cfg.drop)
			ring_write(&ring, &buf[i], 1);
		if (cfg.noise && !(produced % cfg.noise))
			ring_write(&ring, message, sizeof(message) - 1);
	}
	for (i = 0; i < READERS; i++) {
		struct reader *r = &readers[i];
		uint64_t oldest = ring.head > RING ? ring.head - RING : 0;

		if (r->sock < 0)
			continue;
		if (!r->hold && r->pos < oldest) {
			if (r->client >= 0)
				clients[r->client].lost += oldest - r->pos;
			r->pos = oldest;
		}
		update_reader(r);
	}
}

static void finish(void)
{
	size_t i;

	for (i = 0; i < READERS; i++)
		if (readers[i].sock >= 0 && readers[i].pos < ring.head)
			return;
	for (i = 0; i < READERS; i++)
		if (readers[i].sock >= 0)
			drop_reader(&readers[i]);
	for (i = 0; i < CLIENTS; i++) {
		struct msg m;

		if (clients[i].sock < 0 || !clients[i].waits)
			continue;
		msg_init(&m);
		msg_add(&m, "ok");
		msg_add(&m, cfg.cause);
		msg_addf(&m, "%u", (unsigned int)cfg.status);
		msg_send(clients[i].sock, &m);
		clients[i].waits = false;
	}
	for (i = 0; i < CLIENTS; i++)
		if (clients[i].sock >= 0)
			return;
	/* A real VM takes longer to end than its reader to come: let this one be found, too. */
	if (served || unwanted)
		loop_stop(loop);
}

static void end(const char *cause)
{
	if (ended)
		return;
	ended = true;
	if (cause)
		cfg.cause = cause;
	loop_del(loop, &pty_watch);
	finish();
}

static void on_pty(void *arg, uint32_t events)
{
	struct pollfd more = { .fd = master, .events = POLLIN };
	uint8_t buf[65536];
	size_t n = room();
	ssize_t got;

	(void)arg;
	(void)events;
	if (!n) {
		loop_mod(loop, pty_watch, 0);
		return;
	}
	got = read(master, buf, MIN(n, sizeof(buf)));
	if (got > 0)
		publish(buf, (size_t)got);
	else if (got == 0 || errno == EIO)
		end(NULL);
	/* The terminal may outlive its shell in the hands of others: the shell's end counts. */
	if (exited && !ended && poll(&more, 1, 0) <= 0)
		end(NULL);
}

static void on_reader(void *arg, uint32_t events)
{
	struct reader *r = arg;
	struct iovec iov[2];
	uint8_t buf[4096];
	ssize_t n;

	if (events & EPOLLOUT && r->pos < ring.head) {
		ring_peek(&ring, r->pos, iov);
		n = send(r->sock, iov[0].iov_base, MIN(iov[0].iov_len, cfg.chunk),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			r->pos += (uint64_t)n;
		if (pty_watch >= 0 && room())
			loop_mod(loop, pty_watch, EPOLLIN);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		struct pollfd p = { .fd = master, .events = POLLOUT };

		n = recv(r->sock, buf, MIN(cfg.chunk, (size_t)256), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			drop_reader(r);
			if (pty_watch >= 0)
				loop_mod(loop, pty_watch, EPOLLIN);
			if (ended)
				finish();
			return;
		}
		if (n > 0 && gate < 0 && !ended && poll(&p, 1, 1000) > 0 &&
		    write(master, buf, (size_t)n) < 0)
			debug("input lost: %s", errstr(errno));
	}
	update_reader(r);
	if (ended)
		finish();
}

static int new_reader(struct client *c, const struct msg *m, struct msg *reply, int *pair)
{
	bool replay = false, ro = false, hold = false;
	size_t i;
	int w;

	for (w = 1; w < m->words; w++) {
		replay |= !strcmp(m->word[w], "replay");
		ro |= !strcmp(m->word[w], "ro");
		hold |= !strcmp(m->word[w], "hold");
	}
	for (i = 0; i < READERS; i++)
		if (hold && readers[i].sock >= 0 && readers[i].hold)
			return -EBUSY;
	for (i = 0; i < READERS && readers[i].sock >= 0; i++)
		;
	if (i == READERS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -EMFILE;
	readers[i] = (struct reader){
		.sock = pair[0], .client = (int)(c - clients), .ro = ro, .hold = hold,
		.pos = replay ? (ring.head > RING ? ring.head - RING : 0) : ring.head,
	};
	readers[i].watch = loop_add(loop, pair[0], 0, on_reader, &readers[i]);
	update_reader(&readers[i]);
	msg_add(reply, "hvc0");
	msg_add_fd(reply, &pair[1]);
	if (ended)
		finish();
	return 0;
}

static void on_client(void *arg, uint32_t events);

static int new_client(int sock)
{
	int i;

	for (i = 0; i < CLIENTS && clients[i].sock >= 0; i++)
		;
	if (i == CLIENTS)
		return -EMFILE;
	served = true;
	clients[i] = (struct client){ .sock = sock };
	clients[i].watch = loop_add(loop, sock, EPOLLIN, on_client, &clients[i]);
	return 0;
}

static int request(struct client *c, const struct msg *m, struct msg *reply)
{
	const char *verb = m->word[0];
	int pair[2];

	if (!strcmp(verb, "console"))
		return new_reader(c, m, reply, pair);
	if (!strcmp(verb, "console-lost")) {
		msg_addf(reply, "%llu", (unsigned long long)c->lost);
		return 0;
	}
	if (!strcmp(verb, "console-size") && m->words == 3) {
		struct winsize ws = { .ws_col = (unsigned short)atoi(m->word[1]),
				      .ws_row = (unsigned short)atoi(m->word[2]) };

		if (cfg.no_size)
			return -ENOTSUP;
		return ioctl(master, TIOCSWINSZ, &ws) < 0 ? -errno : 0;
	}
	if (!strcmp(verb, "status")) {
		msg_addf(reply, "name=%s", cfg.name ? cfg.name : "none");
		msg_addf(reply, "state=%s", ended ? "ended" : "running");
		msg_add(reply, "engine=none");
		return 0;
	}
	if (!strcmp(verb, "dial")) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		if (new_client(pair[0]))
			return -EMFILE;
		msg_add_fd(reply, &pair[1]);
		return 0;
	}
	return -ENOSYS;
}

static void hang_up(void)
{
	if (child > 0)
		kill(child, SIGHUP);
}

static void on_client(void *arg, uint32_t events)
{
	struct client *c = arg;
	struct msg m, reply;
	size_t i;
	int e = msg_recv(c->sock, &m, false);

	(void)events;
	if (e == -EAGAIN)
		return;
	if (e <= 0) {
		for (i = 0; i < READERS; i++)
			if (readers[i].client == (int)(c - clients))
				readers[i].client = -1;
		loop_del(loop, &c->watch);
		cleanup_fd(&c->sock);
		if (cfg.with && c == clients) {
			hang_up();
			end("stopped");
		}
		if (ended)
			finish();
		return;
	}
	if (!strcmp(m.word[0], "wait")) {
		c->waits = true;
		msg_drop(&m);
		if (ended)
			finish();
		return;
	}
	msg_init(&reply);
	msg_add(&reply, "ok");
	e = request(c, &m, &reply);
	msg_drop(&m);
	if (e) {
		msg_drop(&reply);
		msg_add(&reply, "error");
		msg_add(&reply, strerrorname_np(-e));
		msg_add(&reply, errstr(e));
	}
	msg_send(c->sock, &reply);
}

static void on_listener(void *arg, uint32_t events)
{
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	(void)arg;
	(void)events;
	if (sock >= 0 && new_client(sock))
		close(sock);
}

static void on_stdout(void *arg, uint32_t events)
{
	int *watch = arg;

	(void)events;
	loop_del(loop, watch);
	hang_up();
	end("stopped");
}

static void start_child(void)
{
	static char *const sh[] = { "sh", NULL };
	char *const *argv = cfg.argv && !cfg.with ? cfg.argv : sh;
	sigset_t none;

	child = fork();
	if (child)
		return;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	if (!cfg.no_ctty)
		ioctl(slave, TIOCSCTTY, 0);
	dup2(slave, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	unsetenv("VM");
	setenv("PS1", "guest> ", 1);
	execvp(argv[0], argv);
	die(127, "%s: %s", argv[0], errstr(errno));
}

static void on_gate(void *arg, uint32_t events)
{
	char c[64];
	ssize_t n = read(gate, c, sizeof(c));

	(void)arg;
	(void)events;
	if (n > 0)
		return;
	tcflush(slave, TCIOFLUSH);      /* what was typed to nobody is lost */
	loop_del(loop, &gate_watch);
	cleanup_fd(&gate);
	start_child();
	cleanup_fd(&slave);
}

static void on_signals(void *arg, uint32_t events)
{
	struct signalfd_siginfo si;
	int *fd = arg, status;

	(void)events;
	if (read(*fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo != SIGCHLD) {
		hang_up();
		end("stopped");
		return;
	}
	while (waitpid(-1, &status, WNOHANG) > 0)
		exited = true;
	if (exited && !ended)
		on_pty(NULL, 0);
}

static void parse(int argc, char *argv[])
{
	const char *arg;
	int id;

	while ((id = opts_next(&opts, argc, argv, &arg)) != -1) {
		uint64_t *number = id == OPT_CHUNK ? &cfg.chunk : id == OPT_COLS ? &cfg.cols :
				   id == OPT_ROWS ? &cfg.rows : id == OPT_DROP ? &cfg.drop :
				   id == OPT_NOISE ? &cfg.noise : id == OPT_DIE_AT ? &cfg.die_at :
				   id == OPT_STATUS ? &cfg.status : NULL;

		if (number && parse_u64(arg, 1, UINT32_MAX, number))
			opts_usage(&opts, "%s: is not a number", arg);
		cfg.name = id == OPT_NAME ? arg : cfg.name;
		cfg.boot = id == OPT_BOOT ? arg : cfg.boot;
		cfg.gate = id == OPT_GATE ? arg : cfg.gate;
		cfg.cause = id == OPT_CAUSE ? arg : cfg.cause;
		cfg.no_size |= id == OPT_NO_SIZE;
		cfg.with |= id == OPT_WITH;
		cfg.raw |= id == OPT_RAW;
		cfg.no_ctty |= id == OPT_NO_CTTY;
	}
	if (opts_end() < argc)
		cfg.argv = &argv[opts_end()];
}

/* Become the program of --with; the server goes on in a child. Return its end of the socket. */
static int become(void)
{
	int pair[2], dup_fd;
	char vm[24];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die(1, "socketpair: %s", errstr(errno));
	if (fork() == 0) {
		close(pair[1]);
		if (fork())
			_exit(0);
		return pair[0];
	}
	wait(NULL);
	dup_fd = dup(pair[1]);
	snprintf(vm, sizeof(vm), "fd:%d", dup_fd);
	setenv("VM", vm, 1);
	execvp(cfg.argv[0], cfg.argv);
	die(127, "%s: %s", cfg.argv[0], errstr(errno));
}

static void serve_directory(void)
{
	char err[256], name[32];
	static int out_watch;
	struct stat st;

	snprintf(name, sizeof(name), "test%d", (int)getpid());
	if (!cfg.name)
		cfg.name = name;
	if (rundir_base(&dir, true, err, sizeof(err)))
		die(1, "%s", err);
	if (rundir_make(&dir) || (listener = rundir_bind(dir.dir, "ctl", SOCK_SEQPACKET)) < 0 ||
	    rundir_publish(&dir, cfg.name))
		die(1, "%s: cannot make it", cfg.name);
	loop_add(loop, listener, EPOLLIN, on_listener, NULL);
	if (dprintf(STDOUT_FILENO, "%s/%s/ctl\n", dir.path, cfg.name) < 0)
		die(1, "stdout: %s", errstr(errno));
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
		out_watch = loop_add(loop, STDOUT_FILENO, 0, on_stdout, &out_watch);
}

int main(int argc, char *argv[])
{
	struct winsize ws;
	struct termios raw;
	sigset_t mask;
	int sigfd, inherited = -1;
	size_t i;

	log_init("console_server", false);
	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < CLIENTS; i++)
		clients[i].sock = -1;
	for (i = 0; i < READERS; i++)
		readers[i].sock = -1;
	if (cfg.with)
		inherited = become();
	/* In a pipeline ^C is for the reader: its end is ours. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	loop = loop_new();
	if (!loop || ring_init(&ring, 2 * HELD))
		die(1, "out of memory");
	ws = (struct winsize){ .ws_col = (unsigned short)cfg.cols,
			       .ws_row = (unsigned short)cfg.rows };
	if (openpty(&master, &slave, NULL, NULL, &ws) < 0)
		die(1, "openpty: %s", errstr(errno));
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	if (cfg.raw && tcgetattr(slave, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(slave, TCSANOW, &raw);
	}
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigfd = signalfd(-1, &mask, SFD_CLOEXEC);
	loop_add(loop, sigfd, EPOLLIN, on_signals, &sigfd);
	pty_watch = loop_add(loop, master, EPOLLIN, on_pty, NULL);
	if (cfg.boot)
		publish((const uint8_t *)cfg.boot, strlen(cfg.boot) + 1);       /* and a NUL */
	if (cfg.gate) {
		gate = open(cfg.gate, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		gate_watch = loop_add(loop, gate, EPOLLIN, on_gate, NULL);
	} else {
		start_child();
		cleanup_fd(&slave);
	}
	if (inherited >= 0)
		new_client(inherited);
	else
		serve_directory();
	loop_run(loop);
	rundir_remove(&dir, false);
	rundir_close(&dir);
	return (int)cfg.status;
}

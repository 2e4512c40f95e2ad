/* SPDX-License-Identifier: ISC
 * lab-host: start the lab (machine.h), run one command in it by way of guest.c (wire.h), be that command for the
 * caller: its output, its status, its signals.
 *
 *   lab-host [-itv] [-e K=V|K]... [-k DIR] [-o DIR]... [-V VIRTIOFSD] [-w DIR] -- QEMU ARGS... -- COMMAND ARGS...
 *
 * States: boot (until HELLO; a signal ends the run) -> run (bytes both ways; signals go to the command) -> exit (EXIT
 * has come: what is queued for stdout and stderr is written), and lost from any of them (a sign on the console, no
 * beat, the machine gone). Whatever happens, main kills the machine last.
 *
 * stdout and stderr may be shared with other processes, so they are never made non-blocking: 4 KiB after POLLOUT
 * do not block on a pipe. While one of them is full we do not read the port, and do not judge the beat.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "watch.h"
#include "wire.h"

#define BOOT_S		90	/* until HELLO, on a loaded machine */
#define BEAT_S		20
#define CHUNK_OUT	4096
#define EXIT_LOST	99
#define EXIT_OURS	125

enum slot { SLOT_PORT, SLOT_SIGNAL, SLOT_CONSOLE, SLOT_LOG, SLOT_STDIN, SLOT_STDOUT, SLOT_STDERR, SLOTS };

struct host {
	struct machine m;
	struct watch console, log;
	struct wire_buf start, in, out, stream[2];	/* from and to the guest; for stdout and stderr */
	bool closed[2];			/* nobody reads our stdout, stderr */
	bool input, tty, up, want, done;
	int sigfd, status;		/* status: what main returns, once done */
	int death;			/* ... or the signal to die of */
	int forwarded;			/* the last signal that went to the command */
	struct timespec judged;		/* when we last looked */
	long silent_ms;			/* how long we have listened to nothing */
	struct termios saved;
	bool raw;
	const char *command, *cwd;
};

static void __attribute__((format(printf, 3, 4))) done(struct host *h, int status, const char *fmt, ...)
{
	va_list ap;

	if (h->done)
		return;
	h->done = true;
	h->status = status;
	if (!fmt)
		return;
	fputs("lab: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void send_frame(struct host *h, enum lab_type type, const void *data, size_t n)
{
	if (wire_frame(&h->out, type, data, n) < 0)
		done(h, EXIT_OURS, "out of memory");
}

static void add_word(struct host *h, char tag, const char *word)
{
	if (wire_add(&h->start, &tag, 1) < 0 || wire_add(&h->start, word, strlen(word) + 1) < 0)
		done(h, EXIT_OURS, "out of memory");
}

/* --- the terminal --- */

static void send_size(struct host *h)
{
	struct winsize size;
	uint8_t rc[4];

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	rc[0] = size.ws_row & 0xff;
	rc[1] = size.ws_row >> 8;
	rc[2] = size.ws_col & 0xff;
	rc[3] = size.ws_col >> 8;
	send_frame(h, LAB_WINSIZE, rc, sizeof(rc));
}

/* At the start, and again when a shell that had stopped us has given the terminal its own modes. */
static void make_raw(struct host *h)
{
	struct termios t = h->saved;

	cfmakeraw(&t);
	h->raw = !tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
}

/* --- what comes in --- */

static void ended(struct host *h, const uint8_t *p)
{
	int status = p[0] | p[1] << 8 | p[2] << 16 | p[3] << 24;

	if (WIFEXITED(status))
		return done(h, WEXITSTATUS(status), NULL);
	if (WTERMSIG(status) == h->forwarded)
		h->death = h->forwarded;
	done(h, 128 + WTERMSIG(status), NULL);
}

static void failed(struct host *h, char step, int err)
{
	if (step == 'l')
		done(h, EXIT_OURS, "%s: %s", h->command, strerror(err));
	else if (step == 'c')
		done(h, EXIT_OURS, "%s: working directory: %s", h->cwd, strerror(err));
	else
		done(h, err == ENOENT ? 127 : 126, "%s: %s", h->command, strerror(err));
}

static void started(struct host *h)
{
	struct timespec now;
	char word[64];

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(word, sizeof(word), "%lld %09ld", (long long)now.tv_sec, now.tv_nsec);
	add_word(h, LAB_CLOCK, word);
	h->up = true;
	send_frame(h, LAB_START, h->start.data + h->start.head, h->start.len);
	if (h->tty)
		send_size(h);
	if (h->tty && !tcgetattr(STDIN_FILENO, &h->saved))
		make_raw(h);
}

static void take_frame(struct host *h, int type, const uint8_t *p, size_t n)
{
	bool err = type == LAB_STDERR;

	if (type == LAB_HELLO && !h->up)
		started(h);
	else if (type == LAB_WANT)
		h->want = h->input;
	else if ((type == LAB_STDOUT || err) && !h->closed[err] && wire_add(&h->stream[err], p, n) < 0)
		done(h, EXIT_OURS, "out of memory");
	else if (type == LAB_EXIT && n == 4)
		ended(h, p);
	else if (type == LAB_FAILED && n == 2)
		failed(h, p[0], p[1]);
}

static void read_port(struct host *h)
{
	int n = wire_fill(&h->in, h->m.port, WIRE_FULL), type;
	uint8_t *payload;
	size_t len;

	if (n == 0 || (n < 0 && n != -EAGAIN))
		return done(h, h->up ? EXIT_LOST : EXIT_OURS, "%s: the machine ended: %s", h->up ? "lost" : "start",
			    *h->log.last ? h->log.last : h->console.last);
	h->silent_ms = 0;
	while ((type = wire_next(&h->in, &payload, &len)) >= 0 && !h->done) {
		take_frame(h, type, payload, len);
		wire_drop(&h->in, WIRE_HEADER + len);
	}
	if (type == -EPROTO)
		done(h, EXIT_LOST, "lost: nonsense from the guest");
}

static void read_stdin(struct host *h)
{
	static uint8_t chunk[WIRE_CHUNK - WIRE_HEADER];
	const uint8_t hangup[2] = { SIGHUP }, cont[2] = { SIGCONT };
	ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	h->want = false;
	h->input = n > 0;
	send_frame(h, LAB_STDIN, chunk, n > 0 ? n : 0);
	if (n > 0 || !h->raw)
		return;
	/* our terminal is gone; the signal may have gone elsewhere, or be ignored here */
	h->raw = false;
	send_frame(h, LAB_SIGNAL, hangup, sizeof(hangup));
	send_frame(h, LAB_SIGNAL, cont, sizeof(cont));
}

static void read_watch(struct host *h, struct watch *w, int *fd)
{
	const char *sign = watch_read(w, *fd);

	if (sign && *sign)
		done(h, strstr(sign, "lab init: ") || strstr(sign, "lab guest: ") ? EXIT_OURS : EXIT_LOST, "lost: %s", sign);
	else if (sign)
		*fd = -1;
}

static void read_signal(struct host *h)
{
	struct signalfd_siginfo si;
	uint8_t number[2] = { 0 };

	if (read(h->sigfd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCONT) {
		h->silent_ms = 0;
		if (h->raw)
			make_raw(h);
	} else if (si.ssi_signo == SIGWINCH) {
		if (h->up && h->tty)
			send_size(h);
	} else if (!h->up) {
		h->death = si.ssi_signo;
		done(h, 128 + si.ssi_signo, NULL);
	} else {
		h->forwarded = number[0] = si.ssi_signo;
		send_frame(h, LAB_SIGNAL, number, sizeof(number));
	}
}

/* --- what goes out --- */

static void write_stream(struct host *h, int i, short revents)
{
	const uint8_t type = i ? LAB_STDERR : LAB_STDOUT;
	int n = -EPIPE;

	if (h->stream[i].len && !(revents & POLLERR))
		n = wire_flush(&h->stream[i], STDOUT_FILENO + i, CHUNK_OUT);
	if (n >= 0 || n == -EAGAIN || n == -EINTR)
		return;
	wire_drop(&h->stream[i], h->stream[i].len);
	h->closed[i] = true;
	send_frame(h, LAB_CLOSE, &type, 1);
}

static bool busy(const struct host *h)
{
	return h->stream[0].len || h->stream[1].len;
}

/* Silence counts while we run ourselves: what stops the whole host for a while is no fault of the guest. */
static void judge(struct host *h, bool reading)
{
	int limit = h->up ? BEAT_S : BOOT_S;
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (now.tv_sec - h->judged.tv_sec) * 1000 + (now.tv_nsec - h->judged.tv_nsec) / 1000000;
	h->judged = now;
	h->silent_ms = reading ? h->silent_ms + (ms < 1500 ? ms : 1500) : 0;
	if (h->done || h->silent_ms <= limit * 1000L)
		return;
	done(h, EXIT_LOST, "lost: %s for %d s; its last line: %s", h->up ? "no heartbeat" : "no sign of life", limit,
	     *h->console.last ? h->console.last : "(none)");
	machine_processors(&h->m);
}

static void turn(struct host *h)
{
	bool room = h->stream[0].len < WIRE_FULL && h->stream[1].len < WIRE_FULL;
	struct pollfd p[SLOTS] = {
		[SLOT_PORT] = { h->m.port, (room ? POLLIN : 0) | (h->out.len ? POLLOUT : 0), 0 },
		[SLOT_SIGNAL] = { h->sigfd, POLLIN, 0 },
		[SLOT_CONSOLE] = { h->m.console, POLLIN, 0 },
		[SLOT_LOG] = { h->m.log, POLLIN, 0 },
		[SLOT_STDIN] = { h->want ? STDIN_FILENO : -1, POLLIN, 0 },
		[SLOT_STDOUT] = { h->closed[0] ? -1 : STDOUT_FILENO, h->stream[0].len ? POLLOUT : 0, 0 },
		[SLOT_STDERR] = { h->closed[1] ? -1 : STDERR_FILENO, h->stream[1].len ? POLLOUT : 0, 0 },
	};
	int n;

	if (poll(p, SLOTS, 1000) < 0 && errno != EINTR)
		return done(h, EXIT_OURS, "poll: %s", strerror(errno));
	if (p[SLOT_SIGNAL].revents)
		read_signal(h);
	if (p[SLOT_LOG].revents)
		read_watch(h, &h->log, &h->m.log);
	if (p[SLOT_CONSOLE].revents)
		read_watch(h, &h->console, &h->m.console);
	if (p[SLOT_PORT].revents & POLLOUT && (n = wire_flush(&h->out, h->m.port, WIRE_FULL)) < 0 && n != -EAGAIN)
		done(h, EXIT_LOST, "lost: port: %s", strerror(-n));
	if (p[SLOT_PORT].revents & (POLLIN | POLLHUP) && room)
		read_port(h);
	if (p[SLOT_STDIN].revents)
		read_stdin(h);
	for (int i = 0; i < 2; i++)
		if (p[SLOT_STDOUT + i].revents)
			write_stream(h, i, p[SLOT_STDOUT + i].revents);
	judge(h, room);
}

/* What the command wrote before its end, and nothing from the guest any more. */
static void drain(struct host *h)
{
	while (busy(h)) {
		struct pollfd p[] = {
			{ h->stream[0].len ? STDOUT_FILENO : -1, POLLOUT, 0 },
			{ h->stream[1].len ? STDERR_FILENO : -1, POLLOUT, 0 },
			{ h->sigfd, POLLIN, 0 },
		};

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				write_stream(h, i, p[i].revents);
		if (p[2].revents) {
			h->up = false;		/* nobody to forward it to: it is for us */
			h->done = false;
			read_signal(h);
			if (h->done)
				return;
			h->done = true;
		}
	}
}

/* --- the start --- */

static void add_env(char **env, size_t *n, const char *word)
{
	size_t key = strcspn(word, "=");
	const char *value = getenv(word);
	char *entry;

	if (word[key])
		entry = strdup(word);
	else if (!value)
		return;
	else if (asprintf(&entry, "%s=%s", word, value) < 0)
		entry = NULL;
	if (!entry) {
		fputs("lab: out of memory\n", stderr);
		exit(EXIT_OURS);
	}
	for (size_t i = 0; i < *n; i++)
		if (!strncmp(env[i], entry, key + 1)) {
			env[i] = entry;
			return;
		}
	env[(*n)++] = entry;
}

/* Return: the index of the first "--" at or after i, made NULL. */
static int cut(int argc, char **argv, int i)
{
	while (i < argc && strcmp(argv[i], "--"))
		i++;
	if (i < argc - 1) {
		argv[i] = NULL;
		return i;
	}
	fputs("lab-host: no command\n", stderr);
	exit(EXIT_OURS);
}

static void parse(struct host *h, int argc, char **argv)
{
	char **env = calloc(argc + 1, sizeof(*env)), path[PATH_MAX];
	size_t n = 0;
	int c, i;

	while ((c = getopt(argc, argv, "+e:ik:o:tvV:w:")) >= 0) {
		switch (c) {
		case 'e': add_env(env, &n, optarg); break;
		case 'i': h->input = true; break;
		case 'k': add_word(h, LAB_KEEP, optarg); break;
		case 'o':
			if (h->m.ndirs == MACHINE_SHARES - 1 || !realpath(optarg, path)) {
				fprintf(stderr, "lab: %s: cannot be shared: %s\n", optarg, strerror(errno));
				exit(EXIT_OURS);
			}
			h->m.dirs[h->m.ndirs++] = strdup(path);
			break;
		case 't': h->tty = h->input = true; break;
		case 'v': h->console.verbose = h->log.verbose = true; break;
		case 'V': h->m.virtiofsd = optarg; break;
		case 'w': h->cwd = optarg; break;
		default: exit(EXIT_OURS);
		}
	}
	if (!h->cwd)
		h->cwd = getcwd(path, sizeof(path)) ? strdup(path) : "/";
	add_word(h, LAB_CWD, h->cwd);
	for (size_t d = 0; d < h->m.ndirs; d++)
		add_word(h, LAB_RW, h->m.dirs[d]);
	while (n)
		add_word(h, LAB_ENV, env[--n]);
	h->m.qemu = argv + optind;
	i = cut(argc, argv, optind) + 1;
	h->command = argv[i];
	for (; i < argc; i++)
		add_word(h, LAB_ARG, argv[i]);
	if (h->tty)
		add_word(h, LAB_TTY, "");
	if (h->input)
		add_word(h, LAB_INPUT, "");
	if (h->start.len > WIRE_MAX - 4096)
		done(h, EXIT_OURS, "command and environment are too long");
}

/* Take the signals that the caller does not want ignored. */
static int take_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };
	struct sigaction sa;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (sigaction(signals[i], NULL, &sa) < 0 || sa.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
	static struct host h;
	const char *what;
	sigset_t none;
	int r;

	h.m.virtiofsd = "virtiofsd";
	parse(&h, argc, argv);
	h.sigfd = take_signals();
	clock_gettime(CLOCK_MONOTONIC, &h.judged);
	r = h.done ? 0 : machine_start(&h.m, &what);
	if (r < 0)
		done(&h, EXIT_OURS, "%s: %s", what, strerror(-r));
	while (!h.done)
		turn(&h);
	machine_end(&h.m);
	drain(&h);
	if (h.raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &h.saved);
	if (h.death) {
		signal(h.death, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		raise(h.death);
	}
	return h.status;
}

// SPDX-License-Identifier: ISC
/*
 * vm-agent - the init of a pipevm guest.
 *
 * Pid 1 mounts, loads modules, starts a shell on the console, reaps, and ends the machine: when
 * the main process ends, when a signal says so (those of busybox's poweroff, halt and reboot),
 * or when the power button is pressed. It sleeps in one poll(2) in between and never exits,
 * because that would panic the kernel. The exec server (serve.c) is a child of it: whatever happens
 * to that one, the machine goes on.
 *
 * All modules are loaded before the shell starts. Leaving those that the console does not need
 * to a child was measured: under TCG the prompt came 0.2 to 0.3 s earlier, of 3.1 s, with one
 * CPU and with two. For that the first command of a script would race with its disk, its
 * network and the power button. What has no device here, and what the kernel asks for by itself
 * when it is used, is not loaded at all: the cost goes with the size of a file (module.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "button.h"
#include "clock.h"
#include "config.h"
#include "console.h"
#include "host.h"
#include "kmsg.h"
#include "module.h"
#include "mount.h"
#include "net.h"
#include "power.h"
#include "serve.h"
#include "session.h"
#include "setup.h"
#include "util.h"

#ifndef PIPEVM_VERSION
#define PIPEVM_VERSION "0.1"
#endif

/* Inode of the first pid namespace: PROC_PID_INIT_INO of linux/proc_ns.h, fixed since 3.8. */
#define FIRST_PID_NAMESPACE 0xeffffffcu

/* What each signal to pid 1 asks for. busybox: reboot sends TERM, halt USR1, poweroff USR2. The
 * kernel: INT for Ctrl-Alt-Del. A halted VM helps nobody, so halt is power off. */
static const struct {
	int signal;
	enum power_kind kind;
	const char *name;
} requests[] = {
	{ SIGTERM, POWER_REBOOT, "SIGTERM (reboot)" },
	{ SIGINT, POWER_REBOOT, "SIGINT (Ctrl-Alt-Del)" },
	{ SIGUSR1, POWER_OFF, "SIGUSR1 (halt)" },
	{ SIGUSR2, POWER_OFF, "SIGUSR2 (power off)" },
	{ SIGPWR, POWER_OFF, "SIGPWR (power off)" },
};

/* Whether this is the init of a machine, and not that of a container. Without /proc it must be
 * the former. */
static bool is_init(void)
{
	struct stat st;

	if (getpid() != 1)
		return false;
	return stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == FIRST_PID_NAMESPACE;
}

/* What a curious user gets. Return: the exit status. */
static int explain(int argc, char **argv)
{
	static const char help[] =
		"usage: vm-agent serve [--socket PATH]\n"
		"       vm-agent --help | --version\n"
		"The init of a pipevm guest, started by the kernel as pid 1; or, with `serve`, what runs\n"
		"commands for the host in a guest with an init of its own.\n"
		"\n"
		"      --socket PATH  listen there, for this user, and not on vsock\n"
		"      --help         print this and exit\n"
		"      --version      print the version and exit\n"
		"See vm-agent(8).\n";
	const char *answer = NULL;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		answer = "vm-agent (pipevm) " PIPEVM_VERSION "\n";
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		answer = help;
	if (answer)
		return fputs(answer, stdout) < 0 || fflush(stdout) != 0;
	if (argc >= 2 && strcmp(argv[1], "serve") == 0)
		return serve_command(argc - 1, argv + 1);
	fputs("vm-agent: is the init of a pipevm guest; not pid 1: nothing done (try --help)\n",
	      stderr);
	return 2;
}

/* Block the signals that pid 1 acts on, and TTOU, so that it may set up a terminal from the
 * background.
 * Return: a signalfd without TTOU, or -errno. */
static int open_signals(void)
{
	sigset_t set;
	size_t i;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (i = 0; i < ARRAY_SIZE(requests); i++)
		sigaddset(&set, requests[i].signal);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fd = -errno;
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return fd;
}

/* Read all signals. Return: whether one asks for the end; @kind then says which. */
static bool read_signals(int fd, enum power_kind *kind)
{
	struct signalfd_siginfo info;
	size_t i;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		for (i = 0; i < ARRAY_SIZE(requests); i++) {
			if (info.ssi_signo != (uint32_t)requests[i].signal)
				continue;
			kmsg(KMSG_INFO, "%s from process %u", requests[i].name, info.ssi_pid);
			*kind = requests[i].kind;
			return true;
		}
	}
	return false;
}

/* Sleep and reap until the machine shall end. Return: how. */
static enum power_kind watch(int signals, int console, struct button *button, struct host *host)
{
	enum { SIGNALS, AGENT, BUTTON, FDS = BUTTON + BUTTON_FDS };
	struct session *session = host->session;
	int wait = session->ended ? 0 : -1;
	struct pollfd p[FDS];
	enum power_kind kind;
	size_t i;

	for (;;) {
		p[SIGNALS] = (struct pollfd){ .fd = signals, .events = POLLIN };
		p[AGENT] = (struct pollfd){ .fd = session->agent_socket, .events = POLLIN };
		for (i = 0; i < BUTTON_FDS; i++)
			p[BUTTON + i] = (struct pollfd){ .fd = button->fd[i], .events = POLLIN };
		if (poll(p, ARRAY_SIZE(p), wait) < 0)
			continue;
		/* Before the main process: one that called reboot and left must get its reboot. */
		if (read_signals(signals, &kind))
			return kind;
		session_reap(session);
		if (host_says_stop(host, console, p[AGENT].revents))
			return POWER_OFF;
		if (button_pressed(button, p + BUTTON)) {
			kmsg(KMSG_INFO, "power button pressed");
			return POWER_OFF;
		}
		if (!session->ended)
			continue;
		if (host_tell(host))
			return host_untold(host) ? POWER_OFF_UNTOLD : POWER_OFF;
		wait = HOST_STEP_MS;
	}
}

static void __attribute__((noreturn)) give_up(const char *what, int err)
{
	kmsg(KMSG_CRIT, "%s: %s: cannot go on, powering off", what, strerror(-err));
	power_end(POWER_OFF, -1);
}

int main(int argc, char **argv)
{
	long long start = clock_us(), mounted, loaded;
	struct session session = { .agent_socket = -1 };
	struct config config;
	struct host host;
	struct button button;
	enum power_kind kind;
	unsigned int modules;
	int signals, console, held, err;

	if (!is_init())
		return explain(argc, argv);
	/* The words in argv are those of the kernel's command line that the kernel did not
	 * know: not for us. */

	setup_low_fds();
	signals = open_signals();
	config_load(&config);
	err = mount_all();
	if (err < 0)
		give_up("/dev", err);
	/* The last close of a terminal throws away what was typed ahead: hold it until the console is
	 * opened for good. */
	held = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	setup_stdio();
	if (signals < 0)
		give_up("signalfd", signals);
	setup_machine();
	mounted = clock_us();
	modules = module_load_all();
	loaded = clock_us();
	net_configure(&config);
	host_start(&host, &session, &config);
	button_open(&button);

	console = console_open();
	cleanup_fd(&held);
	if (console < 0)
		give_up("console", console);
	err = session_start(&session, console, &config.main);
	if (err < 0)
		give_up("main process", err);
	kmsg(KMSG_INFO, "started: mounts %lld us, %u modules %lld us, console %lld us",
	     mounted - start, modules, loaded - mounted, clock_us() - loaded);

	kind = watch(signals, console, &button, &host);
	power_stop(&session);
	power_end(kind, console);
}

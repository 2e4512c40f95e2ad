// SPDX-License-Identifier: ISC
/*
 * console.c - the terminal of the main process.
 *
 * It is the last `console=` of the kernel's command line, opened by name: /dev/console stays on
 * whatever console there was when the kernel made it, and a virtio console comes later, with
 * its module. Even then it may need a moment: with VIRTIO_CONSOLE_F_MULTIPORT (QEMU's
 * virtconsole) ports are announced by messages, after the driver's probe has returned. And
 * /dev/hvc0 exists before anything is behind it (opening it: ENODEV). Two events together leave
 * no gap: inotify tells when the node is made, and /sys/class/tty/console/active wakes its
 * pollers when a console registers, which the hvc driver does right after a port became usable
 * (hvc_check_console; hvc_remove for the way back).
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ttydefaults.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "kmsg.h"
#include "parse.h"
#include "util.h"

#define ACTIVE "/sys/class/tty/console/active"
#define WAIT_MS 10000
#define DRAIN_STEP_S 1
#define DRAIN_STEPS 10

/* The path of the console that was asked for, else of the one in use, else ttyS0. */
static void console_path(char *path, size_t size)
{
	static char text[8192];
	char name[32];

	file_read("/proc/cmdline", text, sizeof(text));
	if (!parse_console(text, name, sizeof(name))) {
		file_read(ACTIVE, text, sizeof(text));
		if (!parse_active(text, name, sizeof(name)))
			strcpy(name, "ttyS0");
	}
	snprintf(path, size, "/dev/%s", name);
}

/* Open a terminal, not as a controlling one. O_NONBLOCK only for open(2), where a serial line
 * may wait for its carrier. Return: an fd or -errno. */
static int try_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	if (isatty(fd) && fcntl(fd, F_SETFL, O_RDWR) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Open a terminal that may be about to appear. Blocks for WAIT_MS at most.
 * Return: an fd or -errno of the last try. */
static int wait_open(const char *path)
{
	long long end = clock_ms() + WAIT_MS, left;
	char scrap[4096];
	autoclose int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	autoclose int active = open(ACTIVE, O_RDONLY | O_CLOEXEC);
	struct pollfd p[] = {
		{ .fd = notify, .events = POLLIN },
		{ .fd = active, .events = POLLPRI },
	};
	int fd;

	if (notify >= 0)
		inotify_add_watch(notify, "/dev", IN_CREATE | IN_ATTRIB);
	for (;;) {
		/* First take the events, then try: what comes after the try wakes the poll. */
		while (notify >= 0 && read(notify, scrap, sizeof(scrap)) > 0)
			;
		if (active >= 0 && pread(active, scrap, sizeof(scrap), 0) < 0)
			p[1].fd = -1;
		fd = try_open(path);
		left = end - clock_ms();
		if (fd >= 0 || left <= 0)
			return fd;
		poll(p, ARRAY_SIZE(p), (int)left);
	}
}

/* What `stty sane` gives, 8 bits wide, UTF-8 aware on erase; line speed and window size stay.
 * Without HUPCL and with CLOCAL: the line of a VM has no modem. TCSANOW: what was typed ahead
 * is kept. */
static void make_sane(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return;
	t.c_iflag = BRKINT | ICRNL | IXON | IMAXBEL | IUTF8;
	t.c_oflag = OPOST | ONLCR;
	t.c_cflag = (t.c_cflag & (CBAUD | CBAUDEX)) | CS8 | CREAD | CLOCAL;
	t.c_lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE;
	t.c_cc[VINTR] = CINTR;
	t.c_cc[VQUIT] = CQUIT;
	t.c_cc[VERASE] = CERASE;
	t.c_cc[VKILL] = CKILL;
	t.c_cc[VEOF] = CEOF;
	t.c_cc[VSTART] = CSTART;
	t.c_cc[VSTOP] = CSTOP;
	t.c_cc[VSUSP] = CSUSP;
	t.c_cc[VREPRINT] = CREPRINT;
	t.c_cc[VDISCARD] = CDISCARD;
	t.c_cc[VWERASE] = CWERASE;
	t.c_cc[VLNEXT] = CLNEXT;
	t.c_cc[VEOL] = t.c_cc[VEOL2] = _POSIX_VDISABLE;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	tcsetattr(fd, TCSANOW, &t);
}

/**
 * console_open() - open the console of the main process and make it sane. Blocks for WAIT_MS at
 * most; then /dev/console has to do, with a line in the log.
 *
 * Return: an fd that the caller owns; -errno when there is no console at all.
 */
int console_open(void)
{
	char path[64];
	int fd;

	console_path(path, sizeof(path));
	fd = wait_open(path);
	if (fd < 0) {
		kmsg(KMSG_ERR, "%s: open: %s: using /dev/console", path, strerror(-fd));
		fd = try_open("/dev/console");
	}
	if (fd >= 0)
		make_sane(fd);
	return fd;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/**
 * console_drain() - let the host have what was written to the console, for as long as it takes
 * some every DRAIN_STEP_S, but DRAIN_STEPS times that at most: it may not be reading. Output
 * that the user has stopped with ^S is started again, and stays so.
 * @fd: the console, or -1; the caller has SIGTTOU blocked
 */
void console_drain(int fd)
{
	struct sigaction wake = { .sa_handler = on_alarm };
	int before, left = INT_MAX, step;
	struct termios t;
	sigset_t set;

	if (fd < 0)
		return;
	/* No SA_RESTART: the alarm ends tcdrain(3). */
	sigaction(SIGALRM, &wake, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* TCOON undoes TCOOFF but not ^S; the end of IXON does, and lets no new one in. */
	tcflow(fd, TCOON);
	if (tcgetattr(fd, &t) == 0) {
		t.c_iflag &= ~(tcflag_t)IXON;
		tcsetattr(fd, TCSANOW, &t);
	}
	for (step = 0; step < DRAIN_STEPS; step++) {
		before = left;
		alarm(DRAIN_STEP_S);
		if (tcdrain(fd) == 0 || errno != EINTR)
			break;
		if (ioctl(fd, TIOCOUTQ, &left) < 0 || left >= before)
			break;
	}
	alarm(0);
}

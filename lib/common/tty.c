// SPDX-License-Identifier: ISC
/*
 * tty.c - a terminal in raw mode that is always given back as it was.
 *
 * States: COOKED (the terminal is as it was; also before the first call), RAW (ours; what was there
 * is in @saved), AWAY (stopped or in the background; the shell has the terminal).
 *
 *	COOKED	tty_raw()			-> RAW
 *	RAW	tty_restore(), exit(3)		-> COOKED
 *	RAW	fatal signal: restore, then die of the same signal, so that the parent sees the cause
 *	RAW	SIGTSTP: restore, stop		-> AWAY
 *	AWAY	SIGCONT in the foreground: raw	-> RAW
 *	RAW	SIGCONT (after a SIGSTOP, which nobody sees coming): raw again
 *
 * After a SIGCONT there is a SIGWINCH, too: the size may have changed while we were not told.
 *
 * Handlers touch only async-signal-safe calls and plain static storage. The state changes with all
 * signals blocked, so a handler always finds a saved terminal that is complete. The terminal is only
 * written while we are its foreground process group: in the background it belongs to the shell.
 * TCSANOW: TCSAFLUSH loses what the user typed ahead, TCSADRAIN can wait for ever for a terminal
 * that nobody reads.
 */
#include "tty.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "util.h"

static const int fatal[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPIPE,
	SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU,
};

static struct termios saved, raw;
static int tty_fd = -1;
static volatile sig_atomic_t state;     /* of the enum below */
static volatile sig_atomic_t resumed;

enum { COOKED, RAW, AWAY };

/* A terminal that is not our controlling one has no background for us: it is ours to set. */
static bool in_foreground(void)
{
	pid_t pgrp = tcgetpgrp(tty_fd);

	return pgrp < 0 ? errno == ENOTTY : pgrp == getpgrp();
}

static int set_modes(const struct termios *t)
{
	int err;

	do
		err = tcsetattr(tty_fd, TCSANOW, t);
	while (err < 0 && errno == EINTR);
	return err < 0 ? -errno : 0;
}

static void block_all(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, old);
}

static void on_fatal(int sig)
{
	if (state == RAW && in_foreground())
		set_modes(&saved);
	state = COOKED;
	/* SA_RESETHAND put the default back: the signal kills when this handler returns. */
	raise(sig);
}

static void on_stop(int sig)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, ours;
	int saved_errno = errno;
	sigset_t only, before;

	if (state == RAW) {
		if (in_foreground())
			set_modes(&saved);
		state = AWAY;
	}
	sigaction(sig, &dfl, &ours);
	raise(sig);
	sigemptyset(&only);
	sigaddset(&only, sig);
	sigprocmask(SIG_UNBLOCK, &only, &before);       /* stops here, until SIGCONT */
	sigprocmask(SIG_SETMASK, &before, NULL);
	sigaction(sig, &ours, NULL);
	/* Nobody stopped us (an orphaned process group cannot be): there will be no SIGCONT. */
	if (state == AWAY && in_foreground()) {
		set_modes(&raw);
		state = RAW;
	}
	errno = saved_errno;
}

static void on_cont(int sig)
{
	int saved_errno = errno;

	(void)sig;
	if (state != COOKED && in_foreground()) {
		set_modes(&raw);
		state = RAW;
	}
	resumed = 1;
	raise(SIGWINCH);
	errno = saved_errno;
}

static void install(void)
{
	struct sigaction die = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND };
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction cont = { .sa_handler = on_cont };
	struct sigaction old;
	size_t i;

	sigfillset(&die.sa_mask);
	sigfillset(&cont.sa_mask);
	sigfillset(&stop.sa_mask);
	sigdelset(&stop.sa_mask, SIGCONT);
	for (i = 0; i < ARRAY_SIZE(fatal); i++) {
		/* Who started us with a signal ignored (nohup) meant it. */
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(fatal[i], &die, NULL);
	}
	sigaction(SIGTSTP, &stop, NULL);
	sigaction(SIGCONT, &cont, NULL);
}

/**
 * tty_raw() - put a terminal in raw mode, to be restored on every way out
 * @fd: terminal, borrowed, kept until tty_restore()
 *
 * In the background it stops with SIGTTOU until the shell brings us to the foreground.
 * Return: 0; -ENOTTY when it is none; -EIO in the background of nobody who could; -errno when the
 * modes did not take.
 */
int tty_raw(int fd)
{
	static bool registered;
	struct termios now;
	sigset_t old;
	int err;

	if (!isatty(fd))
		return -ENOTTY;
	tty_fd = fd;
	/* A background job waits for its turn, and must not save the modes of the shell's editor. */
	if (!in_foreground())
		raise(SIGTTOU);
	if (!in_foreground())
		return -EIO;
	if (tcgetattr(fd, &saved) < 0)
		return -errno;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (!registered) {
		install();
		atexit(tty_restore);
		registered = true;
	}
	block_all(&old);
	err = set_modes(&raw);
	state = RAW;
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* tcsetattr() succeeds if any one of the changes took: look. */
	if (!err && (tcgetattr(fd, &now) < 0 || (now.c_lflag & (ICANON | ECHO | ISIG))))
		err = -EIO;
	if (err)
		tty_restore();
	return err;
}

/** tty_restore() - give the terminal back as it was; harmless when it was never taken. */
void tty_restore(void)
{
	sigset_t old;

	if (state == COOKED)
		return;
	block_all(&old);
	if (state == RAW && in_foreground())
		set_modes(&saved);
	state = COOKED;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/**
 * tty_die() - give the terminal back and die of a signal, so that the parent sees the cause
 * @sig: a signal whose default is to kill; ignored or blocked makes no difference
 */
void tty_die(int sig)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t only;

	tty_restore();
	sigaction(sig, &dfl, NULL);
	sigemptyset(&only);
	sigaddset(&only, sig);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	raise(sig);
	_exit(128 + sig);
}

/**
 * tty_gone() - die of SIGHUP if a terminal has hung up
 * @fd: terminal, whose end was read
 *
 * Its end may be read before the signal comes, and the parent is to see one cause.
 * Return: there is another reason for what was read.
 */
void tty_gone(int fd)
{
	struct pollfd p = { .fd = fd };

	if (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP))
		tty_die(SIGHUP);
}

/** tty_suspend() - stop this job as Ctrl-Z would, with the terminal restored meanwhile. */
void tty_suspend(void)
{
	kill(0, SIGTSTP);
}

/** tty_resumed() - whether we were continued since the last call. Return: so. */
bool tty_resumed(void)
{
	bool was = resumed;

	resumed = 0;
	return was;
}

/**
 * tty_size() - a terminal's size
 * @fd: terminal
 * @size: set to its columns and rows
 * Return: 0; -ENOTTY; -ENODATA when the terminal does not know (0x0).
 */
int tty_size(int fd, struct winsize_cells *size)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) < 0)
		return -errno;
	if (!ws.ws_col || !ws.ws_row)
		return -ENODATA;
	size->cols = ws.ws_col;
	size->rows = ws.ws_row;
	return 0;
}

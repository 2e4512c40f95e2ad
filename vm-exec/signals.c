// SPDX-License-Identifier: ISC
/*
 * signals.c - signals that reach us and are meant for the command.
 *
 * Until the command runs signals do to us what they do to anybody; then they are taken, by signalfd(2),
 * and passed on by name. What was ignored when we were started (nohup(1), a shell's background job)
 * stays so. After the command's end those that kill do so again: nobody else is left to hear them.
 *
 * SIGTSTP: the command is stopped, and when the agent has been told, so are we, as the shell expects;
 * SIGCONT continues both. With a raw terminal none of this is ours: keys go to the guest, and a signal
 * from outside ends or stops us with the terminal restored (tty.c); SIGWINCH alone is taken.
 */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "util.h"

static const struct {
	int sig;
	const char *name;
	bool kills;
} passed[] = {
	{ SIGINT, "INT", true },
	{ SIGTERM, "TERM", true },
	{ SIGHUP, "HUP", true },
	{ SIGQUIT, "QUIT", true },
	{ SIGUSR1, "USR1", true },
	{ SIGUSR2, "USR2", true },
	{ SIGCONT, "CONT", false },
	{ SIGTSTP, "TSTP", false },
};

/* Stop as SIGTSTP by default does; returns when we are continued. */
static void stop_here(struct signals *g)
{
	sigset_t only, pending;

	g->stopping = false;
	raise(SIGTSTP);
	sigemptyset(&only);
	sigaddset(&only, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	sigprocmask(SIG_BLOCK, &only, NULL);
	/* An orphaned process group is not stopped: then nobody will continue the command but us. */
	sigemptyset(&pending);
	sigpending(&pending);
	if (!sigismember(&pending, SIGCONT) && g->session->state == SESSION_RUNNING)
		session_signal(g->session, SIGCONT, "CONT");
}

static void pass(struct signals *g, int sig)
{
	struct session *s = g->session;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(passed) - 1 && passed[i].sig != sig; i++)
		;
	if (s->state == SESSION_RUNNING) {
		g->stopping |= sig == SIGTSTP;
		session_signal(s, sig, passed[i].name);
	} else if (sig == SIGTSTP) {
		stop_here(g);
	} else if (passed[i].kills) {
		tty_die(sig);
	}
}

static void on_signal(void *arg, uint32_t events)
{
	struct signals *g = arg;
	struct signalfd_siginfo si;

	(void)events;
	if (g->session->state == SESSION_OVER || read(g->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	/* We were not told of sizes while we were stopped. */
	if (si.ssi_signo == SIGWINCH || si.ssi_signo == SIGCONT)
		session_resize(g->session);
	if (si.ssi_signo != SIGWINCH)
		pass(g, (int)si.ssi_signo);
}

/** signals_flushed() - the agent was told all that was to be told. @g: initialized. */
void signals_flushed(struct signals *g)
{
	if (g->stopping)
		stop_here(g);
}

/**
 * signals_init() - make ready; nothing is taken yet
 * @g: filled in
 * @s: session with a loop
 * Return: 0 or -errno.
 */
int signals_init(struct signals *g, struct session *s)
{
	sigset_t none;

	sigemptyset(&none);
	*g = (struct signals){ .session = s };
	g->fd = signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->fd < 0)
		return -errno;
	g->watch = loop_add(s->loop, g->fd, EPOLLIN, on_signal, g);
	return MIN(g->watch, 0);
}

/**
 * signals_take() - take them from now on
 * @g: initialized
 * @raw: the terminal's keys are the guest's
 * Return: 0 or -errno.
 */
int signals_take(struct signals *g, bool raw)
{
	struct sigaction old;
	sigset_t mask;
	size_t i;

	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	for (i = 0; !raw && i < ARRAY_SIZE(passed); i++)
		if (sigaction(passed[i].sig, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&mask, passed[i].sig);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(g->fd, &mask, SFD_CLOEXEC | SFD_NONBLOCK) < 0 ? -errno : 0;
}

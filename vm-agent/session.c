// SPDX-License-Identifier: ISC
/*
 * session.c - the main process, and every orphan.
 *
 *   NONE (pid 0, !ended) --session_start()--> RUNNING (pid > 0)
 *   RUNNING --waitpid says so--> ENDED (pid 0, ended, status)
 *
 * There is no way back: nothing is started again.
 *
 * The console is the controlling terminal of pid 1, which leads the session; the main process
 * is its foreground job. Were the shell the leader, its exit would hang the terminal up, and a
 * hang-up throws away what the driver has not sent yet (__tty_hangup, uart_flush_buffer): with
 * a slow reader the last 3 KiB before `exit` were seen to vanish. So nothing is hung up, and
 * console_drain() brings the last bytes out. Job control is the same either way.
 */
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsg.h"

#define SHELL "/bin/sh"

/* The environment of the main process, from scratch. TERM: what the kernel's command line says
 * (the kernel hands TERM=... to init), else vt220: what a serial line can promise, which every
 * emulator at the other end honours and every terminfo knows. PS1: expanded by every shell; the
 * image's /etc/profile may do better. */
static void make_environment(void)
{
	char term[64] = "vt220";
	const char *given = getenv("TERM");

	/* "linux" is what the kernel says when nobody did; only a VT is one. */
	if (given && strcmp(given, "linux") != 0 && strlen(given) < sizeof(term))
		strcpy(term, given);
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("SHELL", SHELL, 1);
	setenv("TERM", term, 1);
	setenv("PS1", "vm:${PWD}# ", 1);
}

/* The child's side: become the foreground job of the console and then the shell, with every
 * signal at its default and none blocked. */
static void __attribute__((noreturn)) become_shell(int console)
{
	sigset_t none;
	int fd, sig;

	setpgid(0, 0);
	/* SIGTTOU is blocked still, so a background process may do this. */
	if (tcsetpgrp(console, getpid()) < 0)
		kmsg(KMSG_WARNING, "console: tcsetpgrp: %s", strerror(errno));
	for (fd = 0; fd <= 2; fd++)
		dup2(console, fd);
	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	make_environment();
	if (chdir("/root") < 0 && chdir("/") < 0)
		kmsg(KMSG_WARNING, "/: chdir: %s", strerror(errno));
	execl(SHELL, "-sh", "-l", (char *)NULL);
	kmsg(KMSG_CRIT, SHELL ": exec: %s", strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/**
 * session_start() - start the main process: a login shell on the console.
 * @s: in state NONE; RUNNING afterwards
 * @console: its terminal, borrowed; close-on-exec and above 2
 *
 * Return: 0 or -errno. That the shell cannot be executed shows as its end, with status 126 or
 * 127.
 */
int session_start(struct session *s, int console)
{
	pid_t pid;

	assert(s->pid == 0 && !s->ended);
	/* EPERM: pid 1 leads a session already. */
	if (setsid() < 0 && errno != EPERM)
		kmsg(KMSG_WARNING, "setsid: %s", strerror(errno));
	if (ioctl(console, TIOCSCTTY, 0) < 0)
		kmsg(KMSG_WARNING, "console: no job control: TIOCSCTTY: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_shell(console);
	s->pid = pid;
	return 0;
}

static void end(struct session *s, int status)
{
	assert(s->pid > 0 && !s->ended);
	s->pid = 0;
	s->ended = true;
	s->status = status;
	if (WIFSIGNALED(status))
		kmsg(KMSG_INFO, "main process killed by signal %d", WTERMSIG(status));
	else
		kmsg(KMSG_INFO, "main process exited with status %d", WEXITSTATUS(status));
}

/* The exec server has ended. It is not started again: what it died of would come again. */
static void end_agent(struct session *s, int status)
{
	s->agent = 0;
	if (WIFSIGNALED(status))
		kmsg(KMSG_ERR, "exec server killed by signal %d: no more commands from the host",
		     WTERMSIG(status));
	else if (WEXITSTATUS(status))
		kmsg(KMSG_ERR, "exec server exited with status %d: no more commands from the host",
		     WEXITSTATUS(status));
}

/**
 * session_reap() - reap every child that has ended, the main process as any other.
 * @s: moves from RUNNING to ENDED when the main process is among them
 *
 * Return: whether there are children left. To pid 1 none left means that no process is: whoever
 * loses its parent becomes its child.
 */
bool session_reap(struct session *s)
{
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid <= 0)
			return pid == 0;
		if (pid == s->pid)
			end(s, status);
		else if (pid == s->agent)
			end_agent(s, status);
	}
}

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
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "child.h"
#include "kmsg.h"
#include "proto.h"
#include "request.h"
#include "serve.h"
#include "user.h"
#include "util.h"

/* Wait until the child has become the command, or failed to. Return: whether it failed; @f says how. */
static bool has_failed(int status, struct child_failure *f)
{
	struct pollfd p = { .fd = status, .events = POLLIN };
	ssize_t n;

	do {
		poll(&p, 1, -1);
		n = read(status, f, sizeof(*f));
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n == (ssize_t)sizeof(*f);
}

/* The main command did not start: it has ended, with the status that a shell would give. */
static void fail(struct session *s, const struct child_failure *f, const struct request *r,
		 const struct identity *id)
{
	char text[1024];
	int status = child_explain(f, r, id, text, sizeof(text));

	kmsg(KMSG_ERR, "main command: %s", text);
	s->pid = 0;
	s->ended = true;
	s->status = status << 8;
}

/* The caller leads the session of the console, its main process is the foreground job. */
static void take_console(int console)
{
	/* EPERM: pid 1 leads a session already. */
	if (setsid() < 0 && errno != EPERM)
		kmsg(KMSG_WARNING, "setsid: %s", strerror(errno));
	/* 1: from whoever has it. Whose it is the host says. */
	if (ioctl(console, TIOCSCTTY, 1) < 0)
		kmsg(KMSG_WARNING, "console: no job control: TIOCSCTTY: %s", strerror(errno));
}

/* A line that carries every byte as it is. */
static void make_plain(int console)
{
	struct termios t;

	if (tcgetattr(console, &t) < 0)
		return;
	cfmakeraw(&t);
	tcsetattr(console, TCSANOW, &t);
}

/**
 * session_start() - start the main process on the console
 * @s: in state NONE; RUNNING afterwards, or ENDED when it cannot be executed
 * @console: its terminal, borrowed; close-on-exec and above 2
 * @r: what to run; with PROTO_TTY as the foreground job of the terminal, else beside it, on a plain line
 *
 * Return: 0 or -errno.
 */
int session_start(struct session *s, int console, struct request *r)
{
	bool tty = r->streams & 1 << PROTO_TTY;
	struct child_stdio io = { { console, console, console }, .foreground = tty };
	struct child_failure f = { .stage = CHILD_USER };
	struct identity id;
	autoclose int status = -1;
	char why[512];
	pid_t pid;
	int err;

	assert(s->pid == 0 && !s->ended);
	err = user_lookup(&id, r->user, why, sizeof(why));
	if (err < 0) {
		kmsg(KMSG_ERR, "main command: %s", why);
		s->ended = true;
		s->status = (err == -ENOENT ? 126 : 125) << 8;
		return 0;
	}
	request_environment(r, &id);
	if (tty)
		take_console(console);
	else
		make_plain(console);
	pid = child_start(r, &id, &io, &status);
	if (pid > 0) {
		s->pid = pid;
		if (has_failed(status, &f))
			fail(s, &f, r, &id);
	}
	user_free(&id);
	return pid < 0 ? pid : 0;
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

/* The exec server has ended. It serves no more commands: what it died of would come again. */
static void end_agent(struct session *s, int status)
{
	s->agent = 0;
	if (WIFSIGNALED(status))
		kmsg(KMSG_ERR, "exec server killed by signal %d: no more commands from the host",
		     WTERMSIG(status));
	else if (WEXITSTATUS(status) == SERVE_ABSENT)
		s->agent_absent = true;
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

/* SPDX-License-Identifier: ISC
 * How the lab's process 1 starts its command: see start.h. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "start.h"
#include "wire.h"

#define ROOT	"/new"		/* where init made the lab's root; the host's /tmp, hidden there, is at HOSTTMP */
#define HOSTTMP	"/hosttmp"

static void make_dirs(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(path, 0755);
	}
	mkdir(path, 0755);
}

/* The lab has a /tmp of its own: below it, show what the host has at dir. */
static int keep_dir(const char *dir)
{
	char to[4200], from[4200];

	if (strncmp(dir, "/tmp/", 5))
		return 0;
	snprintf(to, sizeof(to), ROOT "%s", dir);
	snprintf(from, sizeof(from), HOSTTMP "%s", dir + strlen("/tmp"));
	make_dirs(to);
	return mount(from, to, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

static int share_dir(const char *dir, int nr)
{
	char to[4200], tag[16];

	snprintf(to, sizeof(to), ROOT "%s", dir);
	snprintf(tag, sizeof(tag), "rw%d", nr);
	make_dirs(to);
	return mount(tag, to, "virtiofs", 0, NULL) < 0 ? -errno : 0;
}

/* Word w asks for something; shares counts the writable ones so far. Return: 0, -errno. */
static int take(struct start *s, char *w, int *shares)
{
	struct timespec now;

	switch (*w++) {
	case LAB_ARG:
		if (s->argc == START_WORDS - 1)
			return -E2BIG;
		s->argv[s->argc++] = w;
		return 0;
	case LAB_ENV:
		if (s->envc == START_WORDS - 1)
			return -E2BIG;
		s->envp[s->envc++] = w;
		return 0;
	case LAB_CWD:
		s->cwd = w;
		return keep_dir(w);
	case LAB_KEEP:
		return keep_dir(w);
	case LAB_RW:
		return share_dir(w, (*shares)++);
	case LAB_INPUT:
		s->input = true;
		return 0;
	case LAB_TTY:
		s->tty = true;
		return 0;
	case LAB_CLOCK:
		now.tv_sec = strtoll(w, &w, 10);
		now.tv_nsec = strtol(w, NULL, 10);
		return clock_settime(CLOCK_REALTIME, &now) < 0 ? -errno : 0;
	}
	return -EPROTO;
}

int start_prepare(struct start *s, char *data, size_t n)
{
	int r = 0, shares = 0;

	if (!n || data[n - 1])
		return -EPROTO;
	for (char *w = data; w < data + n && !r; w += strlen(w) + 1)
		r = take(s, w, &shares);
	if (r)
		return r;
	if (!s->argc || !s->cwd)
		return -EPROTO;
	return chroot(ROOT) < 0 || chdir("/") < 0 ? -errno : 0;
}

/* The command has every processor but the first, if there are others: see run. */
static void leave_first_processor(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) < 2)
		return;
	CPU_CLR(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void run_command(const struct start *s, int in, int out, int err, int fail)
{
	const struct rlimit files = { 1024, 1 << 20 };
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	uint8_t why[2] = { 'c', 0 };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	leave_first_processor();
	setsid();
	if (s->tty)
		ioctl(in, TIOCSCTTY, 0);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	setrlimit(RLIMIT_NOFILE, &files);
	if (!chdir(s->cwd)) {
		why[0] = 'x';
		for (int i = 0; i < s->envc; i++)
			if (!strncmp(s->envp[i], "PATH=", 5))
				path = s->envp[i] + 5;
		setenv("PATH", path, 1);
		execvpe(s->argv[0], s->argv, s->envp);
	}
	why[1] = errno;
	if (write(fail, why, sizeof(why)) < 0)
		_exit(1);
	_exit(127);
}

static void make_streams(const struct start *s, int pipes[3][2])
{
	for (int i = 0; i < 3; i++)
		pipes[i][0] = pipes[i][1] = -1;
	if (s->tty) {
		if (openpty(&pipes[1][0], &pipes[1][1], NULL, NULL, NULL) < 0)
			return;
		fcntl(pipes[1][0], F_SETFD, FD_CLOEXEC);
		fcntl(pipes[1][1], F_SETFD, FD_CLOEXEC);
		pipes[0][0] = pipes[2][1] = pipes[1][1];
		pipes[0][1] = fcntl(pipes[1][0], F_DUPFD_CLOEXEC, 3);
		return;
	}
	if (pipe2(pipes[1], O_CLOEXEC) < 0 || pipe2(pipes[2], O_CLOEXEC) < 0)
		return;
	if (!s->input)
		pipes[0][0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	else if (pipe2(pipes[0], O_CLOEXEC) < 0)
		return;
}

int start_spawn(const struct start *s, struct streams *io)
{
	int pipes[3][2], fail[2];
	ssize_t n;

	make_streams(s, pipes);
	io->why[0] = 'l';
	if (pipes[0][0] < 0 || pipes[2][1] < 0 || pipe2(fail, O_CLOEXEC) < 0 || (io->pid = fork()) < 0) {
		io->why[1] = errno;
		return -1;
	}
	if (!io->pid)
		run_command(s, pipes[0][0], pipes[1][1], pipes[2][1], fail[1]);
	close(fail[1]);
	close(pipes[1][1]);
	if (!s->tty) {
		close(pipes[0][0]);
		close(pipes[2][1]);
	}
	n = read(fail[0], io->why, sizeof(io->why));
	close(fail[0]);
	if (n > 0)
		return -1;
	io->in = pipes[0][1];
	io->out = pipes[1][0];
	io->err = s->tty ? -1 : pipes[2][0];
	for (int i = 0; i < 3; i++) {
		int fd = (int[]){ io->in, io->out, io->err }[i];

		if (fd >= 0)
			fcntl(fd, F_SETFL, O_NONBLOCK);
	}
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * keeper.c - the main command of a machine whose init is not ours.
 *
 * It belongs to the boot, and not to an agent that is a service and may be started again. So a process of its own, the
 * keeper, starts it, waits for it, and leaves how it ended in FILE. That there is one from this boot says that the
 * command was started, and so that it never will be again.
 *
 *   NONE	no FILE, or one of another boot
 *   RUNS	FILE holds the boot's id; the keeper has a lock on it
 *   ENDED	FILE holds the status as well; or there is no lock: the keeper was killed, and nobody knows
 *
 *   NONE --keeper_start()--> RUNS --the keeper writes, or dies--> ENDED
 *
 * Either way the keeper closes FILE then, which inotify tells whatever agent there is.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "console.h"
#include "file.h"
#include "kmsg.h"
#include "request.h"
#include "session.h"
#include "util.h"

#define FILE_PATH "/run/vm-agent.command"

enum { FAILED = 125 << 8, KEEPER_FD = 3 };

/* "ID\n"; without /proc there is one boot. */
static void boot_id(char *id, size_t size)
{
	if (file_read("/proc/sys/kernel/random/boot_id", id, size) <= 0)
		strcpy(id, "\n");
}

/**
 * keeper_look() - see how the main command stands
 * @status: set when it has ended: of waitpid(2); that of exit(125) when nobody knows
 *
 * A file of another boot is removed.
 * Return: so.
 */
enum keeper_state keeper_look(int *status)
{
	autoclose int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char id[40], text[80] = "";
	bool kept;

	if (fd < 0)
		return KEEPER_NONE;
	/* Before it is read: what nobody has locked does not change any more. */
	kept = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	boot_id(id, sizeof(id));
	if (read(fd, text, sizeof(text) - 1) <= 0 || strncmp(text, id, strlen(id)) != 0) {
		unlink(FILE_PATH);
		return KEEPER_NONE;
	}
	if (sscanf(text + strlen(id), "%d", status) == 1)
		return KEEPER_ENDED;
	if (kept)
		return KEEPER_RUNS;
	kmsg(KMSG_ERR, "main command: who waited for it was killed: its status is lost");
	*status = FAILED;
	return KEEPER_ENDED;
}

/** keeper_watch() - be told of changes. Return: an inotify fd, readable once or more until ENDED; -errno. */
int keeper_watch(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), err;

	if (fd >= 0 && inotify_add_watch(fd, FILE_PATH, IN_CLOSE_WRITE) >= 0)
		return fd;
	err = -errno;
	cleanup_fd(&fd);
	return err;
}

/* Start it on the console and wait. Return: its status. */
static int run(struct request *r)
{
	struct session s = { .agent_socket = -1 };
	int console = console_open(), err;
	siginfo_t info;

	err = console < 0 ? console : session_start(&s, console, r);
	if (err < 0) {
		kmsg(KMSG_ERR, "main command: %s", strerror(-err));
		return FAILED;
	}
	while (!s.ended)
		if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0 || errno != EINTR)
			session_reap(&s);
	console_drain(console);
	return s.status;
}

/* The keeper. Nothing but KILL ends it before its command. */
static void __attribute__((noreturn)) keep(int file, struct request *r)
{
	char line[16];
	sigset_t all;
	int len;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "vm-agent main");
	/* Not the agent's lock, nor what its clients hold. */
	if (file != KEEPER_FD && dup3(file, KEEPER_FD, O_CLOEXEC) < 0)
		_exit(1);
	child_close_above(KEEPER_FD + 1);
	len = snprintf(line, sizeof(line), "%d\n", run(r));
	_exit(write(KEEPER_FD, line, (size_t)len) != len);
}

/**
 * keeper_start() - start the main command
 * @r: parsed; the caller frees it
 *
 * In state NONE only; afterwards it is another one, for good.
 * Return: 0; -errno: it was not started.
 */
int keeper_start(struct request *r)
{
	autoclose int fd = open(FILE_PATH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	char id[40];
	pid_t pid;

	boot_id(id, sizeof(id));
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, id, strlen(id)) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		keep(fd, r);
	return pid < 0 ? -errno : 0;
}

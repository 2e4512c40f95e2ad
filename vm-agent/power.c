// SPDX-License-Identifier: ISC
/*
 * power.c - the end of the machine: processes, then output, then file systems, then the power.
 *
 * Every step is bounded, because the host waits: GRACE_MS after TERM, KILL_MS after KILL (a
 * process in an uninterruptible sleep does not die), console_drain(), FLUSH_MS for sync and
 * unmount. When nothing stands in the way none of them waits.
 */
#include "power.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <sys/io.h>
#endif

#include "clock.h"
#include "console.h"
#include "exitport.h"
#include "file.h"
#include "kmsg.h"
#include "mount.h"
#include "session.h"
#include "util.h"

#define GRACE_MS 2000
#define KILL_MS 1000
#define FLUSH_MS 15000

/* Wait for a SIGCHLD, which pid 1 has blocked. Return: false when @end (of clock_ms()) has
 * passed. */
static bool wait_child(long long end)
{
	long long left = end - clock_ms();
	struct timespec t = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
	sigset_t set;

	if (left <= 0)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &t);
	return true;
}

/* Return: whether all processes were gone within @ms. */
static bool wait_for_none(struct session *s, int ms)
{
	long long end = clock_ms() + ms;

	while (session_reap(s))
		if (!wait_child(end))
			return false;
	return true;
}

/* Whether a process ignores TERM, as interactive shells do. One that handles it shall finish in its own way. */
static bool ignores_term(pid_t pid)
{
	char path[32], status[4096] = "";
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file_read(path, status, sizeof(status));
	line = strstr(status, "\nSigIgn:");
	return line && strtoull(line + strlen("\nSigIgn:"), NULL, 16) & 1ULL << (SIGTERM - 1);
}

/**
 * power_stop() - end every process: TERM and CONT (a stopped one must hear it) to all, HUP to
 * the main process's group as well when that one ignores TERM; KILL to what is left after the
 * grace.
 * @s: its status is known afterwards, unless not even KILL helped
 *
 * Blocks for GRACE_MS + KILL_MS at most. SIGCHLD must be blocked.
 */
void power_stop(struct session *s)
{
	assert(getpid() == 1);
	kill(-1, SIGTERM);
	if (s->pid > 0 && ignores_term(s->pid))
		kill(-s->pid, SIGHUP);
	kill(-1, SIGCONT);
	if (wait_for_none(s, GRACE_MS))
		return;
	kmsg(KMSG_INFO, "processes did not end in %d ms: killed", GRACE_MS);
	kill(-1, SIGKILL);
	if (!wait_for_none(s, KILL_MS))
		kmsg(KMSG_WARNING, "processes survived SIGKILL: going on without them");
}

/* Sync and unmount in a child, for a device that never answers must not keep the machine on. */
static void flush(void)
{
	long long end = clock_ms() + FLUSH_MS;
	pid_t pid = fork(), got;

	if (pid == 0) {
		mount_end();
		_exit(0);
	}
	if (pid < 0) {
		kmsg(KMSG_WARNING, "fork: %s: flushing without a limit of time", strerror(errno));
		mount_end();
		return;
	}
	while ((got = waitpid(pid, NULL, WNOHANG)) == 0 || (got < 0 && errno == EINTR))
		if (!wait_child(end)) {
			kmsg(KMSG_ERR, "sync did not end in %d ms: data may be lost", FLUSH_MS);
			return;
		}
}

/* Tell the host what the end alone would not. Under QEMU it does not return. Nobody there, or no
 * such thing on this architecture or under lockdown: the end has to do. */
static void announce(uint8_t word)
{
#if defined(__x86_64__) || defined(__i386__)
	if (ioperm(EXITPORT_BASE, EXITPORT_SIZE, 1) == 0)
		outb(word, EXITPORT_BASE);
#else
	(void)word;
#endif
}

/**
 * power_end() - flush everything and end the machine.
 * @kind: how
 * @console: whose output must reach the host first; -1 when there is none
 *
 * Does not return: where the machine cannot be switched off pid 1 sleeps, since its exit would
 * be a panic.
 */
void power_end(enum power_kind kind, int console)
{
	static const struct {
		int command;
		uint8_t word;		/* 0: none */
	} ends[] = {
		[POWER_OFF] = { RB_POWER_OFF, 0 },
		[POWER_OFF_UNTOLD] = { RB_POWER_OFF, EXITPORT_UNTOLD },
		[POWER_REBOOT] = { RB_AUTOBOOT, EXITPORT_REBOOT },
	};

	static_assert(ARRAY_SIZE(ends) == POWER_KIND_COUNT, "an end for each kind");
	assert(getpid() == 1);
	console_drain(console);
	flush();
	if (ends[kind].word)
		announce(ends[kind].word);
	reboot(ends[kind].command);
	kmsg(KMSG_CRIT, "reboot: %s", strerror(errno));
	for (;;)
		pause();
}

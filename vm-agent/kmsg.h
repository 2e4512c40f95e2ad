/* SPDX-License-Identifier: ISC */
/* kmsg.h - pid 1 speaks through the kernel's log. */
#ifndef KMSG_H
#define KMSG_H

/* Levels of syslog(3). A kernel booted with `quiet` shows ERR and worse on its console. */
enum kmsg_level {
	KMSG_CRIT = 2,
	KMSG_ERR = 3,
	KMSG_WARNING = 4,
	KMSG_INFO = 6,
	KMSG_DEBUG = 7,
};

void kmsg_to_stderr(void);
void kmsg(enum kmsg_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

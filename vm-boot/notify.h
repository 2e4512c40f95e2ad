/* SPDX-License-Identifier: ISC */
/* notify.h - tell a service manager how far we are (sd_notify(3)). */
#ifndef NOTIFY_H
#define NOTIFY_H

int notify_open(void);
void notify_say(int fd, const char *what);

#endif

/* SPDX-License-Identifier: ISC */
/* tty.h - a terminal in raw mode that is always given back as it was. */
#ifndef TTY_H
#define TTY_H

#include <stdbool.h>

struct winsize_cells {
	unsigned short cols, rows;
};

int tty_raw(int fd);
void tty_restore(void);
void tty_gone(int fd);
void tty_suspend(void);
void tty_die(int sig) __attribute__((noreturn));
bool tty_resumed(void);
int tty_size(int fd, struct winsize_cells *size);

#endif

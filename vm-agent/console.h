/* SPDX-License-Identifier: ISC */
/* console.h - the terminal of the main process. */
#ifndef CONSOLE_H
#define CONSOLE_H

int console_open(void);
void console_drain(int fd);

#endif

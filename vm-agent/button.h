/* SPDX-License-Identifier: ISC */
/* button.h - the power button. */
#ifndef BUTTON_H
#define BUTTON_H

#include <poll.h>
#include <stdbool.h>

#define BUTTON_DEVICES 8
#define BUTTON_FDS (1 + BUTTON_DEVICES)

/* fd[0] tells of new devices, the others are devices with a power key; -1 is none, which
 * poll(2) passes over. */
struct button {
	int fd[BUTTON_FDS];
};

void button_open(struct button *b);
bool button_pressed(struct button *b, const struct pollfd *p);

#endif

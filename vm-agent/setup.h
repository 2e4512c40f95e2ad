/* SPDX-License-Identifier: ISC */
/* setup.h - small things that a fresh kernel lacks. */
#ifndef SETUP_H
#define SETUP_H

void setup_low_fds(void);
void setup_stdio(void);
void setup_machine(void);

#endif

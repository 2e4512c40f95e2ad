/* SPDX-License-Identifier: ISC */
/* run.h - run a command in the guest through a shell on its console. */
#ifndef RUN_H
#define RUN_H

#include "session.h"

int run_command(struct session *s, const char *command);
void run_recover(struct session *s);

#endif

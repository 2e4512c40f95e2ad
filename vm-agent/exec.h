/* SPDX-License-Identifier: ISC */
/* exec.h - a session: one command for one client. */
#ifndef EXEC_H
#define EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto.h"

struct exec;
struct loop;

/* What a session needs of its server, which outlives it. */
struct exec_host {
	struct loop *loop;
	/* Call exec_tick() once clock_ms() has reached @at; earlier does no harm. */
	void (*wake)(void *arg, long long at);
	void *arg;
};

struct exec *exec_new(const struct exec_host *host, const uint8_t *id, int *fd);
bool exec_is(const struct exec *s, const uint8_t *id);
bool exec_stream(struct exec *s, enum proto_stream which, int *fd);
pid_t exec_pid(const struct exec *s);
void exec_reap(struct exec *s);
void exec_hang_up(struct exec *s);
long long exec_tick(struct exec *s, long long now);
bool exec_ended(const struct exec *s);
void exec_free(struct exec *s);

#endif

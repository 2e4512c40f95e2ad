/* SPDX-License-Identifier: ISC */
/* worker.h - a thread with an event loop, and a lock that makes any thread part of it. */
#ifndef WORKER_H
#define WORKER_H

struct loop;
struct worker;

struct worker *worker_new(const char *name);
int worker_start(struct worker *w);
void worker_stop(struct worker *w);
void worker_free(struct worker *w);
struct loop *worker_loop(struct worker *w);
void worker_call(struct worker *w, void (*fn)(void *arg), void *arg);

#endif

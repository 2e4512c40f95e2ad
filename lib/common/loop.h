/* SPDX-License-Identifier: ISC */
/* loop.h - one thread's event loop: epoll, timers, signals. */
#ifndef LOOP_H
#define LOOP_H

#include <pthread.h>
#include <stdint.h>

struct loop;

typedef void loop_fn(void *arg, uint32_t events);

struct loop *loop_new(void);
void loop_free(struct loop *l);
void loop_guard(struct loop *l, pthread_mutex_t *lock);
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *arg);
void loop_mod(struct loop *l, int id, uint32_t events);
void loop_del(struct loop *l, int *id);

int loop_timer(struct loop *l, loop_fn *fn, void *arg);
void loop_timer_set(struct loop *l, int id, uint64_t msec);
void loop_timer_del(struct loop *l, int *id);

#endif

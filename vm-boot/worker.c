// SPDX-License-Identifier: ISC
/*
 * worker.c - a thread with an event loop, and a lock that makes any thread part of it.
 *
 * Device models belong to a worker: their handlers run on its thread, never on the main loop,
 * which answers people. What a worker owns is touched under its lock alone. Its thread holds the
 * lock while handlers run and lets go of it to wait; any other thread may take it and act in the
 * worker's place: the main loop to attach a reader or to stop a ring, a vCPU to serve a kick for
 * which the guest's driver would otherwise spin until the worker had been woken. Handlers are
 * bounded and wait for nobody, so the lock is soon free. Locks are taken in this order: PCI bus,
 * registers, worker, UART, MSI-X table.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "log.h"
#include "loop.h"
#include "util.h"

struct worker {
	struct loop *loop;
	char name[16];
	int quit;               /* eventfd */
	int quit_id;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;   /* recursive: a handler may call, too */
};

static void on_quit(void *arg, uint32_t events)
{
	struct worker *w = arg;
	uint64_t n;

	(void)events;
	if (read(w->quit, &n, sizeof(n)) > 0)
		loop_stop(w->loop);
}

/**
 * worker_new() - a worker whose thread does not run yet
 * @name: thread name, at most 15 bytes
 * Return: the worker, freed with worker_free(), or NULL with errno.
 */
struct worker *worker_new(const char *name)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_mutexattr_t recursive;

	if (!w)
		return NULL;
	snprintf(w->name, sizeof(w->name), "%s", name);
	w->quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->loop = loop_new();
	if (w->quit < 0 || !w->loop ||
	    (w->quit_id = loop_add(w->loop, w->quit, EPOLLIN, on_quit, w)) < 0) {
		loop_free(w->loop);
		cleanup_fd(&w->quit);
		free(w);
		return NULL;
	}
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&w->lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
	loop_guard(w->loop, &w->lock);
	return w;
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_setname_np(pthread_self(), w->name);
	loop_run(w->loop);
	return NULL;
}

/** worker_start() - start the thread, all signals blocked. @w: worker. Return: 0 or -errno. */
int worker_start(struct worker *w)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	w->started = true;
	return 0;
}

/** worker_stop() - stop the thread and wait for it; calls go on to work. @w: worker. */
void worker_stop(struct worker *w)
{
	uint64_t one = 1;

	if (!w->started)
		return;
	if (write(w->quit, &one, sizeof(one)) < 0)
		warn("worker: %s", errstr(errno));
	pthread_join(w->thread, NULL);
	w->started = false;
}

/** worker_free() - stop and free. @w: may be NULL; nothing is left on its loop but ours. */
void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	loop_free(w->loop);
	close(w->quit);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/** worker_loop() - the loop that the worker's handlers add to. @w: worker. Return: borrowed. */
struct loop *worker_loop(struct worker *w)
{
	return w->loop;
}

/**
 * worker_call() - run a function as the worker, here and now
 * @w: worker; from any thread, its own included
 * @fn, @arg: what to run; bounded, as a handler is
 */
void worker_call(struct worker *w, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&w->lock);
	fn(arg);
	pthread_mutex_unlock(&w->lock);
}

// SPDX-License-Identifier: ISC
/*
 * worker.c - a thread with an event loop, and calls into it.
 *
 * Device models run on workers: never on the main loop, which answers people, and never on a vCPU,
 * which would hold the guest up. What a worker owns is touched by its thread alone; another thread
 * that needs something done there calls: the call is queued, the thread woken, the caller waits for
 * the answer. Handlers are bounded and never wait for a caller's thread, so a call returns soon and
 * calls cannot deadlock. Before the thread has been started (threads come last, after the sandbox)
 * there is nobody to race with and a call just runs.
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

struct call {
	void (*fn)(void *arg);
	void *arg;
	bool done;
	struct call *next;
};

struct worker {
	struct loop *loop;
	char name[16];
	int wake;
	int wake_id;
	bool started, quit;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct call *first, **last;
};

static void on_wake(void *arg, uint32_t events)
{
	struct worker *w = arg;
	uint64_t n;

	(void)events;
	if (read(w->wake, &n, sizeof(n)) < 0) {
		/* somebody else's wake-up was merged into ours */
	}
	pthread_mutex_lock(&w->lock);
	while (w->first) {
		struct call *c = w->first;

		w->first = c->next;
		if (!w->first)
			w->last = &w->first;
		pthread_mutex_unlock(&w->lock);
		c->fn(c->arg);
		pthread_mutex_lock(&w->lock);
		c->done = true;
		pthread_cond_broadcast(&w->answered);
	}
	if (w->quit)
		loop_stop(w->loop);
	pthread_mutex_unlock(&w->lock);
}

/**
 * worker_new() - a worker whose thread does not run yet
 * @name: thread name, at most 15 bytes
 * Return: the worker, freed with worker_free(), or NULL with errno.
 */
struct worker *worker_new(const char *name)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	snprintf(w->name, sizeof(w->name), "%s", name);
	w->last = &w->first;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->loop = loop_new();
	if (w->wake < 0 || !w->loop ||
	    (w->wake_id = loop_add(w->loop, w->wake, EPOLLIN, on_wake, w)) < 0) {
		loop_free(w->loop);
		cleanup_fd(&w->wake);
		free(w);
		return NULL;
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->answered, NULL);
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

/** worker_stop() - stop the thread and wait for it; calls run in the caller again. @w: worker. */
void worker_stop(struct worker *w)
{
	uint64_t one = 1;

	if (!w->started)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_mutex_unlock(&w->lock);
	if (write(w->wake, &one, sizeof(one)) < 0)
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
	close(w->wake);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->answered);
	free(w);
}

/** worker_loop() - the loop that the worker's handlers add to. @w: worker. Return: borrowed. */
struct loop *worker_loop(struct worker *w)
{
	return w->loop;
}

/**
 * worker_call() - have a function run on the worker's thread and wait for it
 * @w: worker; from any thread, its own included
 * @fn, @arg: what to run
 */
void worker_call(struct worker *w, void (*fn)(void *arg), void *arg)
{
	struct call c = { .fn = fn, .arg = arg };
	uint64_t one = 1;

	if (!w->started || pthread_equal(pthread_self(), w->thread)) {
		fn(arg);
		return;
	}
	pthread_mutex_lock(&w->lock);
	*w->last = &c;
	w->last = &c.next;
	if (write(w->wake, &one, sizeof(one)) < 0)
		warn("worker: %s", errstr(errno));
	while (!c.done)
		pthread_cond_wait(&w->answered, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

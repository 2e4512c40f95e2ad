// SPDX-License-Identifier: ISC
/*
 * launch.c - from a request to a running command.
 *
 * The user is looked up, pipes or terminal are made, a child is forked; whether it got as far as the
 * command its status pipe tells, later: a directory may take its time to answer.
 */
#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "child.h"
#include "loop.h"
#include "plumbing.h"
#include "util.h"

static void fail(struct launch *l, const struct child_failure *f)
{
	char text[1024];
	int status = child_explain(f, &l->request, &l->identity, text, sizeof(text));

	launch_stop(l);
	l->done(l->arg, status, text);
}

static void fail_user(struct launch *l, int err, const char *why)
{
	char text[1024];
	size_t len = (size_t)snprintf(text, sizeof(text), "%.500s", why);

	child_vitals(-err, text + len, sizeof(text) - len);
	launch_stop(l);
	l->done(l->arg, err == -ENOENT ? 126 : 125, text);
}

static void status_ready(void *arg, uint32_t events)
{
	struct launch *l = arg;
	struct child_failure f;
	ssize_t n = read(l->status, &f, sizeof(f));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(f)) {
		fail(l, &f);
		return;
	}
	launch_stop(l);
	l->done(l->arg, 0, NULL);
}

/**
 * launch_begin() - start a command
 * @l: LAUNCH_INIT but for its request, which is parsed; must stay where it is
 * @loop: watches the status pipe
 * @p: PLUMBING_INIT; opened, with the child's side closed again on success. The caller's
 * @done, @arg: called from the loop or launch_settle(), or, when it fails at once, from here
 *
 * Return: the pid; 0: it has failed, @done was called.
 */
pid_t launch_begin(struct launch *l, struct loop *loop, struct plumbing *p, launch_fn *done, void *arg)
{
	struct child_failure f = { .stage = CHILD_SETUP };
	char why[512];
	int err = user_lookup(&l->identity, l->request.user, why, sizeof(why));

	l->loop = loop;
	l->done = done;
	l->arg = arg;
	if (err < 0) {
		fail_user(l, err, why);
		return 0;
	}
	request_environment(&l->request, &l->identity);
	err = plumbing_open(p, l->request.streams, &l->request.size);
	if (err == 0) {
		f.stage = CHILD_FORK;
		err = child_start(&l->request, &l->identity, &p->child, &l->status);
	}
	if (err < 0) {
		f.error = -err;
		fail(l, &f);
		return 0;
	}
	plumbing_close_child(p);
	l->watch = loop_add(loop, l->status, EPOLLIN, status_ready, l);
	return err;
}

/** launch_settle() - the child is a zombie: its pipe has ended. @l: begun, @done not called yet. */
void launch_settle(struct launch *l)
{
	status_ready(l, 0);
}

/** launch_stop() - free everything but the terminal's size. @l: any; @done is not called any more. */
void launch_stop(struct launch *l)
{
	struct winsize size = l->request.size;

	if (l->watch >= 0)
		loop_del(l->loop, &l->watch);
	cleanup_fd(&l->status);
	request_free(&l->request);
	user_free(&l->identity);
	l->request.size = size;
}

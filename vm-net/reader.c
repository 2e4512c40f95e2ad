// SPDX-License-Identifier: ISC
/*
 * reader.c - open one file again, whenever asked, from a process that can open none: a policy that is read anew.
 *
 *	vm-net ── `open` ──▶ a child that may open files for reading and no other thing
 *	vm-net ◀── `ok` with a descriptor, or `error` and an errno's number ──┘
 */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "child.h"
#include "log.h"
#include "loop.h"
#include "msg.h"
#include "util.h"

struct reader {
	struct loop *loop;
	int sock, watch;
	pid_t pid;
	reader_fn *fn;
	void *arg;
};

static void serve(int sock, const char *path) __attribute__((noreturn));
static void serve(int sock, const char *path)
{
	struct msg m;

	while (msg_recv(sock, &m, true) > 0) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err = errno;

		msg_drop(&m);
		msg_init(&m);
		msg_add(&m, fd < 0 ? "error" : "ok");
		if (fd < 0)
			msg_addf(&m, "%d", err);
		else
			msg_add_fd(&m, &fd);
		if (msg_send(sock, &m))
			break;
	}
	_exit(0);
}

static void on_answer(void *arg, uint32_t events)
{
	struct reader *r = arg;
	struct msg m;
	int n = msg_recv(r->sock, &m, false), fd = -EIO;

	(void)events;
	if (n == -EAGAIN)
		return;
	if (n > 0 && m.fds == 1)
		fd = msg_take_fd(&m, 0);
	else if (n > 0 && m.words == 2)
		fd = -MAX(atoi(m.word[1]), 1);
	if (n > 0)
		msg_drop(&m);
	else
		loop_del(r->loop, &r->watch);
	r->fn(r->arg, fd);
}

/**
 * reader_new() - make ready; forks: before the process confines itself, and before it has threads
 * @loop: borrowed for as long
 * @path: of the file; of what is there when it is asked for
 * @fn, @arg: gets it, as often as it was asked for
 * Return: freed with reader_free(); NULL with errno.
 */
struct reader *reader_new(struct loop *loop, const char *path, reader_fn *fn, void *arg)
{
	static const struct sandbox_call calls[] = {
		{ .nr = SYS_recvmsg }, { .nr = SYS_sendmsg }, { .nr = SYS_close }, { .nr = SYS_poll }, { .nr = SYS_ppoll },
		{ .nr = SYS_openat, .arg = 2, .mask = O_ACCMODE | O_CREAT | O_TRUNC, .value = O_RDONLY },
		{ .nr = SYS_brk }, { .nr = SYS_mmap }, { .nr = SYS_munmap }, { .nr = SYS_exit_group },
	};
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct reader){ .loop = loop, .sock = -1, .watch = -1, .fn = fn, .arg = arg };
	r->pid = child_fork(&r->sock, "vm-net reader", calls, ARRAY_SIZE(calls));
	if (r->pid == 0)
		serve(r->sock, path);
	r->watch = r->pid < 0 ? -1 : loop_add(loop, r->sock, EPOLLIN, on_answer, r);
	if (r->watch >= 0)
		return r;
	reader_free(r);
	return NULL;
}

/** reader_ask() - have it opened; the answer comes when it comes. @r. */
void reader_ask(struct reader *r)
{
	struct msg m;
	int err;

	msg_init(&m);
	msg_add(&m, "open");
	err = msg_send(r->sock, &m);
	if (err)
		r->fn(r->arg, err);
}

/** reader_free() - ask no more; the child is gone afterwards. @r: may be NULL. */
void reader_free(struct reader *r)
{
	if (!r)
		return;
	loop_del(r->loop, &r->watch);
	child_end(&r->sock, r->pid);
	free(r);
}

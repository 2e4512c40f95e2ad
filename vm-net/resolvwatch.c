// SPDX-License-Identifier: ISC
/*
 * resolvwatch.c - follow resolv.conf from a process that can open no file.
 *
 *	vm-net ◀── one byte n, n servers ── a child that opens, reads and parses
 *	  └─ its end ──────────────────────▶ EOF: the child ends, too
 *
 * The child (child.h) may open files for reading and no other thing. It says what changed, not what happened.
 *
 * The file is replaced by rename (NetworkManager), is a link into /run (systemd-resolved) whose directory may come and
 * go, or is written in place and mounted from elsewhere (containers). So with inotify it watches the directory of each
 * link on the way, or what exists of it, and the file itself; watches are set before it reads, so no change is lost. Where
 * inotify does not see (network file systems) or has run out, it looks every LOOK_MSEC or BLIND_MSEC. A file that is
 * gone or empty for less than EMPTY_MSEC is being replaced.
 */
#include "resolv.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "child.h"
#include "log.h"
#include "loop.h"
#include "util.h"

enum {
	LINKS = 16,
	LOOK_MSEC = 30000,
	BLIND_MSEC = 3000,      /* without inotify */
	EMPTY_MSEC = 1000,
	SETTLE_MSEC = 20,       /* changes come in groups */
	ENTRY = 20,             /* bytes of a server in a message: address, scope */
	MESSAGE = 1 + RESOLV_SERVERS * ENTRY,
};

struct list {
	struct dns_server server[RESOLV_SERVERS];
	size_t n;
};

struct resolv {
	struct loop *loop;
	int fd, watch;
	pid_t pid;
	resolv_fn *fn;
	void *arg;
};

/* -- the child -- */

static bool list_equal(const struct list *a, const struct list *b)
{
	size_t i;

	for (i = 0; a->n == b->n && i < a->n; i++)
		if (!addr_equal(&a->server[i].addr, &b->server[i].addr) || a->server[i].scope != b->server[i].scope)
			return false;
	return a->n == b->n;
}

/* Watch a directory, or the first above it that exists. */
static void watch_directory(int ino, const char *path)
{
	const uint32_t what = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF |
			      IN_MOVE_SELF | IN_ONLYDIR;
	char dir[PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((slash = strrchr(dir, '/'))) {
		slash[slash == dir] = '\0';
		if (inotify_add_watch(ino, dir, what) >= 0 || slash == dir)
			return;
	}
	inotify_add_watch(ino, ".", what);
}

/* Watch what leads to a file, and it. Return: an inotify descriptor, or -1. */
static int watch_path(const char *path)
{
	int ino = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), i;
	char at[PATH_MAX], target[PATH_MAX], next[2 * PATH_MAX];

	if (ino < 0)
		return -1;
	snprintf(at, sizeof(at), "%s", path);
	for (i = 0; i < LINKS; i++) {
		char *slash = strrchr(at, '/');
		ssize_t n;

		watch_directory(ino, at);
		n = readlink(at, target, sizeof(target) - 1);
		if (n < 0)
			break;
		target[n] = '\0';
		if (*target == '/' || !slash)
			snprintf(next, sizeof(next), "%s", target);
		else
			snprintf(next, sizeof(next), "%.*s/%s", (int)(slash - at), at, target);
		if (strlen(next) >= sizeof(at))
			break;
		memcpy(at, next, strlen(next) + 1);
	}
	inotify_add_watch(ino, path, IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF);
	return ino;
}

static void send_list(int sock, const struct list *l)
{
	uint8_t m[MESSAGE];
	size_t i;

	m[0] = (uint8_t)l->n;
	for (i = 0; i < l->n; i++) {
		memcpy(m + 1 + i * ENTRY, l->server[i].addr.b, 16);
		put_le32(m + 1 + i * ENTRY + 16, l->server[i].scope);
	}
	if (send(sock, m, 1 + l->n * ENTRY, MSG_NOSIGNAL) < 0)
		_exit(0);
}

/* Wait until something may have changed. Ends the process when vm-net is gone. */
static void wait_for_change(int sock, int ino, int msec)
{
	struct pollfd p[] = { { .fd = sock, .events = POLLIN }, { .fd = ino, .events = POLLIN } };

	if (poll(p, 2, msec) > 0 && !p[0].revents)
		poll(p, 1, SETTLE_MSEC);
	if (p[0].revents)
		_exit(0);
}

static void follow(int sock, const char *path, struct list *told)
{
	bool empty = false;

	for (;;) {
		autoclose int ino = watch_path(path);
		struct list l;

		l.n = resolv_open(path, l.server);
		if (list_equal(&l, told)) {
			empty = false;
		} else if (l.n || empty) {
			send_list(sock, &l);
			*told = l;
			empty = false;
		} else {
			empty = true;
		}
		if (empty)
			poll(&(struct pollfd){ .fd = sock, .events = POLLIN }, 1, EMPTY_MSEC);
		wait_for_change(sock, ino, empty ? 0 : ino < 0 ? BLIND_MSEC : LOOK_MSEC);
	}
}

/* -- vm-net -- */

static void on_message(void *arg, uint32_t events)
{
	struct resolv *r = arg;
	uint8_t m[MESSAGE];
	struct list l = { .n = 0 };
	ssize_t n = recv(r->fd, m, sizeof(m), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 1 || m[0] > RESOLV_SERVERS || (size_t)n != 1 + (size_t)m[0] * ENTRY) {
		warn("dns: changes of resolv.conf are no longer followed: its reader is gone");
		loop_del(r->loop, &r->watch);
		return;
	}
	for (; l.n < m[0]; l.n++) {
		const uint8_t *p = m + 1 + l.n * ENTRY;

		l.server[l.n] = (struct dns_server){ .scope = get_le32(p + 16) };
		memcpy(l.server[l.n].addr.b, p, 16);
	}
	r->fn(r->arg, l.server, l.n);
}

/**
 * resolv_follow() - tell the servers, now and whenever they change
 * @loop: of vm-net
 * @path: of the file; it need not exist
 * @fn, @arg: called before this returns, and on changes
 *
 * Forks: call before the process confines itself, and before it has threads. The child is reaped by resolv_free().
 * Return: freed with resolv_free(); NULL with errno.
 */
struct resolv *resolv_follow(struct loop *loop, const char *path, resolv_fn *fn, void *arg)
{
	static const struct sandbox_call calls[] = {
		{ .nr = SYS_poll }, { .nr = SYS_ppoll }, { .nr = SYS_read }, { .nr = SYS_close }, { .nr = SYS_fstat },
		{ .nr = SYS_newfstatat }, { .nr = SYS_readlink }, { .nr = SYS_readlinkat },
		{ .nr = SYS_openat, .arg = 2, .mask = O_ACCMODE | O_CREAT | O_TRUNC, .value = O_RDONLY },
		{ .nr = SYS_inotify_init1 }, { .nr = SYS_inotify_add_watch }, { .nr = SYS_sendto },
		/* For an interface's number: a socket that says it and nothing else. */
		{ .nr = SYS_socket, .arg = 0, .mask = 0xffffffff, .value = AF_UNIX },
		{ .nr = SYS_ioctl, .arg = 1, .mask = 0xffffffff, .value = SIOCGIFINDEX },
		{ .nr = SYS_mmap }, { .nr = SYS_munmap }, { .nr = SYS_brk }, { .nr = SYS_exit_group },
	};
	struct resolv *r = calloc(1, sizeof(*r));
	struct list l;

	if (!r)
		return NULL;
	*r = (struct resolv){ .loop = loop, .fd = -1, .watch = -1, .fn = fn, .arg = arg };
	l.n = resolv_open(path, l.server);
	r->pid = child_fork(&r->fd, "vm-net resolv", calls, ARRAY_SIZE(calls));
	if (r->pid == 0)
		follow(r->fd, path, &l);
	r->watch = r->pid < 0 ? -1 : loop_add(loop, r->fd, EPOLLIN, on_message, r);
	if (r->watch < 0) {
		resolv_free(r);
		return NULL;
	}
	fn(arg, l.server, l.n);
	return r;
}

/** resolv_free() - follow no more; the child is gone afterwards. @r: may be NULL. */
void resolv_free(struct resolv *r)
{
	if (!r)
		return;
	loop_del(r->loop, &r->watch);
	child_end(&r->fd, r->pid);
	free(r);
}

// SPDX-License-Identifier: ISC
/*
 * vpath.c - vsock through sockets in the file system, the way Firecracker does it (its docs/vsock.md), for programs
 * that speak that and not our control socket.
 *
 *	host to guest	a client connects to PATH and says "CONNECT PORT\n"; "OK HOSTPORT\n" comes back once the guest has
 *			taken the connection, and bytes from there on; or the end, when it has not
 *	guest to host	the guest's connection to a port nobody has asked for by `vsock-listen` goes to the socket PATH_PORT
 *
 * A client's line is read byte by byte: what follows it is the guest's. Its socket is handed to the device as it is, so no
 * byte passes through here. The machine is confined when it connects to PATH_PORT: its working directory, which is
 * all that it can name there, is the one PATH lies in, and socket(2) makes AF_UNIX sockets only.
 */
#include "vpath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fds.h"
#include "log.h"
#include "loop.h"
#include "opts.h"
#include "sockpath.h"
#include "util.h"
#include "virtio_vsock.h"
#include "vm.h"

enum { CLIENTS = 64, LINE = 32, PATIENCE_MSEC = 5000, PORT_LEN = 11 };

struct client {
	struct vpath *p;
	int fd, watch;                  /* fd -1: free */
	unsigned int age;               /* in turns of the timer */
	size_t len;
	char line[LINE];
};

struct vpath {
	struct vm *vm;
	int dir, listener, watch, timer, spare; /* spare: see fds_accept() */
	char name[SOCKPATH_NAME];       /* of the socket in @dir; _PORT fits behind it */
	struct client client[CLIENTS];
};

static void drop(struct client *c)
{
	loop_del(c->p->vm->loop, &c->watch);
	cleanup_fd(&c->fd);
}

/* The line is there: "CONNECT PORT", and no NUL that hides what follows. The device answers with OK, or closes. */
static void dial(struct client *c)
{
	uint64_t port;

	loop_del(c->p->vm->loop, &c->watch);
	if (strlen(c->line) != c->len || strncmp(c->line, "CONNECT ", 8) ||
	    parse_u64(c->line + 8, 0, UINT32_MAX - 1, &port) ||
	    vsock_dial_socket(c->p->vm->vsock, (uint32_t)port, &c->fd))
		drop(c);
}

static void on_client(void *arg, uint32_t events)
{
	struct client *c = arg;
	ssize_t n = 1;

	(void)events;
	while (n > 0 && c->len < LINE - 1) {
		n = recv(c->fd, c->line + c->len, 1, MSG_DONTWAIT);
		if (n > 0 && c->line[c->len] == '\n') {
			c->line[c->len] = 0;
			dial(c);
			return;
		}
		c->len += n > 0;
	}
	if (n == 0 || c->len == LINE - 1 || (errno != EAGAIN && errno != EINTR))
		drop(c);
}

static void on_listener(void *arg, uint32_t events)
{
	struct vpath *p = arg;
	autoclose int fd = fds_accept(p->listener, &p->spare);
	struct client *c = NULL;
	int i;

	(void)events;
	for (i = 0; i < CLIENTS && !c; i++)
		if (p->client[i].fd < 0)
			c = &p->client[i];
	if (fd < 0 || !c)
		return;
	*c = (struct client){ .p = p, .fd = fd, .watch = loop_add(p->vm->loop, fd, EPOLLIN, on_client, c) };
	if (c->watch < 0) {
		c->fd = -1;
		return;
	}
	steal_fd(&fd);
	loop_timer_set(p->vm->loop, p->timer, PATIENCE_MSEC);
}

/* Who said nothing for one turn to two of the timer has said enough. */
static void on_timer(void *arg, uint32_t events)
{
	struct vpath *p = arg;
	bool left = false;
	int i;

	(void)events;
	for (i = 0; i < CLIENTS; i++) {
		if (p->client[i].fd < 0)
			continue;
		if (p->client[i].age++)
			drop(&p->client[i]);
		else
			left = true;
	}
	if (left)
		loop_timer_set(p->vm->loop, p->timer, PATIENCE_MSEC);
}

/* The guest dials a port that nobody listens on: connect to PATH_PORT. As the vsock worker. */
static int outward(void *arg, uint32_t port)
{
	const struct vpath *p = arg;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.*s_%u", SOCKPATH_NAME - PORT_LEN - 1, p->name, port);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int bind_path(struct vpath *p, const char *path)
{
	p->dir = sockpath_open(path, p->name);
	if (p->dir < 0)
		return p->dir;
	if (strlen(p->name) >= SOCKPATH_NAME - PORT_LEN)
		return -ENAMETOOLONG;
	p->listener = sockpath_listen(p->dir, p->name, SOCK_STREAM);
	return MIN(p->listener, 0);
}

/**
 * vpath_open() - serve vsock at a path; before the sandbox
 * @vm: with loop and vsock; borrowed
 * @path: of the socket; an old one that nobody serves is replaced
 * @err, @errsize: what is wrong
 * Return: it, freed with vpath_free(), which removes the socket; NULL.
 */
struct vpath *vpath_open(struct vm *vm, const char *path, char *err, size_t errsize)
{
	struct vpath *p = calloc(1, sizeof(*p));
	int i, e;

	snprintf(err, errsize, "--vsock-path: out of resources");
	if (!p)
		return NULL;
	*p = (struct vpath){ .vm = vm, .dir = -1, .listener = -1, .watch = -1, .timer = -1,
			     .spare = eventfd(0, EFD_CLOEXEC) };
	for (i = 0; i < CLIENTS; i++)
		p->client[i] = (struct client){ .p = p, .fd = -1, .watch = -1 };
	e = bind_path(p, path);
	if (e) {
		snprintf(err, errsize, "--vsock-path: %s: %s", path, errstr(e));
		vpath_free(p);
		return NULL;
	}
	p->watch = loop_add(vm->loop, p->listener, EPOLLIN, on_listener, p);
	p->timer = loop_timer(vm->loop, on_timer, p);
	if (p->watch < 0 || p->timer < 0) {
		vpath_free(p);
		return NULL;
	}
	vsock_set_outward(vm->vsock, outward, p);
	return p;
}

/** vpath_dir() - the directory that the machine's working directory must be. @p: or NULL. Return: fd, -1. */
int vpath_dir(const struct vpath *p)
{
	return p ? p->dir : -1;
}

/** vpath_free() - end it and remove the socket. @p: may be NULL; the vsock worker's thread is stopped. */
void vpath_free(struct vpath *p)
{
	int i;

	if (!p)
		return;
	for (i = 0; i < CLIENTS; i++)
		drop(&p->client[i]);
	loop_del(p->vm->loop, &p->watch);
	loop_timer_del(p->vm->loop, &p->timer);
	if (p->listener >= 0 && unlinkat(p->dir, p->name, 0) < 0)
		debug("--vsock-path: %s: %s", p->name, errstr(errno));
	cleanup_fd(&p->listener);
	cleanup_fd(&p->dir);
	cleanup_fd(&p->spare);
	free(p);
}

// SPDX-License-Identifier: ISC
/*
 * handle.c - find a VM and talk to it.
 *
 * A handle is one line: the absolute path of a VM's control socket. A plain pipe cannot carry
 * descriptors, so the tool behind `vm-boot |` redeems the line for them: it connects and asks.
 * Which VM a tool means is settled here, in this order:
 *
 *	-V SPEC on the command line
 *	VM=SPEC in the environment
 *	a handle line on stdin, if neither is given and fd 0 is a pipe or a socket
 *
 * where SPEC is
 *
 *	/path/to/ctl	a handle
 *	NAME		a VM's name in the runtime directory (rundir.c)
 *	-		the handle line on stdin, whatever stdin is
 *	fd:N		an inherited descriptor: a control socket without any path, or a pipe
 *			from which one handle line is read
 *
 * Lifetimes hang on descriptors. The pipe from vm-boot is held open until exit, because the VM ends
 * when its last reader leaves. An inherited control socket keeps its VM alive the same way; it is
 * shared by every process that inherited it, so the only verb used on it is `dial`, which answers
 * with a connection of our own: two users of one socket would steal each other's replies.
 *
 * Requests and replies are packets of words (msg.c). A reply's first word is `ok` or `error`; an
 * error goes on with the errno's name and a message for a person.
 */
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "log.h"
#include "opts.h"
#include "rundir.h"
#include "util.h"

/* The number in VM=fd:N or -V fd:N, to be kept from our children; -1: none. */
static int inherited = -1;

/**
 * handle_keep_private() - make an inherited control descriptor close-on-exec
 *
 * Call at start, before any child: a stray grandchild must not keep the VM alive.
 */
void handle_keep_private(void)
{
	const char *vm = getenv("VM");

	if (inherited < 0 && vm && !strncmp(vm, "fd:", 3))
		parse_fd(vm, &inherited);
	if (inherited > STDERR_FILENO)
		fcntl(inherited, F_SETFD, FD_CLOEXEC);
}

/**
 * handle_read_line() - read one line and not a byte more
 * @fd: pipe, socket or file; blocks
 * @line: set to the line without its newline
 * @size: of @line
 *
 * What follows the line belongs to another reader of the same pipe, hence byte by byte.
 * Return: 0; -ENODATA at end of file; -EMSGSIZE when it is too long or holds a NUL; -errno.
 */
int handle_read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLIN };

			poll(&p, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		if (c == '\n')
			break;
		if (len + 1 >= size || !c)
			return -EMSGSIZE;
		line[len++] = c;
	}
	line[len] = 0;
	return 0;
}

static int line_from(int fd, const char *what, char *line, size_t size, char *err, size_t errsize)
{
	int e;

	if (isatty(fd)) {
		snprintf(err, errsize, "%s is a terminal, not a handle: pipe vm-boot into this, or "
			 "name the VM with -V or VM", what);
		return -EINVAL;
	}
	e = handle_read_line(fd, line, size);
	if (e == -ENODATA)
		snprintf(err, errsize, "no handle came on %s: the VM did not start, or nothing "
			 "prints one there", what);
	else if (e == -EMSGSIZE)
		snprintf(err, errsize, "what came on %s is not a handle (a line of at most 4095 bytes "
			 "is)", what);
	else if (e)
		snprintf(err, errsize, "%s: %s", what, errstr(e));
	else if (line[0] != '/') {
		snprintf(err, errsize, "what came on %s is not a handle (it does not start with /): "
			 "pipe vm-boot into this, or name the VM with -V or VM", what);
		e = -EINVAL;
	}
	return e;
}

/* The other end of a fresh connection must be us or root: nobody else may play the VM. */
static int check_server(int sock, const char *name, char *err, size_t errsize)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (cred.uid == geteuid() || cred.uid == 0)
		return 0;
	if (geteuid() == 0)
		return 0;       /* root may work in anybody's VM */
	snprintf(err, errsize, "%s: is served by uid %u, not by you", name,
		 (unsigned int)cred.uid);
	return -EPERM;
}

static int connect_path(struct vm_link *link, const char *path, char *err, size_t errsize)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');
	autoclose int dirfd = -1, sock = -1;
	int e;

	snprintf(link->handle, sizeof(link->handle), "%s", path);
	snprintf(dir, sizeof(dir), "%.*s", (int)MAX(slash - path, 1), path);
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	e = dirfd < 0 ? -errno : 0;
	if (!e) {
		sock = rundir_connect(dirfd, slash + 1, SOCK_SEQPACKET);
		e = sock < 0 ? sock : 0;
	}
	if (e == -ENOENT || e == -ECONNREFUSED)
		snprintf(err, errsize, "%s: no such VM: it has ended or never started (vm-ls lists "
			 "those that live)", path);
	else if (e == -EACCES)
		snprintf(err, errsize, "%s: belongs to another user: run this as who started the VM "
			 "(sudo on one side of a pipe needs sudo on the other)", path);
	else if (e)
		snprintf(err, errsize, "%s: %s", path, errstr(e));
	if (e)
		return e;
	e = check_server(sock, path, err, errsize);
	if (e)
		return e;
	link->sock = steal_fd(&sock);
	return 0;
}

static int connect_name(struct vm_link *link, const char *name, char *err, size_t errsize)
{
	struct rundir r = RUNDIR_INIT;
	char path[PATH_MAX + 80];
	int e;

	if (!rundir_name_ok(name)) {
		snprintf(err, errsize, "%s: is neither a handle, nor fd:N, nor a VM's name", name);
		return -EINVAL;
	}
	e = rundir_base(&r, false, err, errsize);
	if (e == -ENOENT)
		snprintf(err, errsize, "%s: no such VM (vm-ls lists those that live)", name);
	if (e)
		return e;
	rundir_list(&r, NULL, NULL);
	snprintf(path, sizeof(path), "%s/%s/ctl", r.path, name);
	rundir_close(&r);
	e = connect_path(link, path, err, errsize);
	if (e == -ENOENT || e == -ECONNREFUSED)
		snprintf(err, errsize, "%s: no such VM (vm-ls lists those that live)", name);
	return e;
}

static int dial(struct vm_link *link, int fd, char *err, size_t errsize)
{
	struct msg m;
	int e;

	msg_init(&m);
	msg_add(&m, "dial");
	e = msg_send(fd, &m);
	if (e) {
		snprintf(err, errsize, "fd:%d: the VM has ended", fd);
		return e;
	}
	/* Whoever else shares fd may take the packet meant for us: every answer to `dial` is a
	 * fresh connection, so any will do, and as many come as were asked for. */
	e = msg_recv(fd, &m, true);
	if (e <= 0 || strcmp(m.word[0], "ok")) {
		snprintf(err, errsize, "fd:%d: the VM has ended", fd);
		if (e > 0)
			msg_drop(&m);
		return -ECONNRESET;
	}
	link->sock = msg_take_fd(&m, 0);
	msg_drop(&m);
	if (link->sock < 0) {
		snprintf(err, errsize, "fd:%d: is not a VM's control socket", fd);
		return -EPROTO;
	}
	snprintf(link->handle, sizeof(link->handle), "fd:%d", fd);
	return 0;
}

static int connect_fd(struct vm_link *link, const char *spec, char *err, size_t errsize)
{
	char line[4096];
	struct stat st;
	int fd, type, e;
	socklen_t len = sizeof(type);

	if (parse_fd(spec, &fd) || fcntl(fd, F_GETFD) < 0 || fstat(fd, &st) < 0) {
		snprintf(err, errsize, "%s: no such open descriptor was inherited", spec);
		return -EBADF;
	}
	inherited = fd;
	handle_keep_private();
	link->stdin_is_handle = fd == STDIN_FILENO;
	if (S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_SEQPACKET)
		return dial(link, fd, err, errsize);
	e = line_from(fd, spec, line, sizeof(line), err, errsize);
	return e ? e : connect_path(link, line, err, errsize);
}

/**
 * handle_open() - find the VM that is meant and connect to its control socket
 * @link: VM_LINK_INIT; filled in, the caller closes sock; handle also when nothing answers there
 * @spec: argument of -V, or NULL
 * @err, @errsize: what went wrong and what to do about it
 *
 * May block reading a handle line. Return: 0 or -errno with @err filled in.
 */
int handle_open(struct vm_link *link, const char *spec, char *err, size_t errsize)
{
	char line[4096];
	struct stat st;
	int e;

	snprintf(err, errsize, "cannot reach the VM");
	if (!spec || !*spec)
		spec = getenv("VM");
	if (!spec || !*spec) {
		if (fstat(STDIN_FILENO, &st) < 0 ||
		    (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))) {
			snprintf(err, errsize, "no VM given: pipe vm-boot into this, or name the VM "
				 "with -V or the variable VM");
			return -EINVAL;
		}
		spec = "-";
	}
	if (!strcmp(spec, "-")) {
		e = line_from(STDIN_FILENO, "stdin", line, sizeof(line), err, errsize);
		link->stdin_is_handle = true;
		return e ? e : connect_path(link, line, err, errsize);
	}
	if (spec[0] == '/')
		return connect_path(link, spec, err, errsize);
	if (!strncmp(spec, "fd:", 3))
		return connect_fd(link, spec, err, errsize);
	return connect_name(link, spec, err, errsize);
}

/**
 * ctl_call() - one request and its reply
 * @sock: control socket of our own
 * @request: sent, emptied, its descriptors consumed
 * @reply: filled in; its words begin after `ok`; msg_drop() it, also after an error
 * @err, @errsize: the VM's own words when it refuses
 *
 * Blocks until the VM answers, which may be when it ends (`wait`).
 * Return: 0; -ECONNRESET when the VM went away; the errno it answered with; -errno.
 */
int ctl_call(int sock, struct msg *request, struct msg *reply, char *err, size_t errsize)
{
	int e = msg_send(sock, request);

	msg_init(reply);
	if (!e) {
		e = msg_recv(sock, reply, true);
		if (e == 0)
			e = -ECONNRESET;
	}
	if (e == -EPIPE)
		e = -ECONNRESET;
	if (e == -ECONNRESET)
		snprintf(err, errsize, "the VM has ended");
	else if (e < 0)
		snprintf(err, errsize, "control socket: %s", errstr(e));
	if (e < 0)
		return e;
	if (!strcmp(reply->word[0], "ok"))
		return 0;
	snprintf(err, errsize, "%s", reply->words > 2 ? reply->word[2] : "malformed reply");
	e = EPROTO;
	if (reply->words > 1) {
		int i;

		for (i = 1; i < 134; i++)
			if (strerrorname_np(i) && !strcmp(strerrorname_np(i), reply->word[1]))
				e = i;
	}
	return -e;
}

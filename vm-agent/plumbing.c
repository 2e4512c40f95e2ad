// SPDX-License-Identifier: ISC
/* plumbing.c - the pipes or the terminal between a command and its streams. */
#include "plumbing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "proto.h"
#include "util.h"

/* One pipe. @ours: set to our end, O_NONBLOCK: its description is ours alone. @theirs: the other. */
static int open_pipe(int *ours, int *theirs, bool input)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	*ours = fd[input ? 1 : 0];
	*theirs = fd[input ? 0 : 1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int again(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

/* What is typed may be UTF-8; the rest is as the kernel makes it, which is sane. */
static void make_utf8(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return;
	t.c_iflag |= IUTF8;
	tcsetattr(fd, TCSANOW, &t);
}

/* The slave is opened through the master (Linux 4.13), whatever is mounted on /dev/pts. */
static int open_terminal(struct plumbing *p, const struct winsize *size)
{
	int unlocked = 0;

	p->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->master < 0 || ioctl(p->master, TIOCSPTLCK, &unlocked) < 0)
		return -errno;
	p->child.fd[0] = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->child.fd[0] < 0)
		return -errno;
	p->child.tty = true;
	make_utf8(p->child.fd[0]);
	if (size->ws_col && ioctl(p->master, TIOCSWINSZ, size) < 0)
		return -errno;
	p->child.fd[1] = again(p->child.fd[0]);
	p->child.fd[2] = again(p->child.fd[0]);
	p->input = again(p->master);
	p->output = again(p->master);
	return MIN(MIN(p->child.fd[1], p->child.fd[2]), MIN(MIN(p->input, p->output), 0));
}

/**
 * plumbing_open() - make what a command's streams need
 * @p: PLUMBING_INIT; plumbing_close() it, on failure too
 * @streams: bits 1 << enum proto_stream
 * @size: of a terminal; 0 columns: not told
 *
 * Return: 0 or -errno.
 */
int plumbing_open(struct plumbing *p, uint32_t streams, const struct winsize *size)
{
	int err = 0;

	if (streams & 1 << PROTO_TTY)
		return open_terminal(p, size);
	if (streams & 1 << PROTO_STDIN)
		err = open_pipe(&p->input, &p->child.fd[0], true);
	if (!err && (streams & 1 << PROTO_STDOUT))
		err = open_pipe(&p->output, &p->child.fd[1], false);
	if (!err && (streams & 1 << PROTO_STDERR))
		err = open_pipe(&p->errors, &p->child.fd[2], false);
	return err;
}

/** plumbing_close_child() - close the command's side, once it has its own. @p: opened. */
void plumbing_close_child(struct plumbing *p)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(p->child.fd); i++)
		cleanup_fd(&p->child.fd[i]);
}

/** plumbing_close() - close all that is open. @p: any; PLUMBING_INIT afterwards. */
void plumbing_close(struct plumbing *p)
{
	plumbing_close_child(p);
	cleanup_fd(&p->input);
	cleanup_fd(&p->output);
	cleanup_fd(&p->errors);
	cleanup_fd(&p->master);
}

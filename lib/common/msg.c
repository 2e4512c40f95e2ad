// SPDX-License-Identifier: ISC
/*
 * msg.c - packets of words and descriptors: the control protocol's only shape.
 *
 * A message is one SOCK_SEQPACKET packet: words separated by NUL bytes, and the descriptors that
 * travel with it (SCM_RIGHTS). A message owns its descriptors until one is taken out; msg_drop()
 * closes the rest, so an unclaimed descriptor cannot leak. A packet that is too long, cut short, or
 * carries more descriptors than we take is refused whole, with all its descriptors closed: half a
 * message never reaches a handler.
 *
 * An empty packet cannot be told from the end of the connection and is never sent.
 */
#include "msg.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "util.h"

/** msg_init() - an empty message. @m: filled in. */
void msg_init(struct msg *m)
{
	m->len = 0;
	m->words = 0;
	m->fds = 0;
	m->overflow = false;
}

/** msg_drop() - close what descriptors a message still owns and empty it. @m: message. */
void msg_drop(struct msg *m)
{
	int i;

	for (i = 0; i < m->fds; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	msg_init(m);
}

/**
 * msg_add() - append a word
 * @m: message
 * @word: copied; what does not fit makes msg_send() fail with -EMSGSIZE
 */
void msg_add(struct msg *m, const char *word)
{
	size_t len = strlen(word);
	size_t at = m->words ? m->len + 1 : 0;

	if (m->words == MSG_WORDS || at + len > MSG_SIZE) {
		m->overflow = true;
		return;
	}
	memcpy(m->buf + at, word, len + 1);
	m->word[m->words++] = m->buf + at;
	m->len = at + len;
}

/** msg_addf() - append a word made as by printf(3). @m: message. @fmt: format. */
void msg_addf(struct msg *m, const char *fmt, ...)
{
	char word[MSG_SIZE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(word, sizeof(word), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(word))
		m->overflow = true;
	else
		msg_add(m, word);
}

/** msg_add_fd() - give a message a descriptor. @m: message. @fd: consumed, left -1. */
void msg_add_fd(struct msg *m, int *fd)
{
	if (m->fds == MSG_FDS) {
		m->overflow = true;
		cleanup_fd(fd);
		return;
	}
	m->fd[m->fds++] = steal_fd(fd);
}

/**
 * msg_take_fd() - move a descriptor out of a message
 * @m: message
 * @i: which, from 0
 * Return: the descriptor, the caller's now; -EBADF if there is no such or it was taken.
 */
int msg_take_fd(struct msg *m, int i)
{
	if (i < 0 || i >= m->fds || m->fd[i] < 0)
		return -EBADF;
	return steal_fd(&m->fd[i]);
}

/**
 * msg_send() - send a message; its descriptors are closed here whatever comes of it
 * @sock: SOCK_SEQPACKET socket
 * @m: at least one word, not all empty; emptied
 *
 * Never blocks for long: a packet goes whole or not at all.
 * Return: 0; -EMSGSIZE when something did not fit; -EAGAIN when the peer reads nothing; -errno.
 */
int msg_send(int sock, struct msg *m)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * MSG_FDS)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { m->buf, m->len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	int err = 0;

	if (m->overflow || !m->len) {
		msg_drop(m);
		return -EMSGSIZE;
	}
	if (m->fds) {
		struct cmsghdr *c;

		h.msg_control = control.buf;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)m->fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)m->fds);
		memcpy(CMSG_DATA(c), m->fd, sizeof(int) * (size_t)m->fds);
	}
	while (sendmsg(sock, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		err = -errno;
		break;
	}
	msg_drop(m);
	return err;
}

/* Take every descriptor that came. Return false if there were too many or not plain rights. */
static bool take_rights(struct msghdr *h, struct msg *m)
{
	struct cmsghdr *c;
	bool good = true;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n, i;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			good = false;
			continue;
		}
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (m->fds < MSG_FDS) {
				m->fd[m->fds++] = fd;
			} else {
				close(fd);
				good = false;
			}
		}
	}
	return good;
}

static bool split_words(struct msg *m)
{
	char *p = m->buf, *end = m->buf + m->len;

	*end = 0;
	for (;;) {
		if (m->words == MSG_WORDS)
			return false;
		m->word[m->words++] = p;
		p = memchr(p, 0, (size_t)(end - p));
		if (!p || p == end)
			return true;
		p++;
	}
}

/**
 * msg_recv() - receive a message
 * @sock: SOCK_SEQPACKET socket
 * @m: filled in, at least one word; msg_drop() it when done
 * @wait: whether to block until one is there
 * Return: 1; 0 at the end of the connection; -EAGAIN when nothing is there; -EBADMSG for a packet
 * that is cut short or has too much of anything (nothing is kept of it); -errno.
 */
int msg_recv(int sock, struct msg *m, bool wait)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * (MSG_FDS + 1))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { m->buf, MSG_SIZE };
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	msg_init(m);
	for (;;) {
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
		if (n >= 0)
			break;
		if (errno == EAGAIN && wait) {
			/* Somebody made the shared description non-blocking: wait all the same. */
			struct pollfd p = { .fd = sock, .events = POLLIN };

			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	if (!take_rights(&h, m) || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (!n && m->fds))
		goto bad;
	if (!n)
		return 0;
	m->len = (size_t)n;
	if (!split_words(m))
		goto bad;
	return 1;
bad:
	msg_drop(m);
	return -EBADMSG;
}

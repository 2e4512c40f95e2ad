// SPDX-License-Identifier: ISC
/*
 * vhost_msg.c - vhost-user's messages: a header, a payload, descriptors (QEMU docs/interop/vhost-user).
 *
 *	u32 request | u32 flags | u32 size | payload	+ SCM_RIGHTS
 *
 * The socket is a stream: a message is gathered piece by piece, and its descriptors with it. They
 * belong to the message until they are stolen from it; vhost_msg_drop() closes the rest. Numbers are in
 * the machine's order, which is little-endian on all that we run on. The peer is QEMU, which a
 * guest may have taken over: a length is checked before anything of that length is read.
 */
#include "vhost_msg.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "util.h"

/* Take every descriptor that came. Return false if there were too many or not plain rights. */
static bool take_rights(struct msghdr *h, struct vhost_msg *m)
{
	struct cmsghdr *c;
	bool good = !(h->msg_flags & MSG_CTRUNC);

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
			if (m->fds < VHOST_MSG_FDS) {
				m->fd[m->fds++] = fd;
			} else {
				close(fd);
				good = false;
			}
		}
	}
	return good;
}

/* One piece, at most @want bytes. Return: bytes; 0 at the end; -EBADMSG, -errno. */
static int recv_piece(int sock, struct vhost_msg *m, size_t want)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * (VHOST_MSG_FDS + 1))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { m->buf + m->have, want };
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	do
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	return take_rights(&h, m) ? (int)n : -EBADMSG;
}

static int take_header(struct vhost_msg *m)
{
	m->request = get_le32(m->buf);
	m->flags = get_le32(m->buf + 4);
	m->size = get_le32(m->buf + 8);
	m->payload = m->buf + VHOST_MSG_HEADER;
	if ((m->flags & VHOST_MSG_VERSION_MASK) != VHOST_MSG_VERSION || (m->flags & VHOST_MSG_REPLY))
		return -EBADMSG;
	return m->size > VHOST_MSG_PAYLOAD ? -EBADMSG : 0;
}

/**
 * vhost_msg_recv() - go on to receive a message
 * @sock: stream socket
 * @m: zeroed or dropped before the first piece, then kept until the message is whole
 *
 * Does not block. Return: 1 when it is whole, vhost_msg_drop() it; -EAGAIN when more has to come; 0 at
 * the end of the connection; -EBADMSG when it is no message or was cut short; -errno. After
 * anything but 1 and -EAGAIN the connection is of no use: drop the message.
 */
int vhost_msg_recv(int sock, struct vhost_msg *m)
{
	for (;;) {
		size_t whole = VHOST_MSG_HEADER + (m->have < VHOST_MSG_HEADER ? 0 : m->size);
		int n;

		if (m->have >= VHOST_MSG_HEADER && m->have == whole)
			return 1;
		n = recv_piece(sock, m, whole - m->have);
		if (n < 0)
			return n;
		if (n == 0)
			return m->have ? -EBADMSG : 0;
		m->have += (size_t)n;
		if (m->have == VHOST_MSG_HEADER && take_header(m))
			return -EBADMSG;
	}
}

/** vhost_msg_bad() - it breaks a rule. @m. @why: kept by reference. Return: -EPROTO. */
int vhost_msg_bad(struct vhost_msg *m, const char *why)
{
	m->why = why;
	return -EPROTO;
}

/** vhost_msg_drop() - close what descriptors a message still owns and empty it. @m: message. */
void vhost_msg_drop(struct vhost_msg *m)
{
	int i;

	for (i = 0; i < m->fds; i++)
		cleanup_fd(&m->fd[i]);
	m->fds = 0;
	m->have = 0;
	m->size = 0;
}

/**
 * vhost_msg_reply() - answer
 * @sock: stream socket
 * @request: what is answered
 * @payload, @len: at most VHOST_MSG_PAYLOAD bytes; may be none
 * Does not block. Return: 0; -EAGAIN when the peer does not take it, which now is of no use any more;
 * -EPIPE, -ECONNRESET when it is gone; another -errno.
 */
int vhost_msg_reply(int sock, uint32_t request, const void *payload, size_t len)
{
	uint8_t buf[VHOST_MSG_HEADER + VHOST_MSG_PAYLOAD];
	ssize_t n;

	put_le32(buf, request);
	put_le32(buf + 4, VHOST_MSG_VERSION | VHOST_MSG_REPLY);
	put_le32(buf + 8, (uint32_t)len);
	if (len)
		memcpy(buf + VHOST_MSG_HEADER, payload, len);
	do
		n = send(sock, buf, VHOST_MSG_HEADER + len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == VHOST_MSG_HEADER + len ? 0 : -EAGAIN;
}

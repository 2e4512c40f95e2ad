// SPDX-License-Identifier: ISC
/*
 * frames.c - Ethernet frames over a stream socket, each after its length as a big-endian u32.
 *
 * It is what QEMU's `-netdev stream`, passt and gvproxy speak. Neither end waits for the other: reads and writes take
 * MSG_DONTWAIT, so that the socket's own flags, which the peer may share, stay as they are.
 *
 *	in	one recv() takes as much as there is; frames are handed out where they lie, each in one piece, and what
 *		is left of the last one is moved to the front before the next recv()
 *	out	frames are copied into a ring, and one sendmsg() takes all of it. A large one may go without the copy:
 *		what the socket does not take of it goes to the ring, whose room was seen to before. A ring without
 *		room drops the frame and counts it; a frame of which a byte went out is always finished.
 */
#include "frames.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "util.h"

enum {
	IN_SIZE = 4 * (FRAMES_HEADER + FRAMES_MAX),
	PARTS_MAX = 64,                 /* of one frame that is sent without a copy */
};

/** frames_in_init() - nothing has come yet. @in: filled in. Return: 0, -ENOMEM. */
int frames_in_init(struct frames_in *in)
{
	*in = (struct frames_in){ .data = malloc(IN_SIZE) };
	return in->data ? 0 : -ENOMEM;
}

/** frames_in_free() - free what came. @in: initialized, or zero. */
void frames_in_free(struct frames_in *in)
{
	free(in->data);
	*in = (struct frames_in){ 0 };
}

/** frames_in_reset() - forget what came: there is another peer. @in: initialized; counters stay. */
void frames_in_reset(struct frames_in *in)
{
	in->head = in->tail = 0;
}

/**
 * frames_in_fill() - read what there is, once
 * @in: frames_in_next() has said that it needs more; frames that it returned are gone
 * @fd: stream socket
 * Return: bytes read; 0 at the peer's end; -EAGAIN when there is nothing; -ENOBUFS when frames have to be taken
 * first; another -errno when the socket is of no more use.
 */
ssize_t frames_in_fill(struct frames_in *in, int fd)
{
	size_t left = in->tail - in->head;
	ssize_t n;

	if (!left || (in->head && IN_SIZE - in->tail < FRAMES_HEADER + FRAMES_MAX)) {
		memmove(in->data, in->data + in->head, left);
		in->head = 0;
		in->tail = left;
	}
	if (in->tail == IN_SIZE)
		return -ENOBUFS;
	do
		n = recv(fd, in->data + in->tail, IN_SIZE - in->tail, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	in->tail += (size_t)n;
	in->more = in->tail == IN_SIZE;
	return n;
}

/**
 * frames_in_next() - take the next frame
 * @in: initialized
 * @frame: set to it; it stays until frames_in_fill()
 * @len: set to its length, 1 to FRAMES_MAX
 * Return: 1; 0 when more bytes are needed; -EBADMSG for a length that no frame has: the stream means nothing any more.
 */
int frames_in_next(struct frames_in *in, const uint8_t **frame, size_t *len)
{
	const uint8_t *p = in->data + in->head;
	size_t n;

	if (in->tail - in->head < FRAMES_HEADER)
		return 0;
	n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (!n || n > FRAMES_MAX)
		return -EBADMSG;
	if (in->tail - in->head - FRAMES_HEADER < n)
		return 0;
	in->head += FRAMES_HEADER + n;
	in->frames++;
	in->bytes += n;
	*frame = p + FRAMES_HEADER;
	*len = n;
	return 1;
}

/** frames_out_init() - an empty queue. @out: filled in. @size: bytes, room for one frame at least. Return: 0, -ENOMEM. */
int frames_out_init(struct frames_out *out, size_t size)
{
	assert(size >= FRAMES_HEADER + FRAMES_MAX);
	*out = (struct frames_out){ .data = malloc(size), .size = size };
	return out->data ? 0 : -ENOMEM;
}

/** frames_out_free() - free it, and what is queued. @out: initialized, or zero. */
void frames_out_free(struct frames_out *out)
{
	free(out->data);
	*out = (struct frames_out){ 0 };
}

/** frames_out_reset() - forget what is queued: there is another peer. @out: initialized; counters stay. */
void frames_out_reset(struct frames_out *out)
{
	out->head = out->len = 0;
}

static size_t total(const struct iovec *iov, unsigned int n)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < n && len <= FRAMES_MAX; i++)
		len += MIN(iov[i].iov_len, (size_t)FRAMES_MAX + 1);
	return len;
}

static void append(struct frames_out *out, const void *data, size_t len)
{
	size_t tail = (out->head + out->len) % out->size, first = MIN(len, out->size - tail);

	memcpy(out->data + tail, data, first);
	memcpy(out->data, (const uint8_t *)data + first, len - first);
	out->len += len;
}

/* Append what comes after the first @skip bytes. */
static void append_from(struct frames_out *out, const struct iovec *iov, unsigned int n, size_t skip)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		size_t over = MIN(skip, iov[i].iov_len);

		if (iov[i].iov_len > over)
			append(out, (const uint8_t *)iov[i].iov_base + over, iov[i].iov_len - over);
		skip -= over;
	}
}

static void put_length(uint8_t *p, size_t len)
{
	p[0] = (uint8_t)(len >> 24);
	p[1] = (uint8_t)(len >> 16);
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
}

/* Whether a frame can be accepted; counted either way. */
static int admit(struct frames_out *out, size_t len)
{
	if (!len || len > FRAMES_MAX) {
		out->dropped++;
		return -EMSGSIZE;
	}
	if (out->size - out->len < FRAMES_HEADER + len) {
		out->dropped++;
		return -ENOBUFS;
	}
	out->frames++;
	out->bytes += len;
	return 0;
}

/**
 * frames_out_put() - queue a frame; frames_out_flush() sends it
 * @out: initialized
 * @iov, @n: the frame, copied
 * Return: 0; -EMSGSIZE for a length that no frame has; -ENOBUFS when there is no room. Then it is dropped and counted.
 */
int frames_out_put(struct frames_out *out, const struct iovec *iov, unsigned int n)
{
	uint8_t header[FRAMES_HEADER];
	size_t len = total(iov, n);
	int err = admit(out, len);

	if (err)
		return err;
	put_length(header, len);
	append(out, header, sizeof(header));
	append_from(out, iov, n, 0);
	return 0;
}

/* What the ring holds, in at most two parts. */
static unsigned int queued(const struct frames_out *out, struct iovec iov[2])
{
	size_t first = MIN(out->len, out->size - out->head);

	iov[0] = (struct iovec){ out->data + out->head, first };
	iov[1] = (struct iovec){ out->data, out->len - first };
	return !first ? 0 : out->len > first ? 2 : 1;
}

/* Return: bytes taken by the socket; 0 when it is full; -errno when it is of no more use. */
static ssize_t send_parts(int fd, struct iovec *iov, unsigned int n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t sent;

	do
		sent = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	return sent;
}

static void took(struct frames_out *out, size_t sent)
{
	out->len -= sent;
	out->head = out->len ? (out->head + sent) % out->size : 0;
}

/**
 * frames_out_send() - send a frame now, behind what is queued; worth it for a large one
 * @out: initialized; when the socket was full and EPOLLOUT has not come, frames_out_put() is cheaper
 * @fd: stream socket
 * @iov, @n: the frame, borrowed until the return
 * Return: 0: sent or queued, see frames_out_pending(); -EMSGSIZE, -ENOBUFS: as for frames_out_put(); another -errno
 * when the socket is of no more use.
 */
int frames_out_send(struct frames_out *out, int fd, const struct iovec *iov, unsigned int n)
{
	uint8_t header[FRAMES_HEADER];
	struct iovec parts[2 + 1 + PARTS_MAX];
	size_t len = total(iov, n), had = out->len;
	unsigned int at;
	ssize_t sent;
	int err;

	if (n > PARTS_MAX) {
		err = frames_out_put(out, iov, n);
		return err ? err : MIN(frames_out_flush(out, fd), 0);
	}
	err = admit(out, len);
	if (err)
		return err;
	put_length(header, len);
	at = queued(out, parts);
	parts[at++] = (struct iovec){ header, sizeof(header) };
	memcpy(parts + at, iov, n * sizeof(*iov));
	sent = send_parts(fd, parts, at + n);
	if (sent < 0)
		return (int)sent;
	took(out, MIN((size_t)sent, had));
	sent -= (ssize_t)MIN((size_t)sent, had);
	if ((size_t)sent < sizeof(header))
		append(out, header + sent, sizeof(header) - (size_t)sent);
	append_from(out, iov, n, (size_t)sent > sizeof(header) ? (size_t)sent - sizeof(header) : 0);
	return 0;
}

/**
 * frames_out_flush() - send what is queued, as much as the socket takes
 * @out: initialized
 * @fd: stream socket
 * Return: 0 when nothing is left; 1 when the socket is full: wait for EPOLLOUT; -errno when it is of no more use.
 */
int frames_out_flush(struct frames_out *out, int fd)
{
	while (out->len) {
		struct iovec iov[2];
		unsigned int n = queued(out, iov);
		ssize_t sent = send_parts(fd, iov, n);

		if (sent <= 0)
			return sent < 0 ? (int)sent : 1;
		took(out, (size_t)sent);
	}
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * pcap.c - frames written to a file that tshark reads: pcapng, as it can tell which way a frame went.
 *
 * Records are collected and written together; a record is accepted whole or not at all, so a disk that is full, or a reader
 * that is slow, costs frames, which are counted, and never the file's sense: what was begun is finished when there is
 * room again. Nothing here waits, and nothing that fails ends anything; SIGPIPE is ignored by who calls.
 */
#include "pcap.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "util.h"

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 6, MAGIC = 0x1a2b3c4d, ETHERNET = 1 };
enum { OPT_FLAGS = 2, INBOUND = 1, OUTBOUND = 2 };
enum { SECTION_LEN = 28, INTERFACE_LEN = 20, PACKET_LEN = 32 + 12, FLUSH_AT = 64 << 10, PIPE_STEP = 4096 };

static void put32(struct pcap *p, uint32_t v)
{
	memcpy(p->buf + p->len, &v, 4);
	p->len += 4;
}

static void put_head(struct pcap *p)
{
	put32(p, SECTION);
	put32(p, SECTION_LEN);
	put32(p, MAGIC);
	put32(p, 1);                    /* version 1.0 on a little-endian machine */
	put32(p, 0xffffffff);           /* length: not known */
	put32(p, 0xffffffff);
	put32(p, SECTION_LEN);
	put32(p, INTERFACE);
	put32(p, INTERFACE_LEN);
	put32(p, ETHERNET);
	put32(p, (uint32_t)p->snap);
	put32(p, INTERFACE_LEN);
}

/**
 * pcap_init() - begin a capture
 * @p: filled in
 * @fd: file, pipe or socket, consumed
 * @snap: bytes of a frame that are kept, up to PCAP_SNAP
 * Return: 0; -errno: @p can be freed only.
 */
int pcap_init(struct pcap *p, int *fd, size_t snap)
{
	struct stat st;

	*p = (struct pcap){ .fd = steal_fd(fd), .snap = MIN(snap, (size_t)PCAP_SNAP) };
	if (fstat(p->fd, &st) < 0)
		return -errno;
	p->file = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
	p->buf = malloc(PCAP_BUFFER);
	if (!p->buf)
		return -ENOMEM;
	put_head(p);
	return 0;
}

/** pcap_free() - end a capture; what a pipe does not take at once is lost. @p: initialized. */
void pcap_free(struct pcap *p)
{
	if (p->buf && p->fd >= 0)
		pcap_flush(p);
	cleanup_fd(&p->fd);
	free(p->buf);
	p->buf = NULL;
}

/* How much may be written without waiting. A pipe that has room has room for a page. */
static size_t may_write(const struct pcap *p)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };

	if (p->file)
		return p->len;
	return poll(&pfd, 1, 0) == 1 && pfd.revents & (POLLOUT | POLLERR) ? MIN(p->len, (size_t)PIPE_STEP) : 0;
}

/**
 * pcap_flush() - write what was collected; call it now and then
 * @p: initialized
 * Return: 0; -ENOSPC and others, which may pass; a reader that is gone (-EPIPE) ends the capture.
 */
int pcap_flush(struct pcap *p)
{
	size_t done = 0, n;
	ssize_t w = 0;

	p->err = 0;
	if (p->fd < 0)
		return -EPIPE;
	while (p->len && (n = may_write(p))) {
		w = write(p->fd, p->buf + done, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break;
		done += (size_t)w;
		p->len -= (size_t)w;
	}
	if (w < 0 && errno != EAGAIN)
		p->err = -errno;
	memmove(p->buf, p->buf + done, p->len);
	if (p->err == -EPIPE)
		cleanup_fd(&p->fd);
	return p->err;
}

/* Begin a record, or not. */
static bool has_room(struct pcap *p, size_t bytes)
{
	if (p->fd >= 0 && p->len + bytes > PCAP_BUFFER)
		pcap_flush(p);
	return p->fd >= 0 && p->len + bytes <= PCAP_BUFFER;
}

/**
 * pcap_frame() - record a frame
 * @p: initialized
 * @usec: since the epoch
 * @from_guest: which way
 * @iov, @n: the frame, copied
 */
void pcap_frame(struct pcap *p, uint64_t usec, bool from_guest, const struct iovec *iov, unsigned int n)
{
	size_t whole = 0, kept, left;
	uint32_t total;
	unsigned int i;

	for (i = 0; i < n; i++)
		whole += iov[i].iov_len;
	kept = left = MIN(whole, p->snap);
	total = (uint32_t)(PACKET_LEN + align_up(kept, 4));
	if (!has_room(p, total)) {
		p->dropped++;
		return;
	}
	put32(p, PACKET);
	put32(p, total);
	put32(p, 0);
	put32(p, (uint32_t)(usec >> 32));
	put32(p, (uint32_t)usec);
	put32(p, (uint32_t)kept);
	put32(p, (uint32_t)whole);
	for (i = 0; i < n && left; i++) {
		size_t len = MIN(left, iov[i].iov_len);

		memcpy(p->buf + p->len, iov[i].iov_base, len);
		p->len += len;
		left -= len;
	}
	memset(p->buf + p->len, 0, align_up(kept, 4) - kept);
	p->len += align_up(kept, 4) - kept;
	put32(p, OPT_FLAGS | 4 << 16);
	put32(p, from_guest ? OUTBOUND : INBOUND);
	put32(p, 0);                    /* end of options */
	put32(p, total);
	p->frames++;
	if (p->len >= FLUSH_AT)
		pcap_flush(p);
}

// SPDX-License-Identifier: ISC
/* pcap_test.c - captures: what a reader gets from a file, a slow pipe, a full disk. */
#include "pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tap.h"
#include "util.h"

static uint8_t frame[2000];

static void add(struct pcap *p, size_t len, bool from_guest)
{
	struct iovec iov[2] = { { frame, 14 }, { frame + 14, len - 14 } };

	pcap_frame(p, 0x123456789abc, from_guest, iov, 2);
}

/* Walk blocks. Return: packets; -1 when something is wrong. */
static int packets(const uint8_t *b, size_t len)
{
	size_t at = 0;
	int n = 0;

	while (at + 12 <= len) {
		uint32_t type = get_le32(b + at), size = get_le32(b + at + 4);

		if (size < 12 || size % 4 || size > len - at || get_le32(b + at + size - 4) != size)
			return -1;
		if (type == 6) {
			uint32_t kept = get_le32(b + at + 20);

			if (memcmp(b + at + 28, frame, kept))
				return -1;
			n++;
		}
		at += size;
	}
	return at == len ? n : -1;
}

static void test_file(void)
{
	static uint8_t got[1 << 20];
	int fd = memfd_create("pcap", MFD_CLOEXEC), keep = dup(fd);
	struct pcap p;
	ssize_t n;

	CHECK(!pcap_init(&p, &fd, 100) && fd == -1, "a capture takes its descriptor");
	add(&p, 60, true);
	add(&p, 61, false);
	add(&p, 1500, true);
	CHECK(!pcap_flush(&p) && p.frames == 3 && !p.dropped, "frames of any length");
	n = pread(keep, got, sizeof(got), 0);
	CHECK(packets(got, (size_t)n) == 3, "... are records, bytes and all");
	CHECK(get_le32(got) == 0x0a0d0d0a && get_le32(got + 48) == 6 && get_le32(got + 48 + 20) == 60 && get_le32(got + 48 + 24) == 60, "... whole if short");
	CHECK(get_le32(got + 48 + 12) == 0x1234 && get_le32(got + 48 + 16) == 0x56789abc, "... with their time");
	CHECK(get_le32(got + 48 + 28 + 60 + 4) == 2 && get_le32(got + 48 + 104 + 28 + 64 + 4) == 1, "... and their way");
	CHECK(get_le32(got + n - 144 + 20) == 100 && get_le32(got + n - 144 + 24) == 1500, "... cut if long");
	pcap_free(&p);
	CHECK(p.fd == -1, "it ends");
	close(keep);
}

static void test_pipe(void)
{
	static uint8_t got[4 << 20];
	struct pcap p;
	size_t len = 0;
	ssize_t n;
	int fds[2], i;

	if (pipe2(fds, O_CLOEXEC) < 0 || pcap_init(&p, &fds[1], PCAP_SNAP))
		abort();
	for (i = 0; i < 2000; i++)
		add(&p, 1500, true);
	CHECK(p.dropped && p.frames + p.dropped == 2000, "a reader that does not read costs frames, not time");
	while (p.len) {
		n = read(fds[0], got + len, 65536);
		len += (size_t)n;
		pcap_flush(&p);
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while ((n = read(fds[0], got + len, 65536)) > 0)
		len += (size_t)n;
	CHECK(packets(got, len) == (int)p.frames, "... and gets every frame that was taken, whole");
	close(fds[0]);
	add(&p, 60, true);
	CHECK(pcap_flush(&p) == -EPIPE && p.fd == -1, "a reader that is gone ends it");
	add(&p, 60, true);
	CHECK(p.dropped >= 1 && pcap_flush(&p) == -EPIPE, "... and nothing else");
	pcap_free(&p);
}

/* A limit on the file's size is what a full disk is: writes stop within a record. */
static void test_full(void)
{
	static uint8_t got[4 << 20];
	struct rlimit old, few = { 0 };
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), keep = dup(fd), i;
	struct pcap p;
	ssize_t n;

	if (fd < 0) {
		printf("# no O_TMPFILE here\n");
		return;
	}
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	few = (struct rlimit){ 100001, old.rlim_max };
	if (setrlimit(RLIMIT_FSIZE, &few) < 0 || pcap_init(&p, &fd, PCAP_SNAP))
		abort();
	for (i = 0; i < 2000; i++)
		add(&p, 1500, true);
	CHECK(p.dropped && pcap_flush(&p) == -EFBIG && p.fd >= 0, "a full disk is counted, and no end");
	setrlimit(RLIMIT_FSIZE, &old);
	CHECK(!pcap_flush(&p) && !p.len, "... what was taken is written when there is room");
	add(&p, 1500, true);
	pcap_flush(&p);
	n = pread(keep, got, sizeof(got), 0);
	CHECK(packets(got, (size_t)n) == (int)p.frames && p.frames + p.dropped == 2001, "... the file has no hole");
	pcap_free(&p);
	close(keep);
}

int main(void)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7);
	test_file();
	test_pipe();
	test_full();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* qnet_test.c - the relay between QEMU's card and its peer: frames stay whole, whoever comes, goes, lies or sleeps. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "frames.h"
#include "net.h"
#include "qemu/qnet.h"
#include "tap.h"
#include "util.h"
#include "worker.h"

enum { WAIT_MS = 10000 };

static struct worker *w;
static struct qnet *q;
static int guest = -1, peer = -1, event = -1, lost;

static void on_lost(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&lost, 1, __ATOMIC_RELEASE);
}

struct attach {
	int fd, err;
};

static void do_attach(void *arg)
{
	struct attach *a = arg;

	a->err = qnet_attach(q, &a->fd);
}

static void do_count(void *arg)
{
	qnet_counts(q, arg);
}

static struct net_counts counts(void)
{
	struct net_counts c;

	worker_call(w, do_count, &c);
	return c;
}

static void plug(void)
{
	struct attach a;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	a.fd = pair[0];
	peer = pair[1];
	worker_call(w, do_attach, &a);
	if (a.err)
		abort();
}

static bool put(int fd, uint32_t declared, const uint8_t *frame, size_t len)
{
	uint8_t head[4] = { (uint8_t)(declared >> 24), (uint8_t)(declared >> 16), (uint8_t)(declared >> 8), (uint8_t)declared };

	return send(fd, head, 4, MSG_NOSIGNAL) == 4 && send(fd, frame, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool get(int fd, uint8_t *data, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (len) {
		ssize_t n = poll(&p, 1, WAIT_MS) == 1 ? recv(fd, data, len, 0) : 0;

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Whether the next frame at @fd is this one. */
static bool comes(int fd, const uint8_t *frame, size_t len)
{
	static uint8_t back[FRAMES_MAX];
	uint8_t head[4];

	return get(fd, head, 4) && ((size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]) == len && get(fd, back, len) &&
	       !memcmp(back, frame, len);
}

static bool loses(int n)
{
	int i;

	for (i = 0; i < WAIT_MS && __atomic_load_n(&lost, __ATOMIC_ACQUIRE) != n; i++)
		poll(NULL, 0, 1);
	return i < WAIT_MS;
}

static void test_peers(const uint8_t *f)
{
	CHECK(!qnet_up(q), "nobody is there");
	CHECK(put(guest, 100, f, 100), "... and the guest may send all the same");
	while (counts().dropped < 1)
		poll(NULL, 0, 1);
	plug();
	CHECK(qnet_up(q), "a peer comes");
	CHECK(put(guest, 500, f, 500) && comes(peer, f, 500), "a frame from the guest");
	CHECK(put(peer, 60000, f, 60000) && comes(guest, f, 60000), "... and to it");
	put(peer, 1000, f, 10);
	close(peer);
	CHECK(loses(1) && !qnet_up(q), "a peer leaves in the middle of a frame");
	plug();
	CHECK(put(peer, 200, f, 200) && comes(guest, f, 200), "... of which the guest sees nothing");
	put(peer, 0x7fffffff, f, 100);
	CHECK(loses(2), "a peer that lies is cut off");
	close(peer);
	plug();
	CHECK(put(guest, 70, f, 70) && comes(peer, f, 70) && put(peer, 71, f, 71) && comes(guest, f, 71), "... and no other");
}

/* Frames of 20,000 bytes until somebody has had enough, then from the start. */
static void test_sleeper(const uint8_t *f, int from, int to, const char *name)
{
	uint64_t before = counts().dropped;
	unsigned int sent, got = 0;

	for (sent = 0; sent < 100; sent++)
		if (!put(from, 20000, f, 20000))
			break;
	CHECK(sent == 100, name);
	while (counts().dropped == before)
		poll(NULL, 0, 1);
	while (got < 100 - (counts().dropped - before) && comes(to, f, 20000))
		got++;
	CHECK(got == 100 - (counts().dropped - before), "... what is not dropped is whole");
}

int main(void)
{
	static uint8_t f[FRAMES_MAX];
	int pair[2];
	size_t i;

	for (i = 0; i < sizeof(f); i++)
		f[i] = (uint8_t)(i * 7 + (i >> 8));
	w = worker_new("test");
	event = eventfd(0, EFD_NONBLOCK);
	if (!w || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	guest = pair[1];
	q = qnet_new(w, &pair[0], event, on_lost, NULL);
	if (!q || worker_start(w))
		abort();
	test_peers(f);
	test_sleeper(f, guest, peer, "a peer that sleeps holds the guest up for a moment");
	test_sleeper(f, peer, guest, "a guest that sleeps holds its peer up for a moment");
	worker_stop(w);
	qnet_free(q);
	worker_free(w);
	close(guest);
	close(peer);
	close(event);
	return tap_done();
}

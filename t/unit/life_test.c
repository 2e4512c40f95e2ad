// SPDX-License-Identifier: ISC
/*
 * life_test.c - when the agent dials again: life.c in a time of its own, against hosts that hang up.
 *
 * life.c and control.c are the agent's; the loop, the clock and vsock are here: a loop that jumps to when its timer runs
 * out, and connections to a host whose mood is the test's. So 1,000 links take no time, and what they would take is known.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "file.h"
#include "keeper.h"
#include "kmsg.h"
#include "life.h"
#include "loop.h"
#include "net.h"
#include "tap.h"
#include "util.h"
#include "wire.h"

enum { FIRST = 20, MOST = 10000, USEFUL = 5000, CLOSES = 1000 };

enum mood { REFUSES, CLOSES_AT_ONCE, CLOSES_AFTER_HELLO, WELCOMES };

static uint64_t now = 1000;             /* ms */
static unsigned int dials;
static enum mood mood;
static int host = -1;                   /* the host's end of the link */

/* -- the loop -- */

static struct watch {
	loop_fn *fn;                    /* NULL: free */
	void *arg;
	int fd;                         /* -1: a timer */
	uint32_t events;
	uint64_t due;                   /* 0: not set */
} watch[8];

static int add(struct watch w)
{
	int i = 0;

	while (watch[i].fn)
		i++;
	watch[i] = w;
	return i;
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *arg)
{
	(void)l;
	return add((struct watch){ fn, arg, fd, events, 0 });
}

void loop_mod(struct loop *l, int id, uint32_t events)
{
	(void)l;
	watch[id].events = events;
}

void loop_del(struct loop *l, int *id)
{
	(void)l;
	if (*id >= 0)
		watch[*id].fn = NULL;
	*id = -1;
}

int loop_timer(struct loop *l, loop_fn *fn, void *arg)
{
	(void)l;
	return add((struct watch){ fn, arg, -1, 0, 0 });
}

void loop_timer_set(struct loop *l, int id, uint64_t msec)
{
	(void)l;
	watch[id].due = msec ? now + msec : 0;
}

void loop_timer_del(struct loop *l, int *id)
{
	loop_del(l, id);
}

/* Handle what is there, until nothing is. */
static void settle(void)
{
	unsigned int i, found;

	do {
		for (i = found = 0; i < ARRAY_SIZE(watch); i++) {
			struct pollfd p = { .fd = watch[i].fd, .events = (short)watch[i].events };

			if (!watch[i].fn || watch[i].fd < 0 || poll(&p, 1, 0) != 1)
				continue;
			found++;
			watch[i].fn(watch[i].arg, (uint32_t)p.revents);
		}
	} while (found);
}

/* How many descriptors are waited for: with none there is nothing to do before the timer. */
static unsigned int waited_for(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(watch); i++)
		n += watch[i].fn && watch[i].fd >= 0;
	return n;
}

/* Go to when the timer runs out. Return: how long that is, 0: never. */
static uint64_t sleep_until_due(void)
{
	uint64_t wait;
	unsigned int i;

	settle();
	for (i = 0; i < ARRAY_SIZE(watch); i++) {
		if (!watch[i].fn || !watch[i].due)
			continue;
		wait = watch[i].due - now;
		now = watch[i].due;
		watch[i].due = 0;
		watch[i].fn(watch[i].arg, EPOLLIN);
		return wait;
	}
	return 0;
}

/* -- the clock, and vsock -- */

int clock_gettime(clockid_t id, struct timespec *t)
{
	(void)id;
	*t = (struct timespec){ (time_t)(now / 1000), (long)(now % 1000) * 1000000 };
	return 0;
}

int socket(int domain, int type, int protocol)
{
	int pair[2];

	if (domain != AF_VSOCK || socketpair(AF_UNIX, type, protocol, pair) < 0)
		return -1;
	cleanup_fd(&host);
	host = pair[1];
	return pair[0];
}

int bind(int fd, const struct sockaddr *at, socklen_t len)
{
	(void)fd;
	(void)at;
	(void)len;
	return 0;
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd;
	(void)to;
	(void)len;
	dials++;
	if (mood == REFUSES) {
		errno = ECONNRESET;
		return -1;
	}
	if (mood == CLOSES_AT_ONCE)
		cleanup_fd(&host);
	return 0;
}

/* -- the agent's other parts, which have nothing to say -- */

void kmsg(enum kmsg_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void net_change(const char *text)
{
	(void)text;
}

enum keeper_state keeper_look(int *status)
{
	(void)status;
	return KEEPER_NONE;
}

int keeper_watch(void)
{
	return -ENOSYS;
}

int keeper_start(struct request *r)
{
	(void)r;
	return -ENOSYS;
}

int config_command(struct request *r, const struct wire_record *record)
{
	(void)r;
	(void)record;
	return -ENOSYS;
}

void request_free(struct request *r)
{
	(void)r;
}

ssize_t file_read(const char *path, char *buf, size_t size)
{
	(void)path;
	(void)buf;
	(void)size;
	return -1;
}

/* -- the host -- */

/* It hears a hello. */
static bool greeted(void)
{
	char hello[256];

	settle();
	return recv(host, hello, sizeof(hello), MSG_DONTWAIT) > 0;
}

/* A link comes up, and ends after so long. Return: after how long the next one is dialled. */
static uint64_t link_for(uint64_t msec)
{
	struct wire_out w;
	bool ok = greeted();

	wire_begin(&w, PROTO_LIFE_WELCOME);
	ok = ok && !wire_end(&w) && send(host, w.data, w.len, MSG_NOSIGNAL) == (ssize_t)w.len && greeted();
	wire_drop(&w);
	now += msec;
	cleanup_fd(&host);
	return ok ? sleep_until_due() : UINT64_MAX;
}

static uint64_t twice(uint64_t wait)
{
	return wait * 2 < MOST ? wait * 2 : MOST;
}

/* Every link ends at once. Return: whether each wait was twice the one before, up to the most. */
static bool backs_off(unsigned int closes, uint64_t first)
{
	uint64_t want = first, wait;
	unsigned int idle = 0, i;

	for (i = 0; i < closes; i++, want = twice(want)) {
		if (mood == CLOSES_AFTER_HELLO && greeted())
			cleanup_fd(&host);
		settle();
		idle += waited_for() == 0;
		wait = sleep_until_due();
		if (wait != want) {
			printf("# after %u links: %llu ms, not %llu\n", i + 1, (unsigned long long)wait, (unsigned long long)want);
			return false;
		}
	}
	return idle == closes;
}

static struct life *begin(enum mood m)
{
	struct life_config config = { .init = -1 };

	dials = 0;
	mood = m;
	return life_start(NULL, &config);
}

static void test_mood(enum mood m, const char *name)
{
	uint64_t start = now;
	struct life *v = begin(m);

	CHECK(backs_off(CLOSES, FIRST), name);
	CHECK(dials == CLOSES + 1, "... and there is one dial for each wait");
	CHECK(now - start > (CLOSES - 10) * (uint64_t)MOST, "... one in ten seconds in the end");
	life_free(v);
	CHECK(!waited_for(), "... nothing is left of it");
}

static void test_eight_seconds(void)
{
	uint64_t start = now;
	struct life *v = begin(CLOSES_AT_ONCE);

	while (now - start < 8000)
		if (!sleep_until_due())
			break;
	/* The last one came after that time. */
	CHECK(dials - 1 == 9, "in eight seconds there are nine");
	life_free(v);
}

static void test_useful(void)
{
	struct life *v = begin(CLOSES_AT_ONCE);

	CHECK(backs_off(20, FIRST), "links fail for a while");
	mood = WELCOMES;
	/* The one at hand was dialled before. */
	sleep_until_due();
	CHECK(link_for(0) == MOST, "a link that is up and ends at once changes nothing");
	CHECK(link_for(USEFUL - 1) == MOST, "nor does one that was up for less than five seconds");
	CHECK(link_for(USEFUL) == FIRST, "after one that was, the next is dialled soon");
	CHECK(link_for(0) == 2 * FIRST && link_for(0) == 4 * FIRST, "... and from there on as before");
	CHECK(link_for(1000000) == FIRST, "so it is after one that was up for long");
	life_free(v);
	cleanup_fd(&host);
}

int main(void)
{
	test_mood(CLOSES_AT_ONCE, "1,000 links taken and closed at once: each wait is twice the one before, up to 10 s");
	test_mood(CLOSES_AFTER_HELLO, "1,000 links closed after the hello: the same");
	test_mood(REFUSES, "1,000 links refused: the same");
	test_eight_seconds();
	test_useful();
	return tap_done();
}

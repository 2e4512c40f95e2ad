// SPDX-License-Identifier: ISC
/*
 * netconfine_test.c - what vm-net cannot do once it is confined, and what it can.
 *
 * How it is tried, and most of what is, is in denied.h. The list of calls comes before Landlock: a call that it refuses
 * fails with EPERM, so one that only Landlock stops (EACCES) is seen as a hole in the list.
 *
 *	dir/file	opened beforehand
 *	dir/mine/	the one directory that netconfine() is given: a socket was made in it
 *	dir/theirs/	another
 */
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "denied.h"
#include "netconfine.h"
#include "sandbox.h"
#include "util.h"

static int mine, theirs, unasked;       /* unasked: open, and not among what is kept */
static struct sockaddr_in server;       /* which the test is */

static int shut(unsigned int confined)
{
	if (!confined)
		return 0;
	return netconfine_early((int[]){ dirfd_, outside, mine, theirs }, 4) || netconfine(&mine, 1);
}

/* -- what must fail, beside what is in denied.h -- */

static int try_clone3(void)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD };
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}

static int try_old_creat(void) { return RESULT(syscall(SYS_creat, "/tmp/pipevm-test.none", 0600)); }
static int try_socket_packet(void) { return RESULT(socket(AF_PACKET, SOCK_RAW, 0)); }
static int try_socket_vsock(void) { return RESULT(socket(AF_VSOCK, SOCK_STREAM, 0)); }
static int try_kill(void) { return RESULT(kill(getppid(), 0)); }
static int try_owner(void) { return RESULT(fcntl(outside, F_SETOWN, getppid())); }
static int try_socket_raw(void) { return RESULT(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }

static const struct attempt denied_more[] = {
	{ "creat", try_old_creat },
	{ "clone3", try_clone3 },
	{ "socket, packet", try_socket_packet },
	{ "socket, vsock", try_socket_vsock },
	{ "socket, raw", try_socket_raw },      /* for want of the capability */
	{ "kill", try_kill },
	{ "fcntl that has another process signalled", try_owner },
};

static int try_unasked(void) { return RESULT(fcntl(unasked, F_GETFD)); }
static int try_unlink_theirs(void) { return RESULT(unlinkat(theirs, "net", 0)); }
static int try_unlink_above(void) { return RESULT(unlinkat(mine, "../file", 0)); }

static int try_make_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/mine/new", dir);
	return s < 0 ? errno : RESULT(bind(s, (struct sockaddr *)&a, sizeof(a)));
}

/* -- what must work -- */

static int try_unlink_mine(void) { return RESULT(unlinkat(mine, "net", 0)); }

static int try_tcp(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), accepted;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	/* As a client of the test, then as a server of its own. */
	if (s < 0 || connect(s, (struct sockaddr *)&server, sizeof(server)) < 0 || send(s, "x", 1, 0) != 1)
		return errno;
	accepted = socket(AF_INET, SOCK_STREAM, 0);
	return accepted < 0 || bind(accepted, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(accepted, 1) < 0 ||
	       getsockname(accepted, (struct sockaddr *)&a, &len) < 0 ? errno : 0;
}

static int try_sockets(void)
{
	int u = socket(AF_INET, SOCK_DGRAM, 0), pair[2], n;

	if (u < 0 || sendto(u, "x", 1, 0, (struct sockaddr *)&server, sizeof(server)) != 1)
		return errno;
	if (ioctl(u, FIONREAD, &n) < 0 || fcntl(u, F_SETFL, fcntl(u, F_GETFL) | O_NONBLOCK) < 0)
		return errno;
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 || socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int try_rest(void)
{
	int t = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	void *p = malloc(1 << 20);

	/* An eventfd is what fds_accept() makes anew. */
	return t < 0 || !p || eventfd(0, EFD_CLOEXEC) < 0 || write(outside, "x", 1) != 1 ? errno : 0;
}

/* -- all of it -- */

static void make(int at)
{
	close(openat(at, "net", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int directory(const char *name)
{
	return mkdirat(dirfd_, name, 0700) < 0 ? -1 : openat(dirfd_, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_calls(void)
{
	size_t i;

	CHECK(tried(0, try_openat) == 0 && tried(0, try_execve) == 0 && tried(0, try_fork) == 0 && tried(0, try_unasked) == 0,
	      "what is refused below can be done to begin with");
	for (i = 0; i < ARRAY_SIZE(denied); i++)
		check_refused(tried(1, denied[i].try), EPERM, denied[i].name);
	for (i = 0; i < ARRAY_SIZE(denied_more); i++)
		check_refused(tried(1, denied_more[i].try), EPERM, denied_more[i].name);
	CHECK(tried(1, try_unasked) == EBADF, "a descriptor that nobody asked for is closed");
}

static void test_files(void)
{
	make(mine);
	make(theirs);
	CHECK(tried(1, try_unlink_mine) == 0, "its own socket can be removed");
	if (!sandbox_landlock_abi()) {
		CHECK(true, "files: # SKIP no Landlock on this host");
		return;
	}
	CHECK(tried(1, try_unlink_theirs) == EACCES, "files: nothing in another directory can");
	CHECK(tried(1, try_unlink_above) == EACCES, "files: nor above its own");
	CHECK(tried(1, try_make_socket) == EACCES, "files: no socket can be made, in its own directory either");
}

static void test_work(void)
{
	CHECK(tried(1, try_tcp) == 0, "TCP: a client's and a server's sockets");
	CHECK(tried(1, try_sockets) == 0, "UDP, pairs, local sockets");
	CHECK(tried(1, try_rest) == 0, "timers, memory, files that are open");
}

static int serve(void)
{
	socklen_t len = sizeof(server);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (s < 0 || bind(s, (struct sockaddr *)&server, len) < 0 || listen(s, 4) < 0)
		return -1;
	return getsockname(s, (struct sockaddr *)&server, &len);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	outside = openat(dirfd_, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	mine = directory("mine");
	theirs = directory("theirs");
	unasked = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (outside < 0 || mine < 0 || theirs < 0 || unasked < 0 || serve() < 0)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_calls();
	test_files();
	test_work();
	unlinkat(theirs, "net", 0);
	unlinkat(mine, "net", 0);
	unlinkat(mine, "new", 0);
	unlinkat(dirfd_, "mine", AT_REMOVEDIR);
	unlinkat(dirfd_, "theirs", AT_REMOVEDIR);
	unlinkat(dirfd_, "file", 0);
	unlinkat(dirfd_, "new", 0);
	unlinkat(dirfd_, "other", 0);
	rmdir(dir);
	return tap_done();
}

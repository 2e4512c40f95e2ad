// SPDX-License-Identifier: ISC
/*
 * sandbox_test.c - what the machine cannot do once it is confined, stage by stage.
 *
 * How it is tried, and most of what is, is in denied.h.
 */
#include <linux/kvm.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "confine.h"
#include "denied.h"
#include "sandbox.h"
#include "util.h"

enum { CALLS = 1, FILES = 2, IDS = 4, ALL = 7 };

static int shut(unsigned int stages)
{
	struct sandbox_dir dirs[] = { { dirfd_, SANDBOX_REMOVE } };
	int keep[] = { dirfd_, outside };
	bool user;

	/* Stage early; without it an ordinary user may not have the others. */
	if (stages && sandbox_close_others(keep, 2))
		return -1;
	if (((stages & IDS) && sandbox_ids(&user)) ||
	    ((stages & FILES) && sandbox_files(dirs, 1, 0)) ||
	    ((stages & CALLS) && confine_calls(false)))
		return -1;
	return 0;
}

/* -- what must fail, beside what is in denied.h -- */

static int try_socket(void) { return RESULT(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_socket_unix(void) { return RESULT(socket(AF_UNIX, SOCK_STREAM, 0)); }

static int try_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return RESULT(connect(0, (struct sockaddr *)&a, sizeof(a)));
}

static int try_bind(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	return RESULT(bind(0, (struct sockaddr *)&a, sizeof(a)));
}

static int try_clone3(void)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD };
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}

static int try_unlink_away(void) { return RESULT(unlinkat(AT_FDCWD, "/tmp/pipevm-test.none", 0)); }

static const struct attempt denied_more[] = {
	{ "socket, internet", try_socket },
	{ "socket, local", try_socket_unix },
	{ "connect", try_connect },
	{ "bind", try_bind },
};

/* -- what must work -- */

static void *thread(void *arg)
{
	return arg;
}

static int try_thread(void)
{
	pthread_t t;
	void *result = NULL;
	int e = pthread_create(&t, NULL, thread, dir);

	return e ? e : pthread_join(t, &result) || result != dir;
}

static int try_work(void)
{
	int pair[2], fd = eventfd(0, EFD_CLOEXEC);
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char c = 'x';

	if (fd < 0 || p == MAP_FAILED || write(outside, &c, 1) != 1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    send(pair[0], &c, 1, 0) != 1 || recv(pair[1], &c, 1, 0) != 1 || munmap(p, 1 << 20) < 0)
		return errno;
	/* KVM's ioctls get as far as the descriptor, which is none of KVM's. */
	return ioctl(outside, KVM_CHECK_EXTENSION, 0) < 0 && errno == ENOTTY ? 0 : errno;
}

static int try_clean_up(void)
{
	return RESULT(unlinkat(dirfd_, "mine", 0)) ?: RESULT(unlinkat(dirfd_, "sub", AT_REMOVEDIR));
}

static int try_root(void)
{
	return RESULT(faccessat(AT_FDCWD, "/etc", F_OK, 0));
}

static int try_lo(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(9) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	return s < 0 ? errno : RESULT(connect(s, (struct sockaddr *)&a, sizeof(a)));
}

static int try_capability(void)
{
	return RESULT(setpriority(PRIO_PROCESS, 0, -10));
}

static void test_calls(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(denied); i++)
		check_refused(tried(CALLS, denied[i].try), EPERM, denied[i].name);
	check_refused(tried(CALLS, try_clone3), ENOSYS, "clone3");
	for (i = 0; i < ARRAY_SIZE(denied_more); i++)
		check_refused(tried(CALLS, denied_more[i].try), EPERM, denied_more[i].name);
	CHECK(tried(CALLS, try_work) == 0, "calls: what the machine needs works");
	CHECK(tried(CALLS, try_thread) == 0, "calls: a thread can be made");
	CHECK(tried(ALL, try_work) == 0, "all stages: what the machine needs works");
	CHECK(tried(ALL, try_thread) == 0, "all stages: a thread can be made");
}

static void test_files(void)
{
	int fd;

	if (!sandbox_landlock_abi()) {
		CHECK(true, "files: # SKIP no Landlock on this host");
		return;
	}
	CHECK(tried(0, try_openat_dir) == 0, "a file can be opened to begin with");
	CHECK(tried(FILES, try_open) == EACCES, "files: open fails");
	CHECK(tried(FILES, try_openat_dir) == EACCES, "files: open below the directory fails");
	CHECK(tried(FILES, try_creat) == EACCES, "files: nothing can be made");
	CHECK(tried(FILES, try_execve) == EACCES, "files: nothing can be executed");
	CHECK(tried(FILES, try_rename) == EACCES || tried(FILES, try_rename) == EXDEV,
	      "files: nothing can be renamed");
	CHECK(tried(FILES, try_unlink_away) != 0, "files: nothing can be removed elsewhere");
	fd = openat(dirfd_, "mine", O_WRONLY | O_CREAT, 0600);
	close(fd);
	mkdirat(dirfd_, "sub", 0700);
	CHECK(tried(ALL, try_clean_up) == 0, "all stages: its own files can be removed");
}

static void test_ids(void)
{
	bool user;
	pid_t pid = fork();
	int status;

	/* Where neither root nor a user namespace is to be had this stage leaves the world as it is. */
	if (pid == 0)
		_exit(sandbox_ids(&user) || access("/etc", F_OK) == 0);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		CHECK(true, "ids: # SKIP no namespaces for this user");
		return;
	}
	CHECK(tried(IDS, try_root) == ENOENT, "ids: the root is empty");
	CHECK(tried(IDS, try_open) == ENOENT, "ids: a path leads nowhere");
	CHECK(tried(IDS, try_lo) == ENETUNREACH, "ids: there is no network, not even loopback");
	CHECK(tried(IDS, try_mount) == EPERM, "ids: nothing can be mounted");
	CHECK(tried(IDS, try_capability) != 0, "ids: no capability is left");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	outside = openat(dirfd_, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fflush(stdout);
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_calls();
	test_files();
	test_ids();
	unlinkat(dirfd_, "file", 0);
	unlinkat(dirfd_, "new", 0);
	unlinkat(dirfd_, "other", 0);
	rmdir(dir);
	return tap_done();
}

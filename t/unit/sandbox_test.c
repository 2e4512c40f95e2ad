// SPDX-License-Identifier: ISC
/*
 * sandbox_test.c - what the machine cannot do once it is confined, stage by stage.
 *
 * Each question is put to a child of its own, because no stage can be taken back: the child confines
 * itself as vm-boot does, tries one thing, and exits with the errno that came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "sandbox.h"
#include "tap.h"

enum { CALLS = 1, FILES = 2, IDS = 4, ALL = 7, CRASHED = 255 };

static char dir[] = "/tmp/pipevm-test.XXXXXX";
static int dirfd_, outside;     /* a directory, and a file opened for writing beforehand */

#define RESULT(call) ((call) < 0 ? errno : 0)

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

/* Return: what @try exits with after @stages, CRASHED for death by a signal. */
static int tried(unsigned int stages, int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (shut(stages))
			_exit(254);
		_exit(try());
	}
	if (waitpid(pid, &status, 0) != pid)
		return 253;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHED;
}

/* -- what must fail -- */

static int try_open(void) { return RESULT(syscall(SYS_open, "/etc/passwd", O_RDONLY)); }
static int try_openat(void) { return RESULT(openat(AT_FDCWD, "/etc/passwd", O_RDONLY)); }
static int try_openat_dir(void) { return RESULT(openat(dirfd_, "file", O_RDONLY)); }
static int try_creat(void) { return RESULT(openat(dirfd_, "new", O_WRONLY | O_CREAT, 0600)); }
static int try_proc(void) { return RESULT(open("/proc/self/mem", O_RDWR)); }

static int try_openat2(void)
{
	uint64_t how[3] = { O_RDONLY };

	return RESULT(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}

static int try_socket(void) { return RESULT(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_socket_unix(void) { return RESULT(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int try_socket_netlink(void) { return RESULT(socket(AF_NETLINK, SOCK_RAW, 0)); }

static int try_socketpair_inet(void)
{
	int pair[2];

	return RESULT(socketpair(AF_INET, SOCK_STREAM, 0, pair));
}

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

static int try_execve(void)
{
	char *argv[] = { (char *)"true", NULL };

	return RESULT(execve("/bin/true", argv, NULL));
}

static int try_execveat(void)
{
	char *argv[] = { (char *)"true", NULL };

	return RESULT(syscall(SYS_execveat, outside, "", argv, NULL, AT_EMPTY_PATH));
}

static int try_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}

#ifdef SYS_fork
static int try_old_fork(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}

static int try_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}
#endif

static int try_clone3(void)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD };
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return RESULT(pid);
}

static int try_ptrace(void) { return RESULT(ptrace(PTRACE_ATTACH, getppid(), 0, 0)); }
static int try_vm_write(void) { return RESULT(syscall(SYS_process_vm_writev, getppid(), 0, 0, 0, 0, 0)); }
static int try_mount(void) { return RESULT(mount("x", "/", "tmpfs", 0, "")); }
static int try_unshare(void) { return RESULT(syscall(SYS_unshare, 0x10000000)); }
static int try_setns(void) { return RESULT(syscall(SYS_setns, outside, 0)); }
static int try_chroot(void) { return RESULT(chroot("/")); }
static int try_setuid(void) { return RESULT(syscall(SYS_setuid, 0)); }
static int try_io_uring(void) { return RESULT(syscall(SYS_io_uring_setup, 4, outside)); }
static int try_bpf(void) { return RESULT(syscall(SYS_bpf, 0, 0, 0)); }
static int try_perf(void) { return RESULT(syscall(SYS_perf_event_open, 0, 0, 0, 0, 0)); }
static int try_userfaultfd(void) { return RESULT(syscall(SYS_userfaultfd, 0)); }
static int try_keyctl(void) { return RESULT(syscall(SYS_keyctl, 0, 0)); }
static int try_memfd(void) { return RESULT(syscall(SYS_memfd_create, "x", 0)); }
static int try_chmod(void) { return RESULT(fchmod(outside, 0777)); }
static int try_rename(void) { return RESULT(renameat(dirfd_, "file", dirfd_, "other")); }
static int try_link(void) { return RESULT(linkat(dirfd_, "file", dirfd_, "other", 0)); }
static int try_tiocsti(void) { return RESULT(ioctl(0, TIOCSTI, "x")); }
static int try_unlink_away(void) { return RESULT(unlinkat(AT_FDCWD, "/tmp/pipevm-test.none", 0)); }

static const struct {
	const char *name;
	int (*try)(void);
	int want;               /* 0: EPERM */
} denied[] = {
	{ "open", try_open, 0 },
	{ "openat", try_openat, 0 },
	{ "openat below a directory that is open", try_openat_dir, 0 },
	{ "openat that creates", try_creat, 0 },
	{ "openat2", try_openat2, 0 },
	{ "open of its own memory", try_proc, 0 },
	{ "socket, internet", try_socket, 0 },
	{ "socket, local", try_socket_unix, 0 },
	{ "socket, netlink", try_socket_netlink, 0 },
	{ "socketpair, internet", try_socketpair_inet, 0 },
	{ "connect", try_connect, 0 },
	{ "bind", try_bind, 0 },
	{ "execve", try_execve, 0 },
	{ "execveat of a descriptor", try_execveat, 0 },
	{ "clone of a process", try_fork, 0 },
#ifdef SYS_fork
	{ "fork", try_old_fork, 0 },
	{ "vfork", try_vfork, 0 },
#endif
	{ "clone3", try_clone3, ENOSYS },
	{ "ptrace", try_ptrace, 0 },
	{ "process_vm_writev", try_vm_write, 0 },
	{ "mount", try_mount, 0 },
	{ "unshare", try_unshare, 0 },
	{ "setns", try_setns, 0 },
	{ "chroot", try_chroot, 0 },
	{ "setuid", try_setuid, 0 },
	{ "io_uring_setup", try_io_uring, 0 },
	{ "bpf", try_bpf, 0 },
	{ "perf_event_open", try_perf, 0 },
	{ "userfaultfd", try_userfaultfd, 0 },
	{ "keyctl", try_keyctl, 0 },
	{ "memfd_create", try_memfd, 0 },
	{ "fchmod", try_chmod, 0 },
	{ "renameat", try_rename, 0 },
	{ "linkat", try_link, 0 },
	{ "an ioctl of terminals", try_tiocsti, 0 },
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
	char name[100];

	for (i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		int got = tried(CALLS, denied[i].try), want = denied[i].want ? denied[i].want : EPERM;

		snprintf(name, sizeof(name), "calls: %s is refused", denied[i].name);
		CHECK(got == want, name);
		if (got != want)
			printf("# %s\n", got == CRASHED ? "died" : strerror(got));
	}
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

// SPDX-License-Identifier: ISC
/*
 * sandbox.c - how a process gives away what it does not need, in four stages:
 *
 *	early	no new privileges; every descriptor that was not asked for is closed
 *	ids	namespaces of its own: an empty file system, no network; no capabilities
 *	files	Landlock: no path can be opened, changed or removed but what a rule names
 *	calls	seccomp: a list of system calls; all others fail with EPERM
 *
 * What a host lacks (user namespaces switched off, no Landlock) is left out, the stages that remain
 * hold on their own. Threads come after the last stage: a thread made before Landlock stays outside.
 * Call in this order, each once.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "util.h"

/* linux/landlock.h as of ABI 6; the build machine's may be older. */
struct landlock_ruleset {
	uint64_t fs, net, scoped;
};

struct landlock_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

enum {
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_ABI1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	NET_TCP = 3,
	SCOPE_ABSTRACT_UNIX = 1,
	SCOPE_SIGNAL = 2,
	RULE_PATH_BENEATH = 1,
};

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/**
 * sandbox_close_others() - early: no new privileges, and no descriptor nobody asked for
 * @keep: what stays open beside 0, 1 and 2; -1 entries are skipped
 * @n: how many, at most 64
 * Return: 0 or -errno.
 */
int sandbox_close_others(const int *keep, size_t n)
{
	int fds[64];
	unsigned int from = 3;
	size_t i;

	if (n > ARRAY_SIZE(fds))
		return -E2BIG;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	memcpy(fds, keep, n * sizeof(*keep));
	qsort(fds, n, sizeof(*fds), compare);
	for (i = 0; i < n; i++) {
		if (fds[i] < (int)from)
			continue;
		if ((unsigned int)fds[i] > from)
			syscall(SYS_close_range, from, (unsigned int)fds[i] - 1, 0);
		from = (unsigned int)fds[i] + 1;
	}
	syscall(SYS_close_range, from, ~0U, 0);
	return 0;
}

static int write_file(const char *path, const char *text)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* A user namespace in which we are who we are, and nobody else is anybody. */
static int enter_user_namespace(int flags)
{
	unsigned int uid = geteuid(), gid = getegid();
	char map[64];
	int err;

	if (unshare(CLONE_NEWUSER | flags) < 0)
		return -errno;
	snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	err = write_file("/proc/self/uid_map", map);
	if (!err)
		err = write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
	return err ? err : write_file("/proc/self/gid_map", map);
}

/* Make an empty, read-only file system the root of everything. */
static int empty_root(void)
{
	if (mount("", "/", "", MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("", "/tmp", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID | MS_RDONLY,
		  "nr_inodes=2,nr_blocks=1") < 0 ||
	    chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

/** sandbox_drop_capabilities() - all of them, for good with no_new_privs. Return: 0 or -errno. */
int sandbox_drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	int i;

	for (i = 0; i < 64; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);     /* refused without privilege: none to drop */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/**
 * sandbox_ids() - ids: namespaces of our own, an empty root, no capabilities
 * @user_namespace: set to whether we are in one now; root needs none
 *
 * The working directory is lost; open descriptors stay. A host that allows no user namespaces leaves
 * us in its own ones, without capabilities. Return: 0; -errno when capabilities cannot be dropped.
 */
int sandbox_ids(bool *user_namespace)
{
	const int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	*user_namespace = false;
	if (unshare(flags) == 0) {
		empty_root();
	} else if (enter_user_namespace(flags) == 0) {
		*user_namespace = true;
		empty_root();
	}
	return sandbox_drop_capabilities();
}

/** sandbox_landlock_abi() - what Landlock can do here. Return: its ABI, 0 for none. */
int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	return abi < 0 ? 0 : (int)abi;
}

/**
 * sandbox_files() - files: no path but what a rule names
 * @dirs, @n: directories with their rights
 * @keep: SANDBOX_SIGNALS, SANDBOX_TCP, or 0
 * Return: 0, also where there is no Landlock; -errno.
 */
int sandbox_files(const struct sandbox_dir *dirs, size_t n, unsigned int keep)
{
	int abi = sandbox_landlock_abi();
	struct landlock_ruleset r = { .fs = FS_ABI1 };
	autoclose int fd = -1;
	size_t size = sizeof(r.fs), i;

	if (!abi)
		return 0;
	r.fs |= abi >= 2 ? FS_REFER : 0;
	r.fs |= abi >= 3 ? FS_TRUNCATE : 0;
	r.fs |= abi >= 5 ? FS_IOCTL_DEV : 0;
	if (abi >= 4) {
		r.net = keep & SANDBOX_TCP ? 0 : NET_TCP;
		size += sizeof(r.net);
	}
	if (abi >= 6) {
		r.scoped = SCOPE_ABSTRACT_UNIX | (keep & SANDBOX_SIGNALS ? 0 : SCOPE_SIGNAL);
		size += sizeof(r.scoped);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (fd < 0)
		return -errno;
	for (i = 0; i < n; i++) {
		struct landlock_beneath b = {
			.allowed = dirs[i].rights & SANDBOX_REMOVE ? FS_REMOVE_DIR | FS_REMOVE_FILE : 0,
			.parent_fd = dirs[i].fd,
		};

		if (dirs[i].fd >= 0 &&
		    syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &b, 0) < 0)
			return -errno;
	}
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

#if defined(__x86_64__)
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#else
#error "no seccomp architecture for this machine"
#endif

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define EQUAL(v, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(v), yes, no)
#define ANSWER(v) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(v))

#ifdef __SANITIZE_ADDRESS__
/* A sanitized build makes calls of its own, and ends by abort(3); its search for leaks at exit wants ptrace: not then. */
static const int sanitizer_calls[] = {
	SYS_sigaltstack, SYS_sched_getaffinity, SYS_prlimit64, SYS_readlink, SYS_getrusage,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_getpid, SYS_gettid, SYS_tgkill,
};
static int confined;

void __sanitizer_set_report_fd(void *fd);
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return confined;
}
#endif

/**
 * sandbox_calls() - calls: a list of system calls, all others fail with EPERM
 * @calls, @n: the list, most frequent first
 *
 * A call whose argument does not match fails with EPERM. Return: 0 or -errno.
 */
int sandbox_calls(const struct sandbox_call *calls, size_t n)
{
	size_t len = 0, i;
	autofree struct sock_filter *f = calloc(6 * n + 24, sizeof(*f));
	struct sock_fprog prog = { .filter = f };

	if (!f)
		return -ENOMEM;
	f[len++] = (struct sock_filter)LOAD(arch);
	f[len++] = (struct sock_filter)EQUAL(SANDBOX_ARCH, 1, 0);
	f[len++] = (struct sock_filter)ANSWER(SECCOMP_RET_KILL_PROCESS);
	f[len++] = (struct sock_filter)LOAD(nr);
	for (i = 0; i < n; i++) {
		const struct sandbox_call *c = &calls[i];

		if (c->denied) {
			f[len++] = (struct sock_filter)EQUAL(c->nr, 0, 1);
			f[len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | (uint32_t)c->denied);
		} else if (c->mask) {
			/* The low half of the argument (little-endian). */
			f[len++] = (struct sock_filter)EQUAL(c->nr, 0, 5);
			f[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				(uint32_t)(offsetof(struct seccomp_data, args) + 8u * c->arg));
			f[len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, c->mask);
			f[len++] = (struct sock_filter)EQUAL(c->value, 0, 1);
			f[len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
			f[len++] = (struct sock_filter)LOAD(nr);
		} else {
			f[len++] = (struct sock_filter)EQUAL(c->nr, 0, 1);
			f[len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
		}
	}
#ifdef __SANITIZE_ADDRESS__
	for (i = 0; i < ARRAY_SIZE(sanitizer_calls); i++) {
		f[len++] = (struct sock_filter)EQUAL(sanitizer_calls[i], 0, 1);
		f[len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	}
	confined = 1;
	/* A file for its report (log_path) may not be there to open any more. */
	__sanitizer_set_report_fd((void *)STDERR_FILENO);
#endif
	f[len++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | EPERM);
	prog.len = (unsigned short)len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return -errno;
	return 0;
}

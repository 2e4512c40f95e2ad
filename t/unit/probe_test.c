// SPDX-License-Identifier: ISC
/*
 * probe_test.c - KVMs of every kind before the probe: usable, emulating, without statistics, denied, absent, failing.
 *
 * The KVM is this file: open, access and ioctl are here, and so is the thread's clock. /dev/kvm, the VM and the vCPU
 * are files in memory; the vCPU's is its struct kvm_run, which is really mapped. "Running" looks at the loop that lies
 * in guest memory, counts in the statistic and moves the clock, as the KVM at hand would.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"
#include "tap.h"
#include "util.h"

#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD _IO(KVMIO, 0xce)
#endif

enum { NAME_SIZE = 48, DESCS = 64, DATA = 512, RUN_SIZE = 4096, CODE = 0x10000 };

static struct kvm {
	int open_errno, access_errno;   /* of /dev/kvm: access_errno is for reading and writing it */
	int version;
	int vm_errno, vm_eintr;         /* KVM_CREATE_VM: it fails so; first it is interrupted so often */
	int irqchip_errno, vcpu_errno;
	int stats_errno;                /* KVM_GET_STATS_FD, 0: there are some */
	const char *stat;               /* the name of the second of them */
	uint32_t name_size;
	unsigned int per_turn;          /* what the statistic grows by in each turn of the loop, and at its end */
	int run_eintr;                  /* KVM_RUN: it is interrupted so often */
	uint32_t exit_reason;
	uint64_t nsec[3];               /* what a run takes */
	/* what was seen */
	int runs, wrong;
	uint32_t turns;
	uint64_t counted, clock;
	uint8_t *memory;
	uint64_t rip;
} kvm;

static int memory_file(const void *bytes, size_t size)
{
	int fd = memfd_create("kvm", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, RUN_SIZE) < 0 || (size && pwrite(fd, bytes, size, 0) != (ssize_t)size))
		abort();
	return fd;
}

static int fail(int e)
{
	errno = e;
	return -1;
}

/* The statistics as of now: exits, and the one that is asked for. */
static int stats_fd(void)
{
	uint8_t bytes[RUN_SIZE] = { 0 };
	struct kvm_stats_header h = { .name_size = kvm.name_size, .num_desc = 2, .desc_offset = DESCS, .data_offset = DATA };
	struct kvm_stats_desc d[2] = { { .size = 1, .offset = 8 }, { .size = 1, .offset = 24 } };
	const char *name[2] = { "exits", kvm.stat };
	uint64_t noise = 123456;
	int i;

	memcpy(bytes, &h, sizeof(h));
	for (i = 0; i < 2; i++) {
		uint8_t *at = bytes + DESCS + (size_t)i * (sizeof(d[i]) + NAME_SIZE);

		memcpy(at, &d[i], sizeof(d[i]));
		strcpy((char *)at + sizeof(d[i]), name[i]);
	}
	memcpy(bytes + DATA + 8, &noise, sizeof(noise));
	memcpy(bytes + DATA + 24, &kvm.counted, sizeof(kvm.counted));
	return memory_file(bytes, sizeof(bytes));
}

/* mov ecx, N; 1: dec ecx; jnz 1b; out 0x80, al */
static int run(int vcpu)
{
	static const uint8_t loop[] = { 0x49, 0x75, 0xfd, 0xe6, 0x80 };
	const uint8_t *code = kvm.memory + CODE;
	uint32_t reason = kvm.exit_reason;

	if (kvm.run_eintr && kvm.run_eintr--)
		return fail(EINTR);
	if (kvm.rip != CODE || code[0] != 0xb9 || memcmp(code + 5, loop, sizeof(loop)))
		kvm.wrong++;
	kvm.turns = get_le32(code + 1);
	kvm.counted += kvm.per_turn * (kvm.turns + 1ULL);
	kvm.clock += kvm.nsec[kvm.runs++ % 3];
	if (pwrite(vcpu, &reason, sizeof(reason), offsetof(struct kvm_run, exit_reason)) != sizeof(reason))
		kvm.wrong++;
	return 0;
}

int access(const char *path, int mode)
{
	if (strcmp(path, "/dev/kvm"))
		kvm.wrong++;
	if (kvm.open_errno == ENOENT)
		return fail(ENOENT);
	return mode != F_OK && kvm.access_errno ? fail(kvm.access_errno) : 0;
}

int open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/kvm"))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
	return kvm.open_errno ? fail(kvm.open_errno) : memory_file(NULL, 0);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_THREAD_CPUTIME_ID)
		return (int)syscall(SYS_clock_gettime, id, t);
	t->tv_sec = (time_t)(kvm.clock / 1000000000);
	t->tv_nsec = (long)(kvm.clock % 1000000000);
	return 0;
}

static int made(int e)
{
	return e ? fail(e) : memory_file(NULL, 0);
}

static int done(int e)
{
	return e ? fail(e) : 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVM_GET_API_VERSION:
		return kvm.version;
	case KVM_GET_VCPU_MMAP_SIZE:
		return RUN_SIZE;
	case KVM_CREATE_VM:
		return kvm.vm_eintr && kvm.vm_eintr-- ? fail(EINTR) : made(kvm.vm_errno);
	case KVM_CREATE_IRQCHIP:
		return done(kvm.irqchip_errno);
	case KVM_CREATE_VCPU:
		return made(kvm.vcpu_errno);
	case KVM_SET_USER_MEMORY_REGION:
		kvm.memory = (uint8_t *)(uintptr_t)((struct kvm_userspace_memory_region *)arg)->userspace_addr;
		return 0;
	case KVM_GET_SUPPORTED_CPUID:
		((struct kvm_cpuid2 *)arg)->nent = 0;
		return 0;
	case KVM_GET_LAPIC:
		memset(arg, 0, sizeof(struct kvm_lapic_state));
		return 0;
	case KVM_GET_SREGS:
		memset(arg, 0, sizeof(struct kvm_sregs));
		return 0;
	case KVM_SET_REGS:
		kvm.rip = ((struct kvm_regs *)arg)->rip;
		return 0;
	case KVM_GET_STATS_FD:
		return kvm.stats_errno ? fail(kvm.stats_errno) : stats_fd();
	case KVM_RUN:
		return run(fd);
	case KVM_CHECK_EXTENSION:
		return 1;
	case KVM_SET_IDENTITY_MAP_ADDR: case KVM_SET_TSS_ADDR: case KVM_SET_CPUID2: case KVM_SET_MSRS: case KVM_SET_LAPIC:
	case KVM_SET_SREGS:
		return 0;
	}
	kvm.wrong++;
	return fail(ENOTTY);
}

/* A KVM that runs guests, and says so. */
static const struct kvm good = {
	.version = KVM_API_VERSION, .stat = "insn_emulation", .name_size = NAME_SIZE, .exit_reason = KVM_EXIT_IO,
	.nsec = { 300000, 300000, 300000 },
};

static int open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The probe of @k must say @word, and give the reason @why: all of it, or its beginning when it ends in `*`. */
static void probed(struct kvm k, const char *word, const char *why, const char *name)
{
	char reason[256] = "";
	size_t n = strcspn(why, "*");
	int before = open_fds();
	const char *said;
	bool as_wanted;

	kvm = k;
	said = kvm_probe(reason, sizeof(reason));
	as_wanted = !strcmp(said, word) && (why[n] ? !strncmp(reason, why, n) : !strcmp(reason, why));
	CHECK(as_wanted, name);
	if (!as_wanted)
		printf("# %s: %s\n", said, reason);
	CHECK(open_fds() == before && !kvm.wrong, "and it keeps nothing open, and asks nothing strange");
}

static void test_statistics(void)
{
	struct kvm k = good;

	probed(k, "usable", "", "a KVM that runs the loop is usable");
	CHECK(kvm.runs == 1 && kvm.turns == 1000, "one run of 1,000 turns tells");
	k.nsec[0] = k.nsec[1] = k.nsec[2] = 90000000;
	probed(k, "usable", "", "where there are statistics, time tells nothing");
	k = good;
	k.per_turn = 2;
	probed(k, "emulating", "it emulates guest instructions one by one (2002 of 2000)", "two a turn: it emulates");
	k = good;
	k.counted = 5000;
	probed(k, "usable", "", "what it counted before is not the loop's");
	k.counted = UINT64_MAX - 100;
	k.per_turn = 2;
	probed(k, "emulating", "it emulates guest instructions one by one (2002 of 2000)", "nor where the counter goes round");
}

static void test_time(void)
{
	struct kvm k = good;

	k.stats_errno = ENOTTY;
	probed(k, "usable", "", "without statistics: a fast loop is usable");
	CHECK(kvm.runs == 3 && kvm.turns == 100000, "three runs of 100,000 turns tell");
	k.nsec[0] = k.nsec[2] = 90000000;
	probed(k, "usable", "", "the best of the three counts");
	k.nsec[1] = 80000000;
	probed(k, "emulating", "it emulates guest instructions (80 ms for a loop of 100000)", "all slow: it emulates");
	k = good;
	k.stat = "insn_emulation_fail";
	k.per_turn = 2;
	probed(k, "usable", "", "statistics without the one that is meant: time tells");
	CHECK(kvm.runs == 3, "by three runs");
	k = good;
	k.name_size = 100000;
	k.nsec[0] = k.nsec[1] = k.nsec[2] = 90000000;
	probed(k, "emulating", "it emulates guest instructions (90 ms for a loop of 100000)",
	       "statistics past belief: time tells");
}

static void test_no_loop(void)
{
	struct kvm k = good;

	k.run_eintr = 20;
	probed(k, "usable", "", "an interrupted run is run again");
	k.run_eintr = 100000;
	probed(k, "emulating", "it does not run a simple loop", "one that is always interrupted ends");
	k = good;
	k.exit_reason = KVM_EXIT_SHUTDOWN;
	probed(k, "emulating", "it does not run a simple loop", "a guest that falls over did not run the loop");
	k.stats_errno = ENOTTY;
	probed(k, "emulating", "it does not run a simple loop", "without statistics neither");
	CHECK(kvm.runs == 1, "and is not asked again");
}

static void test_shut(void)
{
	struct kvm k = good;

	k.open_errno = ENOENT;
	probed(k, "absent", "/dev/kvm is not there: load kvm-intel or kvm-amd*", "no /dev/kvm: absent");
	k.open_errno = k.access_errno = EACCES;
	probed(k, "denied", "/dev/kvm: Permission denied: join the group that owns it*", "another's /dev/kvm: denied");
	k = good;
	k.open_errno = ENODEV;
	probed(k, "failed", "/dev/kvm: No such device", "a node with no KVM behind it: failed");
	k = good;
	k.version = 11;
	probed(k, "failed", "/dev/kvm: is not the KVM this program speaks to (version 11)", "another API: failed");
	k = good;
	k.vm_eintr = 3;
	probed(k, "usable", "", "an interrupted VM is made again");
	k.vm_errno = EBUSY;
	probed(k, "failed", "/dev/kvm: cannot create a VM: Device or resource busy", "no VM: failed");
	k = good;
	k.irqchip_errno = EEXIST;
	probed(k, "failed", "KVM: cannot make interrupt controllers: File exists",
	       "no interrupt controllers: failed, with a reason");
	k = good;
	k.vcpu_errno = EMFILE;
	probed(k, "failed", "KVM makes no more than 0 vCPUs here: Too many open files", "no vCPU: failed");
}

int main(void)
{
	test_statistics();
	test_time();
	test_no_loop();
	test_shut();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/*
 * probe.c - does this KVM run guest kernels, or emulate them?
 *
 * There are KVMs that open, pass every ioctl, and then emulate an ordinary guest one instruction
 * at a time (PVM without a PVM guest kernel): nothing ever boots on them. So the VM that is to be
 * used first runs a loop of 1,000 iterations, and the vCPU's own statistic `insn_emulation` tells:
 * two a turn when emulated, none on a real one. Where KVM has no statistics (before 5.14) the
 * thread's CPU time tells: the best of three runs of 100,000 iterations, which take 0.3 ms where an
 * instruction is executed and 90 ms where it is emulated.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "gmem.h"
#include "machine.h"
#include "util.h"

#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD _IO(KVMIO, 0xce)
#endif

enum { PROBE_CODE = 0x10000, LOOP = 1000, LONG_LOOP = 100000, SLOW_NSEC = 20000000 };

/* The value of a vCPU statistic. Return 0; -ENOENT when KVM does not keep it; -errno. */
static int vcpu_stat(int vcpu, const char *name, uint64_t *value)
{
	autoclose int fd = ioctl(vcpu, KVM_GET_STATS_FD, NULL);
	autofree uint8_t *table = NULL;
	struct kvm_stats_header h;
	size_t size, i;

	if (fd < 0)
		return -errno;
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || h.name_size > 256 || h.num_desc > 4096)
		return -EIO;
	size = sizeof(struct kvm_stats_desc) + h.name_size;
	table = malloc(h.num_desc * size + 1);
	if (!table)
		return -ENOMEM;
	if (pread(fd, table, h.num_desc * size, h.desc_offset) != (ssize_t)(h.num_desc * size))
		return -EIO;
	for (i = 0; i < h.num_desc; i++) {
		struct kvm_stats_desc d;

		memcpy(&d, table + i * size, sizeof(d));
		if (!strncmp((char *)table + i * size + sizeof(d), name, h.name_size))
			return pread(fd, value, sizeof(*value), (off_t)h.data_offset + d.offset) == sizeof(*value) ? 0 : -EIO;
	}
	return -ENOENT;
}

/* Run `mov ecx, n; 1: dec ecx; jnz 1b; out 0x80, al` in flat protected mode. */
static int run_loop(struct vcpu *v, const struct gmem *mem, uint32_t n)
{
	uint8_t code[] = { 0xb9, 0, 0, 0, 0, 0x49, 0x75, 0xfd, 0xe6, 0x80 };
	struct kvm_regs regs = { .rip = PROBE_CODE, .rflags = 2 };
	struct kvm_sregs s;
	int turns;

	put_le32(code + 1, n);
	if (gmem_write(mem, PROBE_CODE, code, sizeof(code)) || ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return -EIO;
	s.cs.base = 0;
	s.cs.limit = 0xffffffff;
	s.cs.selector = 8;
	s.cs.type = 11;
	s.cs.db = s.cs.g = s.cs.s = s.cs.present = 1;
	s.cr0 = 0x11;
	if (ioctl(v->fd, KVM_SET_SREGS, &s) < 0 || ioctl(v->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	for (turns = 0; turns < 1000; turns++) {
		if (ioctl(v->fd, KVM_RUN, NULL) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		return v->run->exit_reason == KVM_EXIT_IO ? 0 : -EIO;
	}
	return -EIO;
}

static uint64_t thread_nsec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/**
 * vcpu_emulated() - whether this KVM emulates what it should run
 * @m: machine with vCPUs and memory, nothing loaded yet; its first vCPU runs a few instructions
 * @why, @whysize: the finding, for a person
 * Return: true when it is of no use for guest kernels.
 */
bool vcpu_emulated(struct machine *m, char *why, size_t whysize)
{
	struct vcpu *v = &m->vcpu[0];
	uint64_t before, after, best = UINT64_MAX;
	int i, err;

	if (vcpu_stat(v->fd, "insn_emulation", &before) == 0) {
		err = run_loop(v, &m->vm->mem, LOOP);
		if (!err && vcpu_stat(v->fd, "insn_emulation", &after) == 0) {
			snprintf(why, whysize, "it emulates guest instructions one by one (%llu of %u)",
				 (unsigned long long)(after - before), 2 * LOOP);
			return after - before > LOOP / 2;
		}
	} else {
		for (i = 0, err = 0; i < 3 && !err; i++) {
			uint64_t start = thread_nsec();

			err = run_loop(v, &m->vm->mem, LONG_LOOP);
			best = MIN(best, thread_nsec() - start);
		}
		if (!err) {
			snprintf(why, whysize, "it emulates guest instructions (%llu ms for a loop of "
				 "%u)", (unsigned long long)best / 1000000, LONG_LOOP);
			return best > SLOW_NSEC;
		}
	}
	snprintf(why, whysize, "it does not run a simple loop");
	return true;
}

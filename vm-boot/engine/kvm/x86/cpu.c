// SPDX-License-Identifier: ISC
/*
 * cpu.c - what the guest's CPUs are and how they start.
 *
 * CPUID is what KVM says it supports, with the leaves that differ from CPU to CPU made right: APIC
 * ids and topology (one package, one thread a core) in Intel's leaves and AMD's, and the bits that
 * KVM leaves to us. The TSC-deadline bit comes from KVM_CHECK_EXTENSION, because nested KVMs lie in
 * CPUID. The performance counters are hidden: we would have to save them one day, and a guest that
 * sees none probes none.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "boot.h"
#include "cpu.h"
#include "gmem.h"
#include "layout.h"
#include "util.h"

enum { CPUID_ENTRIES = 256 };

/** cpu_features() - what KVM supports. @kvm: /dev/kvm. Return: table to free(), NULL with errno. */
struct kvm_cpuid2 *cpu_features(int kvm)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + CPUID_ENTRIES * sizeof(c->entries[0]));

	if (!c)
		return NULL;
	c->nent = CPUID_ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

static unsigned int id_bits(unsigned int cpus)
{
	return cpus > 1 ? 32 - (unsigned int)__builtin_clz(cpus - 1) : 0;
}

/* Deterministic cache parameters (Intel leaf 4, AMD leaf 0x8000001D). */
static void cache_sharing(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	unsigned int level = e->eax >> 5 & 7;

	if (!(e->eax & 0x1f))
		return;
	e->eax &= 0x3fff;
	if (level >= 3)
		e->eax |= (cpus - 1) << 14;
	if (e->function == 4)
		e->eax |= (cpus - 1) << 26;
}

/* Extended topology (leaves 0xB and 0x1F): level 0 is the thread, level 1 the core. */
static void topology_level(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int cpus)
{
	e->edx = id;
	e->ecx = e->index;
	if (e->index == 0) {
		e->eax = 0;
		e->ebx = 1;
		e->ecx |= 1 << 8;
	} else if (e->index == 1) {
		e->eax = id_bits(cpus);
		e->ebx = cpus;
		e->ecx |= 2 << 8;
	} else {
		e->eax = e->ebx = 0;
	}
}

static void patch(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int cpus, bool tsc_deadline)
{
	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xffff) | cpus << 16 | id << 24;
		e->ecx |= 1u << 31;                     /* a hypervisor is here */
		e->ecx &= ~(1u << 24);
		e->ecx |= tsc_deadline ? 1u << 24 : 0;
		e->edx &= ~(1u << 28);
		e->edx |= cpus > 1 ? 1u << 28 : 0;      /* several logical CPUs */
		break;
	case 4:
	case 0x8000001d:
		cache_sharing(e, cpus);
		break;
	case 0xa:
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	case 0xb:
	case 0x1f:
		topology_level(e, id, cpus);
		break;
	case 0x80000001:
		e->ecx &= ~(1u << 23 | 1u << 22 | 1u << 28);    /* AMD: perf counters, topology ext. */
		break;
	case 0x80000008:
		e->ecx = (e->ecx & ~0xf0ffu) | (cpus - 1) | id_bits(cpus) << 12;
		break;
	case 0x8000001e:
		e->eax = id;
		e->ebx = id;
		e->ecx = 0;
		break;
	}
}

/*
 * Leaves 0xB and 0x1F come with one entry each where KVM knows not our topology: they need levels 0
 * and 1, and a level beyond that says "no more". Return the number of entries.
 */
static unsigned int complete_topology(struct kvm_cpuid_entry2 *e, unsigned int n, unsigned int leaf)
{
	struct kvm_cpuid_entry2 proto = { 0 };
	bool found = false;
	unsigned int i, kept = 0;

	for (i = 0; i < n; i++) {
		if (e[i].function == leaf) {
			proto = e[i];
			found = true;
		} else {
			e[kept++] = e[i];
		}
	}
	for (i = 0; found && i < 3; i++) {
		e[kept] = proto;
		e[kept].index = i;
		e[kept++].flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	}
	return kept;
}

static int set_cpuid(int vcpu, const struct kvm_cpuid2 *supported, unsigned int id,
		     unsigned int cpus, bool tsc_deadline)
{
	size_t size = sizeof(*supported) + (CPUID_ENTRIES + 6) * sizeof(supported->entries[0]);
	autofree struct kvm_cpuid2 *c = calloc(1, size);
	unsigned int i;

	if (!c)
		return -ENOMEM;
	memcpy(c, supported, sizeof(*c) + supported->nent * sizeof(c->entries[0]));
	c->nent = complete_topology(c->entries, c->nent, 0xb);
	c->nent = complete_topology(c->entries, c->nent, 0x1f);
	for (i = 0; i < c->nent; i++)
		patch(&c->entries[i], id, cpus, tsc_deadline);
	return ioctl(vcpu, KVM_SET_CPUID2, c) < 0 ? -errno : 0;
}

static int set_msrs(int vcpu)
{
	static const struct kvm_msr_entry wanted[] = {
		{ .index = 0x2ff, .data = 0x806 },      /* MTRRs on, write-back: or no PAT */
		{ .index = 0x1a0, .data = 1 },          /* fast string operations */
	};
	autofree struct kvm_msrs *m = calloc(1, sizeof(*m) + sizeof(wanted));

	if (!m)
		return -ENOMEM;
	m->nmsrs = ARRAY_SIZE(wanted);
	memcpy(m->entries, wanted, sizeof(wanted));
	/* It stops at the first one that KVM has not: the guest finds out by itself. */
	return ioctl(vcpu, KVM_SET_MSRS, m) < 0 ? -errno : 0;
}

/*
 * LINT1 takes NMIs, as firmware leaves it. LINT0 stays masked: behind it is an 8259 that the guest is
 * told is not there, and so never quiets.
 */
static int set_lapic(int vcpu)
{
	struct kvm_lapic_state l;

	if (ioctl(vcpu, KVM_GET_LAPIC, &l) < 0)
		return -errno;
	put_le32(l.regs + 0x350, 0x10000);
	put_le32(l.regs + 0x360, 0x400);
	return ioctl(vcpu, KVM_SET_LAPIC, &l) < 0 ? -errno : 0;
}

/**
 * cpu_setup() - make a fresh vCPU one of the guest's CPUs
 * @vcpu: its descriptor
 * @supported: from cpu_features()
 * @id: its number and APIC id
 * @cpus: how many there are
 * @tsc_deadline: whether KVM has the TSC-deadline timer
 * Return: 0 or -errno.
 */
int cpu_setup(int vcpu, const struct kvm_cpuid2 *supported, unsigned int id, unsigned int cpus,
	      bool tsc_deadline)
{
	int err = set_cpuid(vcpu, supported, id, cpus, tsc_deadline);

	if (!err)
		err = set_msrs(vcpu);
	if (!err)
		err = set_lapic(vcpu);
	return err;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code, bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = !(code && long_mode),
		.s = 1,
		.l = code && long_mode,
		.g = 1,
	};
}

/* Map the first 4 GiB one to one with 2 MiB pages: PML4, one PDPT, four page directories. */
static int build_page_tables(const struct gmem *mem)
{
	uint64_t *pml4 = gmem_ptr(mem, BOOT_PAGE_TABLES, 6 * 4096), *pdpt, *pd;
	uint64_t i;

	if (!pml4)
		return -EFAULT;
	pdpt = pml4 + 512;
	pd = pdpt + 512;
	pml4[0] = (BOOT_PAGE_TABLES + 4096) | 3;
	for (i = 0; i < 4; i++)
		pdpt[i] = (BOOT_PAGE_TABLES + 8192 + i * 4096) | 3;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i * 2 * MIB | 0x83;
	return 0;
}

/**
 * cpu_enter() - set the first CPU's registers to where the kernel begins
 * @vcpu: its descriptor; whatever ran on it before leaves no trace
 * @mem: guest memory, for page tables and the GDT
 * @entry: from boot_load()
 * Return: 0 or -errno.
 */
int cpu_enter(int vcpu, const struct gmem *mem, const struct boot_entry *entry)
{
	/* boot.rst: __BOOT_CS 0x10 and __BOOT_DS 0x18, flat. */
	const uint64_t gdt[] = {
		0, 0, entry->long_mode ? 0x00af9a000000ffff : 0x00cf9a000000ffff,
		0x00cf92000000ffff,
		0x00008b0000000067,
	};
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rsi = entry->rsi,
		.rbx = entry->rbx,
		.rflags = 2,
	};
	struct kvm_sregs s;
	int err;

	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.cs = segment(0x10, 11, true, entry->long_mode);
	s.ds = s.es = s.fs = s.gs = s.ss = segment(0x18, 3, false, entry->long_mode);
	s.tr = (struct kvm_segment){ .limit = 0x67, .selector = 0x20, .type = 11, .present = 1 };
	s.gdt.base = BOOT_GDT;
	s.gdt.limit = sizeof(gdt) - 1;
	s.idt.base = 0;
	s.idt.limit = 0;
	s.cr0 = 0x11;                           /* protected mode, 387 */
	s.cr3 = s.cr4 = s.efer = 0;
	err = gmem_write(mem, BOOT_GDT, gdt, sizeof(gdt));
	if (!err && entry->long_mode) {
		s.cr0 |= 1u << 31;              /* paging */
		s.cr3 = BOOT_PAGE_TABLES;
		s.cr4 = 0x20;                   /* physical address extension */
		s.efer = 0x500;                 /* long mode enabled and active */
		err = build_page_tables(mem);
	}
	if (err)
		return err;
	if (ioctl(vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

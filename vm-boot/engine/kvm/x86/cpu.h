/* SPDX-License-Identifier: ISC */
/* cpu.h - what the guest's CPUs are and how they start. */
#ifndef X86_CPU_H
#define X86_CPU_H

#include <stdbool.h>

struct boot_entry;
struct gmem;
struct kvm_cpuid2;

struct kvm_cpuid2 *cpu_features(int kvm);
int cpu_setup(int vcpu, const struct kvm_cpuid2 *supported, unsigned int id, unsigned int cpus,
	      bool tsc_deadline);
int cpu_enter(int vcpu, const struct gmem *mem, const struct boot_entry *entry);

#endif

/* SPDX-License-Identifier: ISC */
/* boot.h - put a Linux kernel in guest memory and say how it starts. */
#ifndef X86_BOOT_H
#define X86_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gmem;
struct kernel;
struct vm_config;

/* How the first CPU starts. */
struct boot_entry {
	bool long_mode;                 /* 64-bit with paging (bzImage), else 32-bit flat (PVH) */
	uint64_t rip;
	uint64_t rsi, rbx;              /* boot_params, start information */
};

int boot_load(const struct gmem *mem, const struct vm_config *cfg, const struct kernel *k,
	      uint64_t initrd, uint64_t rsdp, struct boot_entry *entry, char *err, size_t errsize);

#endif

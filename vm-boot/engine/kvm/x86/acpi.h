/* SPDX-License-Identifier: ISC */
/* acpi.h - the tables that tell the guest what its machine is. */
#ifndef X86_ACPI_H
#define X86_ACPI_H

#include <stdint.h>

struct gmem;

int acpi_build(const struct gmem *mem, unsigned int cpus, uint64_t *rsdp);

#endif

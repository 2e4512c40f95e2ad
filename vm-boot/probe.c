// SPDX-License-Identifier: ISC
/* probe.c - what this host can do, as key=value lines (vm-boot --probe; vm-check reads them). */
#include "probe.h"

#include <stdio.h>

#include "log.h"
#include "sandbox.h"

/** probe_print() - find out and print. Return: 0; 125 when stdout takes nothing. */
int probe_print(void)
{
	char why[256] = "";
	const char *kvm = kvm_probe(why, sizeof(why));

	printf("kvm=%s\nkvm_reason=%s\nlandlock=%d\n", kvm, why, sandbox_landlock_abi());
	return fflush(stdout) ? 125 : 0;
}

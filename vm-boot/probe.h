/* SPDX-License-Identifier: ISC */
/* probe.h - what this host can do. */
#ifndef PROBE_H
#define PROBE_H

#include <stddef.h>

int probe_print(void);

/* engine/kvm: whether KVM runs guests here. Return a word; @why says more where there is more. */
const char *kvm_probe(char *why, size_t whysize);

#endif

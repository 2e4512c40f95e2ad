/* SPDX-License-Identifier: ISC */
/* engine.h - what runs the guest's CPUs: KVM here, or QEMU. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

/*
 * All are called from the main loop's thread. The engine tells of the guest's end, once, with
 * vm_ended() on that same thread.
 */
struct engine {
	const char *name;
	/*
	 * Before the sandbox: open and allocate everything, load the guest. Return 0; -errno with
	 * @err filled in; -ENOTSUP when this engine cannot work on this host (another may).
	 */
	int (*setup)(struct vm *vm, char *err, size_t errsize);
	/* After the sandbox: threads, and the guest's first instruction. */
	int (*start)(struct vm *vm);
	int (*pause)(struct vm *vm);
	int (*resume)(struct vm *vm);
	/* Press the power button. */
	void (*power_button)(struct vm *vm);
	/* -ENOTSUP where the console cannot carry it. From any thread. */
	int (*console_size)(struct vm *vm, uint16_t cols, uint16_t rows);
	/* Stop the guest for good; it runs no instruction after this returns. */
	void (*halt)(struct vm *vm);
	void (*free)(struct vm *vm);
	/* Where the sandbox must leave a hole. */
	bool uses_kvm;
};

extern const struct engine engine_kvm, engine_qemu;

#endif

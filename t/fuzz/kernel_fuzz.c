// SPDX-License-Identifier: ISC
/* kernel_fuzz.c - any bytes as a kernel file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_room room = { .memory = 512 * MIB, .hole = 3 * GIB, .initrd_size = 1 * MIB,
				    .cmdline = "quiet", .kernel_path = "k", .initrd_path = "i" };
	static int fd = -1;
	struct kernel k;
	uint64_t initrd;
	unsigned int i;
	char err[256];

	if (fd < 0)
		fd = memfd_create("kernel", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	if (kernel_read(&k, fd, size, "k", err, sizeof(err)) ||
	    kernel_fit(&k, &room, &initrd, err, sizeof(err)))
		return 0;
	/* What was accepted lies in the file, in memory, and clear of the initrd. */
	for (i = 0; i < k.segments; i++)
		if (k.segment[i].offset + k.segment[i].len > size || k.segment[i].gpa < k.start ||
		    k.segment[i].gpa + k.segment[i].len > k.end)
			abort();
	if (k.end > initrd || initrd + room.initrd_size > room.memory)
		abort();
	return 0;
}

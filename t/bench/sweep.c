// SPDX-License-Identifier: ISC
/*
 * sweep.c - write to as much memory as a VM may leave behind, once.
 *
 * The lab is an emulator: it keeps translations of the code in a page until somebody writes there. A page that a guest's
 * kernel ran from costs whoever gets it next five times as much, a third of a second for a whole VM. With this between two
 * runs nobody pays for the one before.
 */
#include <stddef.h>
#include <sys/mman.h>

enum { SIZE = 1 << 30 };

int main(void)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long i;

	if (p == MAP_FAILED || madvise(p, SIZE, MADV_HUGEPAGE))
		return 1;
	for (i = 0; i < SIZE; i += 4096)
		p[i] = 1;
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * init.c - the smallest init: tells the VMM that user space was reached, by ending the machine.
 *
 * A write to the exit port (lib/common/exitport.h) ends QEMU and our kvm engine alike, without the
 * guest's shutdown being measured. Built static, without libc's start-up.
 */
#include <sys/io.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "exitport.h"

int main(void)
{
	if (ioperm(EXITPORT_BASE, 1, 1) == 0)
		outb(EXITPORT_REBOOT, EXITPORT_BASE);
	for (;;)
		pause();
}

/* SPDX-License-Identifier: ISC */
/*
 * exitport.h - the I/O port by which a guest's init announces what its end alone would not say.
 *
 * To a VMM a reboot that the guest's init wanted and a reset out of the blue look the same, and so
 * do a power-off that somebody wanted and one because the main process ended, when no agent
 * could tell of that. So vm-agent writes one byte to this port as its very last act before it asks
 * the kernel for the end. Who listens:
 *  - the qemu engine: `-device isa-debug-exit,iobase=0x501,iosize=1`. A write of V ends QEMU at
 *    once with exit status
 *    (V << 1) | 1: odd, so never 0, and 33 and 35 for ours, which QEMU itself never uses.
 *  - the kvm engine: an 8-bit write of one of ours means the same; other values, widths and
 *    reads are ignored. Elsewhere nobody answers and the write does nothing. Only the guest's
 *    root can write to it, and what it announces is not trusted further than the cause that is
 *    shown to the user.
 */
#ifndef EXITPORT_H
#define EXITPORT_H

#define EXITPORT_BASE 0x501	/* clear of q35's PM block (0x600) and of fw_cfg (0x510) */
#define EXITPORT_SIZE 1

#define EXITPORT_REBOOT 0x10	/* the guest is synced and wants to be started again */
#define EXITPORT_UNTOLD 0x11	/* it is synced and off: the main process ended, nobody was told how */

/* The exit status of QEMU after a write of @v. */
#define EXITPORT_QEMU_STATUS(v) (((v) << 1) | 1)

#endif

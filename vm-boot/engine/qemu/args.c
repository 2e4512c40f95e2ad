// SPDX-License-Identifier: ISC
/*
 * args.c - QEMU's command line.
 *
 * A PC with nothing in it that a Linux guest does not need: every part is code that the guest can
 * reach. It starts no sooner for that; PIT, PIC and HPET stay, for without them it does not either.
 *
 * Measured, Debian 12's kernel on QEMU 7.2 with TCG, CPU seconds to init, n = 5, taken in turns:
 * `max` 2.06 at best and 2.32 in the median, `qemu64` 2.07 and 2.14, named models between them; a
 * bzImage costs 0.35 s more than the same vmlinux. So `max` costs nothing worth its lack:
 * distributions built for x86-64-v2 and v3 do not start on qemu64, nor has it RDRAND, SMEP or SMAP.
 */
#include "args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "config.h"
#include "exitport.h"
#include "util.h"

#define PRINTF_ARG __attribute__((format(printf, 2, 3)))

/* TCG keeps translated code; this is more than a busy guest's kernel and programs need. */
enum { TB_MIB = 256 };

static void add(struct args *a, const char *fmt, ...) PRINTF_ARG;
static void add(struct args *a, const char *fmt, ...)
{
	char *at = a->text + a->used;
	size_t left = sizeof(a->text) - a->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at, left, fmt, ap);
	va_end(ap);
	if (a->n == ARGS_MAX || n < 0 || (size_t)n >= left) {
		a->overflow = true;
		return;
	}
	a->argv[a->n++] = at;
	a->used += (size_t)n + 1;
}

static void option(struct args *a, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void option(struct args *a, const char *name, const char *fmt, ...)
{
	char value[CMDLINE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		a->overflow = true;
	add(a, "-%s", name);
	add(a, "%s", value);
}

static void add_cpus(struct args *a, const struct vm_config *cfg)
{
	unsigned int places;

	if (cfg->qemu_kvm) {
		option(a, "accel", "kvm");
		option(a, "cpu", "host");
	} else {
		option(a, "accel", "tcg,thread=multi,tb-size=%d", TB_MIB);
		option(a, "cpu", "max,erms=off");     /* `rep stosb` is byte for byte here */
	}
	/*
	 * For a machine that can have no other processor, TCG leaves out the guest's memory barriers (seen with 7.2), and the
	 * devices' threads miss what it did: now and then a queue stood still for ever. So there is room for a second one, of
	 * which the guest is not to know (config_cmdline()).
	 */
	places = cfg->qemu_kvm ? cfg->cpus : MAX(cfg->cpus, 2u);
	option(a, "smp", "%u,maxcpus=%u,sockets=1,cores=%u,threads=1", cfg->cpus, places, places);
}

/* Shared with us, for the vsock device; sealed, which is the default, or we refuse it (vhost_mem.c). */
static void add_memory(struct args *a, const struct vm_config *cfg)
{
	unsigned long long mib = cfg->memory / MIB;

	option(a, "m", "%lluM", mib);
	option(a, "object", "memory-backend-memfd,id=ram,size=%lluM,share=on,seal=on", mib);
}

/* What becomes of the guest is told by events and the exit status, never decided by QEMU. */
static void add_end(struct args *a)
{
	option(a, "action", "reboot=shutdown,shutdown=poweroff,panic=shutdown");
	option(a, "device", "pvpanic-pci");
	option(a, "device", "isa-debug-exit,iobase=%#x,iosize=%d", EXITPORT_BASE, EXITPORT_SIZE);
}

static void add_ports(struct args *a, bool log)
{
	option(a, "chardev", "socket,id=monitor,fd=%d", ARGS_FD_MONITOR);
	option(a, "mon", "chardev=monitor,mode=control");
	option(a, "chardev", "socket,id=console,fd=%d", ARGS_FD_CONSOLE);
	option(a, "device", "isa-serial,chardev=console,index=0");
	if (!log)
		return;
	option(a, "add-fd", "fd=%d,set=1", ARGS_FD_LOG);
	option(a, "chardev", "file,id=log,path=/dev/fdset/1,append=on");      /* or it truncates */
	option(a, "device", "virtio-serial-pci,max_ports=1,disable-legacy=on");
	option(a, "device", "virtconsole,chardev=log");
}

static void add_vsock(struct args *a)
{
	option(a, "chardev", "socket,id=vsock,fd=%d", ARGS_FD_VSOCK);
	option(a, "device", "vhost-user-vsock-pci,chardev=vsock");
}

/* `socket` is `stream` for a connected descriptor, and every QEMU has it. No ROM: nobody boots from it. */
static void add_networks(struct args *a, const struct vm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->nets; i++) {
		const struct net_config *n = &cfg->net[i];
		char mtu[24] = "";

		if (n->mtu)
			snprintf(mtu, sizeof(mtu), ",host_mtu=%u", n->mtu);
		option(a, "netdev", "socket,id=net%u,fd=%u", i, ARGS_FD_NET + i);
		option(a, "device", "virtio-net-pci,netdev=net%u,disable-legacy=on,romfile=,"
		       "mac=%02x:%02x:%02x:%02x:%02x:%02x%s", i, n->mac[0], n->mac[1], n->mac[2], n->mac[3],
		       n->mac[4], n->mac[5], mtu);
	}
}

static void add_kernel(struct args *a, const struct vm_config *cfg)
{
	option(a, "kernel", "/proc/self/fd/%d", ARGS_FD_KERNEL);
	if (cfg->initrd >= 0)
		option(a, "initrd", "/proc/self/fd/%d", ARGS_FD_INITRD);
	option(a, "append", "%s", cfg->cmdline);
}

/**
 * args_build() - write QEMU's command line
 * @a: filled in; argv points into it
 * @cfg: settled
 * @log: whether the other terminal port, hvc0, leads anywhere; without it there is none
 * Return: 0, or -E2BIG.
 */
int args_build(struct args *a, const struct vm_config *cfg, bool log)
{
	memset(a, 0, sizeof(*a));
	add(a, "qemu-system-x86_64");
	if (*cfg->name)
		option(a, "name", "%s", cfg->name);
	add(a, "-nodefaults");
	add(a, "-no-user-config");
	add(a, "-S");
	option(a, "display", "none");
	option(a, "sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
	       "resourcecontrol=deny");
	option(a, "machine", "q35,usb=off,vmport=off,sata=off,smbus=off,i8042=off,smm=off,"
	       "dump-guest-core=off,memory-backend=ram");
	add_cpus(a, cfg);
	add_memory(a, cfg);
	add_end(a);
	add_ports(a, log);
	option(a, "device", "virtio-rng-pci,disable-legacy=on");
	add_vsock(a);
	add_networks(a, cfg);
	add_kernel(a, cfg);
	return a->overflow ? -E2BIG : 0;
}

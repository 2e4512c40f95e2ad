/* SPDX-License-Identifier: ISC */
/*
 * pci_driver.h - a guest's driver of our virtio-pci, for tests: registers, rings, and devices to be driven.
 *
 * The device models, the front end and the PCI bus are the real ones; KVM is not there: ioctl() is ours and
 * counts the interrupts.
 */
#ifndef PCI_DRIVER_H
#define PCI_DRIVER_H

#include <linux/kvm.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "loop.h"
#include "pci.h"
#include "port.h"
#include "tap.h"
#include "util.h"
#include "virtio.h"
#include "virtio_console.h"
#include "virtio_pci.h"
#include "virtio_rng.h"
#include "worker.h"
#include "x86/layout.h"

enum { MEM = 1 << 20, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, DATA = 0x4000, VECTORS = 4 };
enum { CONSOLE, RNG, VSOCK, NET, SLOTS };

static unsigned int interrupts;
static uint32_t last_data;

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;

	(void)fd;
	va_start(ap, request);
	if (request == KVM_SIGNAL_MSI) {
		interrupts++;
		last_data = va_arg(ap, struct kvm_msi *)->data;
	}
	va_end(ap);
	return 0;
}

static uint8_t *ram;
static struct gmem mem;
static struct pci_bus bus;
static struct worker *worker;
static struct virtio_dev *console, *rng;
static struct virtio_pci *front[SLOTS];
static char printed[4096], typed[64];
static size_t printed_len, typed_len;

static inline size_t room(void *arg)
{
	(void)arg;
	return 4096;
}

static inline void sink_write(void *arg, const void *buf, size_t len)
{
	(void)arg;
	len = MIN(len, sizeof(printed) - printed_len);
	memcpy(printed + printed_len, buf, len);
	printed_len += len;
}

static unsigned int flushes;

static inline void sink_flush(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&flushes, 1, __ATOMIC_RELEASE);
}

static inline size_t sink_input(void *arg, void *buf, size_t len)
{
	size_t n = MIN(len, typed_len);

	(void)arg;
	memcpy(buf, typed, n);
	typed_len -= n;
	return n;
}

static inline uint64_t bar_of(unsigned int slot)
{
	uint32_t v;

	pci_ecam_access(&bus, (uint64_t)slot << 15 | 0x10, &v, 4, false);
	return v & ~15u;
}

static inline void w(unsigned int slot, uint32_t off, uint32_t v, size_t len)
{
	pci_mem_access(&bus, bar_of(slot) + off, &v, len, true);
}

static inline uint32_t r(unsigned int slot, uint32_t off, size_t len)
{
	uint32_t v = 0;

	pci_mem_access(&bus, bar_of(slot) + off, &v, len, false);
	return v;
}

static inline uint32_t cfg(unsigned int slot, uint32_t off, size_t len)
{
	uint32_t v = 0;

	pci_ecam_access(&bus, (uint64_t)slot << 15 | off, &v, len, false);
	return v;
}

static inline void enable_msix(unsigned int slot)
{
	uint32_t cap = cfg(slot, 0x34, 1), i;
	uint8_t on = 0x80;

	while (cap && cfg(slot, cap, 1) != 0x11)
		cap = cfg(slot, cap + 1, 1);
	pci_ecam_access(&bus, (uint64_t)slot << 15 | (cap + 3), &on, 1, true);
	for (i = 0; i < VECTORS; i++) {
		w(slot, 0x4000 + 16 * i, 0xfee00000, 4);
		w(slot, 0x4008 + 16 * i, 0x40 + i, 4);
		w(slot, 0x400c + 16 * i, 0, 4);
	}
}

static inline void set_queue(unsigned int slot, uint16_t i, uint64_t base)
{
	w(slot, 22, i, 2);
	w(slot, 24, 8, 2);
	w(slot, 26, i + 1u, 2);
	w(slot, 32, (uint32_t)(base + DESC), 4);
	w(slot, 40, (uint32_t)(base + AVAIL), 4);
	w(slot, 48, (uint32_t)(base + USED), 4);
	w(slot, 28, 1, 2);
}

static inline void negotiate(unsigned int slot, uint16_t queues)
{
	uint16_t i;

	w(slot, 20, 0, 1);
	w(slot, 20, 1, 1);
	w(slot, 20, 3, 1);
	w(slot, 8, 1, 4);
	w(slot, 12, 1, 4);      /* VERSION_1 alone */
	w(slot, 20, 11, 1);
	w(slot, 16, 0, 2);
	for (i = 0; i < queues; i++)
		set_queue(slot, i, i * 0x10000u);
	w(slot, 20, 15, 1);
}

static inline void offer(uint64_t base, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint8_t *d = ram + base + DESC + 16 * i, *a = ram + base + AVAIL;
	uint16_t idx = get_le16(a + 2);

	put_le64(d, addr);
	put_le32(d + 8, len);
	put_le16(d + 12, flags);
	put_le16(a + 4 + 2 * (idx % 8), i);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put_le16(a + 2, (uint16_t)(idx + 1));
}

/* Wait until the worker has handled what waits: its loop takes events in the order in which they came. */
static int turn_fd;
static unsigned int turns;

static inline void on_turn(void *arg, uint32_t events)
{
	uint64_t n;

	(void)arg;
	(void)events;
	if (read(turn_fd, &n, sizeof(n)) > 0)
		__atomic_add_fetch(&turns, 1, __ATOMIC_RELEASE);
}

static inline void settle(void)
{
	uint64_t one = 1;
	int i;

	for (i = 0; i < 3; i++) {
		unsigned int was = __atomic_load_n(&turns, __ATOMIC_ACQUIRE);

		if (write(turn_fd, &one, sizeof(one)) < 0)
			abort();
		while (__atomic_load_n(&turns, __ATOMIC_ACQUIRE) == was)
			sched_yield();
	}
}

/* Turn by turn of the worker, until it is so or ten seconds have passed. */
#define UNTIL(so) do { \
	time_t end_ = time(NULL) + 10; \
	while (!(so) && time(NULL) < end_) \
		settle(); \
} while (0)

/* A bus with a console and a source of entropy. */
static inline void make_bus(void)
{
	struct gmem_region region = { 0, MEM, NULL, GMEM_ANONYMOUS };
	struct port_sink sink = { room, sink_write, sink_flush, sink_input, NULL, NULL };

	ram = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region.host = ram;
	gmem_add(&mem, &region);
	worker = worker_new("test");
	turn_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop_add(worker_loop(worker), turn_fd, EPOLLIN, on_turn, NULL) < 0)
		abort();
	pci_bus_init(&bus);
	console = virtio_console_new(&mem, worker, &sink);
	rng = virtio_rng_new(&mem, worker);
	front[CONSOLE] = virtio_pci_new(&bus, -1, console);
	front[RNG] = virtio_pci_new(&bus, -1, rng);
}

#endif

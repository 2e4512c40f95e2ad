// SPDX-License-Identifier: ISC
/*
 * virtio_pci_test.c - a driver against our virtio-pci: one that keeps the rules, and one that doesn't.
 *
 * The device models, the front end and the PCI bus are the real ones; KVM is not there: ioctl() is
 * ours and counts the interrupts. The hostile driver writes random values to random registers, rings
 * and descriptors; given a number as argument it does that many rounds (make soak).
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "loop.h"
#include "virtio_console.h"
#include "pci.h"
#include "port.h"
#include "virtio_rng.h"
#include "tap.h"
#include "util.h"
#include "virtio.h"
#include "virtio_pci.h"
#include "worker.h"
#include "x86/layout.h"

enum { MEM = 1 << 20, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, DATA = 0x4000 };

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
static struct virtio_pci *front[2];
static char printed[4096], typed[64];
static size_t printed_len, typed_len;

static size_t room(void *arg)
{
	(void)arg;
	return 4096;
}

static void sink_write(void *arg, const void *buf, size_t len)
{
	(void)arg;
	len = MIN(len, sizeof(printed) - printed_len);
	memcpy(printed + printed_len, buf, len);
	printed_len += len;
}

static unsigned int flushes;

static void sink_flush(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&flushes, 1, __ATOMIC_RELEASE);
}

static size_t sink_input(void *arg, void *buf, size_t len)
{
	size_t n = MIN(len, typed_len);

	(void)arg;
	memcpy(buf, typed, n);
	typed_len -= n;
	return n;
}

static uint64_t bar_of(unsigned int slot)
{
	uint32_t v;

	pci_ecam_access(&bus, (uint64_t)slot << 15 | 0x10, &v, 4, false);
	return v & ~15u;
}

static void w(unsigned int slot, uint32_t off, uint32_t v, size_t len)
{
	pci_mem_access(&bus, bar_of(slot) + off, &v, len, true);
}

static uint32_t r(unsigned int slot, uint32_t off, size_t len)
{
	uint32_t v = 0;

	pci_mem_access(&bus, bar_of(slot) + off, &v, len, false);
	return v;
}

static uint32_t cfg(unsigned int slot, uint32_t off, size_t len)
{
	uint32_t v = 0;

	pci_ecam_access(&bus, (uint64_t)slot << 15 | off, &v, len, false);
	return v;
}

static void enable_msix(unsigned int slot)
{
	uint32_t cap = cfg(slot, 0x34, 1), i;
	uint8_t on = 0x80;

	while (cap && cfg(slot, cap, 1) != 0x11)
		cap = cfg(slot, cap + 1, 1);
	pci_ecam_access(&bus, (uint64_t)slot << 15 | (cap + 3), &on, 1, true);
	for (i = 0; i < 3; i++) {
		w(slot, 0x4000 + 16 * i, 0xfee00000, 4);
		w(slot, 0x4008 + 16 * i, 0x40 + i, 4);
		w(slot, 0x400c + 16 * i, 0, 4);
	}
}

static void set_queue(unsigned int slot, uint16_t i, uint64_t base)
{
	w(slot, 22, i, 2);
	w(slot, 24, 8, 2);
	w(slot, 26, i + 1u, 2);
	w(slot, 32, (uint32_t)(base + DESC), 4);
	w(slot, 40, (uint32_t)(base + AVAIL), 4);
	w(slot, 48, (uint32_t)(base + USED), 4);
	w(slot, 28, 1, 2);
}

static void negotiate(unsigned int slot, uint16_t queues)
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

static void offer(uint64_t base, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags)
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

static void on_turn(void *arg, uint32_t events)
{
	uint64_t n;

	(void)arg;
	(void)events;
	if (read(turn_fd, &n, sizeof(n)) > 0)
		__atomic_add_fetch(&turns, 1, __ATOMIC_RELEASE);
}

static void settle(void)
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

static void test_identity(void)
{
	CHECK(cfg(0, 0, 4) == 0x10431af4 && cfg(1, 0, 4) == 0x10441af4, "vendor and device ids");
	CHECK(cfg(2, 0, 4) == 0xffffffff, "an empty slot reads as ones");
	CHECK(bar_of(0) == PCI_MEM && bar_of(1) == PCI_MEM + 0x8000, "BARs are placed");
	CHECK(cfg(0, 0x3d, 1) == 0, "no interrupt pin");
}

static void test_bar_sizing(void)
{
	uint32_t ones = 0xffffffff, was = cfg(0, 0x10, 4);

	pci_ecam_access(&bus, 0x10, &ones, 4, true);
	CHECK(cfg(0, 0x10, 4) == 0xffff8000, "a BAR tells its size");
	pci_ecam_access(&bus, 0x10, &was, 4, true);
	CHECK(cfg(0, 0x10, 4) == was, "and is where it was");
	pci_ecam_access(&bus, 0, &ones, 4, true);
	CHECK(cfg(0, 0, 4) == 0x10431af4, "ids cannot be written");
}

static void test_features(void)
{
	w(0, 20, 0, 1);
	w(0, 20, 3, 1);
	w(0, 8, 0, 4);
	w(0, 12, 0xffffffff, 4);
	w(0, 20, 11, 1);
	CHECK(!(r(0, 20, 1) & 8), "features we do not offer: no FEATURES_OK");
	w(0, 20, 0, 1);
	w(0, 20, 11, 1);
	CHECK(!(r(0, 20, 1) & 8), "no VERSION_1: no FEATURES_OK");
	w(0, 20, 15, 1);
	CHECK(!(r(0, 20, 1) & 4), "no FEATURES_OK: no DRIVER_OK");
	negotiate(0, 2);
	CHECK(r(0, 20, 1) == 15, "a driver that keeps the rules is let through");
	w(0, 20, 0, 1);
	CHECK(r(0, 20, 1) == 0, "reset");
}

static void test_console(void)
{
	memset(ram, 0, MEM);
	negotiate(0, 2);
	interrupts = 0;
	memcpy(ram + DATA, "hello", 5);
	flushes = 0;
	offer(0x10000, 0, DATA, 5, 0);
	w(0, 0x3004, 1, 2);
	CHECK(printed_len == 5 && !memcmp(printed, "hello", 5), "the guest prints, and it is taken at once");
	CHECK(get_le16(ram + 0x10000 + USED + 2) == 1, "its buffer is given back");
	CHECK(__atomic_load_n(&flushes, __ATOMIC_ACQUIRE) == 1, "readers are told");
	offer(0x10000, 1, DATA, 5, 0);
	w(0, 0x3004, 1, 2);
	CHECK(printed_len == 10, "more comes");
	UNTIL(interrupts);
	CHECK(last_data == 0x42, "the queue's interrupt, in time");
	UNTIL(__atomic_load_n(&flushes, __ATOMIC_ACQUIRE) == 2);
	CHECK(__atomic_load_n(&flushes, __ATOMIC_ACQUIRE) == 2, "readers are told of the rest, too");
	offer(0, 0, DATA, 16, 2);
	memcpy(typed, "abc", 3);
	typed_len = 3;
	w(0, 0x3000, 0, 2);
	settle();
	CHECK(!memcmp(ram + DATA, "abc", 3) && get_le32(ram + USED + 8) == 3, "the guest is typed to");
	virtio_console_resize(console, 80, 24);
	CHECK(r(0, 0x2000, 2) == 80 && r(0, 0x2002, 2) == 24, "the size is in the configuration");
	CHECK(last_data == 0x40, "and told of by interrupt");
}

static void test_masking(void)
{
	interrupts = 0;
	w(0, 0x402c, 1, 4);
	offer(0x10000, 1, DATA, 1, 0);
	w(0, 0x3004, 1, 2);
	UNTIL(r(0, 0x5000, 4));
	CHECK(interrupts == 0 && r(0, 0x5000, 4) == 4, "a masked vector is pending");
	w(0, 0x402c, 0, 4);
	CHECK(interrupts == 1 && r(0, 0x5000, 4) == 0, "and raised when the mask goes");
}

static void test_rng(void)
{
	memset(ram, 0, MEM);
	negotiate(1, 1);
	offer(0, 0, DATA, 64, 2);
	offer(0, 1, DATA + 0x1000, 0x20000, 2);
	w(1, 0x3000, 0, 2);
	settle();
	CHECK(get_le32(ram + USED + 8) == 64 && get_le64(ram + DATA), "entropy comes");
	CHECK(get_le32(ram + USED + 16) == 4096, "but no more than 4 KiB a request");
	w(1, 20, 0, 1);
}

static void test_broken(void)
{
	memset(ram, 0, MEM);
	negotiate(0, 2);
	offer(0x10000, 0, UINT64_MAX - 2, 5, 0);
	w(0, 0x3004, 1, 2);
	settle();
	CHECK(r(0, 20, 1) & 64, "a driver that breaks a rule is told to reset");
	w(0, 20, 0, 1);
	CHECK(r(0, 20, 1) == 0, "and may");
	memset(ram, 0, MEM);
	negotiate(0, 2);
	printed_len = 0;
	offer(0x10000, 0, DATA, 3, 0);
	w(0, 0x3004, 1, 2);
	settle();
	CHECK(printed_len == 3, "then it works again");
	w(0, 20, 0, 1);
}

static void test_pause(void)
{
	memset(ram, 0, MEM);
	negotiate(0, 2);
	offer(0x10000, 0, DATA, 3, 0);
	w(0, 0x3004, 1, 2);
	settle();
	virtio_pci_pause(front[0]);
	printed_len = 0;
	offer(0x10000, 1, DATA, 4, 0);
	w(0, 0x3004, 1, 2);
	settle();
	CHECK(printed_len == 0, "a paused device does nothing");
	virtio_pci_resume(front[0]);
	settle();
	CHECK(printed_len == 4, "and goes on where it was");
	w(0, 20, 0, 1);
}

static void test_window(void)
{
	uint32_t cap = cfg(0, 0x34, 1), v;

	while (cap && !(cfg(0, cap, 1) == 9 && cfg(0, cap + 3, 1) == 5))
		cap = cfg(0, cap + 1, 1);
	CHECK(cap, "there is a window in configuration space");
	v = 18;
	pci_ecam_access(&bus, cap + 8, &v, 4, true);
	v = 2;
	pci_ecam_access(&bus, cap + 12, &v, 4, true);
	CHECK(cfg(0, cap + 16, 2) == 2, "that shows the number of queues");
}

static uint32_t seed = 1;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

/* Values that are near to meaning something hurt more than random ones. */
static uint32_t nasty(void)
{
	static const uint32_t v[] = { 0, 1, 2, 3, 4, 8, 11, 15, 64, 0x7fff, 0xffff, 0x1000, 0x2000,
				      0x3000, MEM - 8, MEM, 0xffffffff, 0x80000000 };

	return rnd() % 3 ? v[rnd() % ARRAY_SIZE(v)] : rnd();
}

static void *scribble(void *arg)
{
	volatile bool *stop = arg;
	uint32_t s = 7;

	while (!*stop) {
		s = s * 1103515245 + 12345;
		__atomic_store_n(ram + (s >> 8) % MEM, (uint8_t)(s >> 3), __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Whatever was done to BARs and command registers: put them back. */
static void revive(void)
{
	uint32_t slot, v;

	for (slot = 0; slot < 2; slot++) {
		v = (uint32_t)PCI_MEM + slot * 0x8000;
		pci_ecam_access(&bus, slot << 15 | 0x10, &v, 4, true);
		v = 2;
		pci_ecam_access(&bus, slot << 15 | 0x04, &v, 2, true);
	}
}

static void test_hostile(unsigned long rounds)
{
	static const size_t lens[] = { 1, 2, 4, 8 };
	static volatile bool stop;
	pthread_t second;
	unsigned long i;
	uint64_t v;

	if (freopen("/dev/null", "w", stderr) == NULL)
		return;
	pthread_create(&second, NULL, scribble, (void *)&stop);
	for (i = 0; i < rounds; i++) {
		unsigned int slot = rnd() % 2, what = rnd() % 16;

		if (i % 256 == 0)
			revive();
		v = (uint64_t)nasty() << 32 | nasty();
		if (what < 8)
			pci_mem_access(&bus, bar_of(slot) + (rnd() % 7 << 12) + rnd() % 64, &v,
				       lens[rnd() % 4], rnd() % 4);
		else if (what < 10)
			pci_ecam_access(&bus, (uint64_t)slot << 15 | rnd() % 260, &v, lens[rnd() % 3],
					rnd() % 2);
		else if (what < 14)
			put_le64(ram + (rnd() % 4 << 16) + (rnd() % 4 << 12) + rnd() % 64 * 8, v);
		else if (rnd() % 4 == 0)
			negotiate(slot, slot ? 1 : 2);
		else
			virtio_console_resize(console, (uint16_t)v, (uint16_t)(v >> 16));
	}
	stop = true;
	pthread_join(second, NULL);
	settle();
	revive();
	memset(ram, 0, MEM);
	w(0, 20, 0, 1);
	negotiate(0, 2);
	printed_len = 0;
	offer(0x10000, 0, DATA, 3, 0);
	w(0, 0x3004, 1, 2);
	settle();
	CHECK(printed_len == 3, "after a hostile driver, a good one finds the device working");
}

int main(int argc, char *argv[])
{
	struct gmem_region region = { 0, MEM, NULL, GMEM_ANONYMOUS };
	struct port_sink sink = { room, sink_write, sink_flush, sink_input, NULL, NULL };

	ram = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region.host = ram;
	gmem_add(&mem, &region);
	worker = worker_new("test");
	turn_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop_add(worker_loop(worker), turn_fd, EPOLLIN, on_turn, NULL) < 0)
		return 1;
	pci_bus_init(&bus);
	console = virtio_console_new(&mem, worker, &sink);
	rng = virtio_rng_new(&mem, worker);
	front[0] = virtio_pci_new(&bus, -1, console);
	front[1] = virtio_pci_new(&bus, -1, rng);
	worker_start(worker);
	enable_msix(0);
	enable_msix(1);
	test_identity();
	test_bar_sizing();
	test_features();
	test_console();
	test_masking();
	test_rng();
	test_broken();
	test_pause();
	test_window();
	test_hostile(argc > 1 ? strtoul(argv[1], NULL, 10) : 200000);
	w(0, 20, 0, 1);
	worker_stop(worker);
	return tap_done();
}

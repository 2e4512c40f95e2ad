// SPDX-License-Identifier: ISC
/* virtio_pci_test.c - a driver that keeps the rules against our virtio-pci, and one that breaks some now and then. */
#include "pci_driver.h"

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

/* What a driver without ECAM does: an address to CF8, then data at CFC to CFF. */
static void point(uint32_t address)
{
	pci_port_access(&bus, PORT_PCI_ADDR, &address, 4, true);
}

static uint32_t in(uint16_t port, size_t len)
{
	uint32_t v = 0;

	pci_port_access(&bus, port, &v, len, false);
	return v;
}

static void out(uint16_t port, uint32_t v, size_t len)
{
	pci_port_access(&bus, port, &v, len, true);
}

static void test_ports(void)
{
	static const uint32_t enable = 1u << 31, slot1 = 1u << 11;

	point(enable | slot1);
	CHECK(in(PORT_PCI_ADDR, 4) == (enable | slot1), "CF8 reads as it was written");
	CHECK(in(PORT_PCI_DATA, 4) == 0x10441af4, "four bytes of configuration space at CFC");
	CHECK(in(PORT_PCI_DATA, 2) == 0x1af4 && in(PORT_PCI_DATA + 2, 2) == 0x1044, "two, at either half");
	CHECK(in(PORT_PCI_DATA, 1) == 0xf4 && in(PORT_PCI_DATA + 1, 1) == 0x1a && in(PORT_PCI_DATA + 2, 1) == 0x44 &&
	      in(PORT_PCI_DATA + 3, 1) == 0x10, "one, at each of four");
	point(enable | slot1 | 0x3c);
	out(PORT_PCI_DATA, 0x5a, 1);
	CHECK(cfg(1, 0x3c, 4) == 0x5a, "a byte is written, and nothing beside it");
	out(PORT_PCI_DATA, 0xffff00a5, 4);
	CHECK(in(PORT_PCI_DATA, 4) == 0xa5, "... or with bytes that cannot be");
	point(enable | slot1 | 0x04);
	out(PORT_PCI_DATA, 0x0406, 2);
	CHECK(cfg(1, 0x04, 2) == 0x0406, "two bytes are written");
	out(PORT_PCI_DATA, 2, 2);
	out(PORT_PCI_ADDR, 0, 1);
	out(PORT_PCI_ADDR + 2, 0, 2);
	CHECK(in(PORT_PCI_ADDR, 4) == (enable | slot1 | 0x04), "CF8 takes four bytes or none");
	CHECK(in(PORT_PCI_ADDR, 1) == 0xff && in(PORT_PCI_ADDR, 2) == 0xffff, "... and gives as many");
	point(slot1);
	CHECK(in(PORT_PCI_DATA, 4) == 0xffffffff, "not enabled: ones");
	point(enable | 1u << 16 | slot1);
	CHECK(in(PORT_PCI_DATA, 4) == 0xffffffff, "another bus: ones");
	point(enable | 7u << 11);
	CHECK(in(PORT_PCI_DATA, 4) == 0xffffffff && in(PORT_PCI_DATA + 3, 1) == 0xff, "an empty slot: ones");
	point(enable | slot1 | 1u << 8);
	CHECK(in(PORT_PCI_DATA, 2) == 0xffff, "a function that is not there: ones");
}

int main(void)
{
	make_bus();
	worker_start(worker);
	enable_msix(0);
	enable_msix(1);
	test_identity();
	test_bar_sizing();
	test_ports();
	test_features();
	test_console();
	test_masking();
	test_rng();
	test_broken();
	test_pause();
	test_window();
	w(0, 20, 0, 1);
	worker_stop(worker);
	return tap_done();
}

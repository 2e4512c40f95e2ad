// SPDX-License-Identifier: ISC
/*
 * acpi_test.c - from the RSDP on, every table is where it is said to be, and its bytes add up to 0.
 *
 * Given a directory, it writes the tables there, SIGNATURE.dat each, for iasl(1) (t/100-boot.bats).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gmem.h"
#include "tap.h"
#include "util.h"
#include "x86/acpi.h"
#include "x86/layout.h"

enum { HEADER = 36, RSDP = 36, RSDP_FIRST = 20, MEM = 2 << 20 };

static uint8_t ram[MEM];
static const char *dir;

static bool sums_up(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return !sum;
}

static void dump(const uint8_t *p, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%.4s.dat", dir, (const char *)p);
	f = fopen(path, "w");
	if (!f || fwrite(p, 1, len, f) != len || fclose(f))
		abort();
}

/* The table at @at, which is to be @signature, whole, and within where tables are. */
static const uint8_t *table(uint64_t at, const char *signature)
{
	const uint8_t *p = ram + at;
	size_t len;

	if (at < ACPI_TABLES || at + HEADER > ACPI_TABLES + ACPI_TABLES_SIZE || at % 16)
		return NULL;
	len = get_le32(p + 4);
	if (memcmp(p, signature, 4) || len < HEADER || at + len > ACPI_TABLES + ACPI_TABLES_SIZE || !sums_up(p, len))
		return NULL;
	if (dir)
		dump(p, len);
	return p;
}

static unsigned int processors(const uint8_t *madt)
{
	const uint8_t *e = madt + HEADER + 8, *end = madt + get_le32(madt + 4);
	unsigned int n = 0;

	for (; e < end && e[1]; e += e[1])
		if (e[0] == 0 && e[2] == n && e[3] == n)
			n++;
	return e == end ? n : 0;
}

static void test_tables(unsigned int cpus)
{
	struct gmem mem = { 0 };
	struct gmem_region region = { .len = MEM, .host = ram };
	const uint8_t *root, *xsdt, *fadt, *madt, *mcfg;
	uint64_t at = 0;

	memset(ram, 0, sizeof(ram));
	gmem_add(&mem, &region);
	CHECK(acpi_build(&mem, cpus, &at) == 0 && at >= ACPI_TABLES && at % 16 == 0, "tables are built");
	root = ram + at;
	CHECK(!memcmp(root, "RSD PTR ", 8) && root[15] == 2 && get_le32(root + 20) == RSDP, "the RSDP is one of revision 2");
	CHECK(sums_up(root, RSDP_FIRST) && sums_up(root, RSDP), "... and both its sums are right");
	xsdt = table(get_le64(root + 24), "XSDT");
	CHECK(xsdt && get_le32(xsdt + 4) == HEADER + 3 * 8, "it leads to the XSDT, which has three tables");
	if (!xsdt)
		return;
	fadt = table(get_le64(xsdt + HEADER), "FACP");
	madt = table(get_le64(xsdt + HEADER + 8), "APIC");
	mcfg = table(get_le64(xsdt + HEADER + 16), "MCFG");
	CHECK(fadt && table(get_le64(fadt + 140), "DSDT"), "the FADT leads to the DSDT");
	CHECK(madt && processors(madt) == cpus, "the MADT has every processor");
	CHECK(mcfg && get_le64(mcfg + 44) == PCI_ECAM && mcfg[54] == 0 && mcfg[55] == 0, "the MCFG has ECAM, of bus 0");
	CHECK(!get_le64(ram + VMGENID_ADDR), "they end before the generation id");
}

int main(int argc, char *argv[])
{
	struct gmem none = { 0 };
	uint64_t at;

	test_tables(1);
	dir = argc > 1 && strchr(argv[1], '/') ? argv[1] : NULL;
	test_tables(64);
	CHECK(acpi_build(&none, 1, &at) == -EFAULT, "no memory, no tables");
	return tap_done();
}

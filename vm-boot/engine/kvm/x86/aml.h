/* SPDX-License-Identifier: ISC */
/* aml.h - ACPI machine language, as much as our DSDT needs (ACPI 6.4 §20.2). */
#ifndef X86_AML_H
#define X86_AML_H

#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t size, len;
	int depth;
	size_t open[8];         /* where the length of each open package stands */
};

void aml_bytes(struct aml *a, const void *p, size_t n);
void aml_byte(struct aml *a, uint8_t v);
void aml_name(struct aml *a, const char *name);
void aml_integer(struct aml *a, uint64_t v);
void aml_string(struct aml *a, const char *s);
void aml_eisa_id(struct aml *a, const char *id);

void aml_open_scope(struct aml *a, const char *name);
void aml_open_device(struct aml *a, const char *name);
void aml_open_method(struct aml *a, const char *name, unsigned int args);
void aml_open_if_arg0_equals(struct aml *a, uint64_t v);
void aml_open_package(struct aml *a, uint8_t elements);
void aml_close(struct aml *a);

void aml_named(struct aml *a, const char *name);
void aml_named_integer(struct aml *a, const char *name, uint64_t v);
void aml_notify(struct aml *a, const char *name, uint64_t v);

void aml_open_resources(struct aml *a);
void aml_close_resources(struct aml *a);
void aml_res_io(struct aml *a, uint16_t port, uint8_t len);
void aml_res_irq(struct aml *a, uint32_t gsi);
void aml_res_mem32(struct aml *a, uint32_t base, uint32_t len);
void aml_res_bus_range(struct aml *a, uint16_t first, uint16_t last);
void aml_res_mem_window(struct aml *a, uint32_t base, uint32_t len);

#endif

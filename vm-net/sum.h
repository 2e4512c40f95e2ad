/* SPDX-License-Identifier: ISC */
/* sum.h - the checksum of the Internet (RFC 1071). */
#ifndef SUM_H
#define SUM_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"

uint64_t sum_bytes(uint64_t sum, const void *data, size_t len);
uint16_t sum_fold(uint64_t sum);
uint64_t sum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, size_t len);

#endif

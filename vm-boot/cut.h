/* SPDX-License-Identifier: ISC */
/* cut.h - where to go on in a terminal's output whose beginning was cut off. */
#ifndef CUT_H
#define CUT_H

#include <stdint.h>

struct ring;

uint64_t cut_start(const struct ring *ring, uint64_t pos);

#endif

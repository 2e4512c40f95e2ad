/* SPDX-License-Identifier: ISC */
/* escape.h - the key that leaves. */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

struct escape {
	struct loop *loop;
	int key;                /* the byte, or -1 */
	int timer;
	bool typed;             /* once, and held back */
	void (*leave)(void *arg);
	void *arg;
};

int escape_init(struct escape *e, struct loop *loop, int key, void (*leave)(void *arg), void *arg);
size_t escape_take(struct escape *e, uint8_t *keys, size_t len);

#endif

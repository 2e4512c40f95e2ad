// SPDX-License-Identifier: ISC
/*
 * escape.c - the key that leaves.
 *
 * As in vm-console: it leaves when it stays alone for a moment or another key follows, and stands for
 * itself when it is typed twice.
 */
#include "escape.h"

#include "util.h"

enum { ESCAPE_WAIT = 500 };     /* ms in which the second press must come */

static void on_timer(void *arg, uint32_t events)
{
	struct escape *e = arg;

	(void)events;
	if (e->typed)
		e->leave(e->arg);
}

/**
 * escape_init() - look for a key
 * @e: filled in
 * @loop: where to wait
 * @key: 0-255, or -1 for none
 * @leave, @arg: called when it was typed; may end everything
 * Return: 0 or -errno.
 */
int escape_init(struct escape *e, struct loop *loop, int key, void (*leave)(void *arg), void *arg)
{
	*e = (struct escape){ .loop = loop, .key = key, .timer = -1, .leave = leave, .arg = arg };
	if (key >= 0)
		e->timer = loop_timer(loop, on_timer, e);
	return key >= 0 ? MIN(e->timer, 0) : 0;
}

/**
 * escape_take() - look through what was typed
 * @e: with a key
 * @keys: left with those that go on
 * @len: how many
 * Return: how many go on.
 */
size_t escape_take(struct escape *e, uint8_t *keys, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		bool is = keys[i] == e->key;

		if (is && !e->typed) {
			e->typed = true;
			loop_timer_set(e->loop, e->timer, ESCAPE_WAIT);
			continue;
		}
		if (e->typed && !is) {
			e->leave(e->arg);
			return n;
		}
		e->typed = false;
		keys[n++] = keys[i];
	}
	return n;
}

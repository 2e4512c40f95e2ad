// SPDX-License-Identifier: ISC
/*
 * port.c - where a guest's terminal port leads: the console's hub, the log, or nowhere.
 *
 * A guest has two terminal ports, hvc0 and ttyS0. One is the console; what the other prints goes to
 * --log-console, best effort: a log that takes nothing (a full pipe) loses bytes and never
 * holds the guest up.
 */
#include "port.h"

#include <stdint.h>

#include "hub.h"
#include "util.h"

static size_t hub_port_room(void *arg)
{
	return hub_room(arg);
}

static void hub_port_write(void *arg, const void *buf, size_t len)
{
	hub_write(arg, buf, len);
}

static void hub_port_flush(void *arg)
{
	hub_flush(arg);
}

static size_t hub_port_input(void *arg, void *buf, size_t len)
{
	return hub_input(arg, buf, len);
}

static void hub_port_is_up(void *arg)
{
	hub_port_up(arg);
}

/** port_to_hub() - the port is the console. @hub: borrowed. Return: its sink. */
struct port_sink port_to_hub(struct hub *hub)
{
	return (struct port_sink){
		hub_port_room, hub_port_write, hub_port_flush, hub_port_input, hub_port_is_up, hub,
	};
}

/* Linux's hvc driver takes ^O for SysRq where it is the kernel's console, and two for one. */
static size_t hvc_input(void *arg, void *buf, size_t len)
{
	const uint8_t sysrq = 0x0f;
	uint8_t *to = buf, typed[256];
	size_t n, i;

	if (len < 2)    /* no driver of Linux's */
		return hub_input(arg, buf, len);
	n = hub_input(arg, typed, MIN(len / 2, sizeof(typed)));
	for (i = 0; i < n; i++) {
		if (typed[i] == sysrq)
			*to++ = sysrq;
		*to++ = typed[i];
	}
	return (size_t)(to - (uint8_t *)buf);
}

/** port_to_hub_hvc() - the port is the console, hvc0 in the guest. @hub: borrowed. Return: sink. */
struct port_sink port_to_hub_hvc(struct hub *hub)
{
	struct port_sink sink = port_to_hub(hub);

	sink.input = hvc_input;
	return sink;
}

static size_t log_room(void *arg)
{
	(void)arg;
	return 64 << 10;
}

static void log_write(void *arg, const void *buf, size_t len)
{
	int *fd = arg;

	if (*fd >= 0 && write(*fd, buf, len) < 0) {
		/* A log that is full or gone is no reason to trouble the guest. */
	}
}

static void log_flush(void *arg)
{
	(void)arg;
}

static size_t log_input(void *arg, void *buf, size_t len)
{
	(void)arg;
	(void)buf;
	(void)len;
	return 0;
}

/** port_to_log() - the port is the other one. @fd: borrowed, never blocks; -1: no log. */
struct port_sink port_to_log(int *fd)
{
	return (struct port_sink){ log_room, log_write, log_flush, log_input, NULL, fd };
}

/* SPDX-License-Identifier: ISC */
/* port.h - where a guest's terminal port leads: the console's hub, the log, or nowhere. */
#ifndef PORT_H
#define PORT_H

#include <stddef.h>

/* The host's side of a port; called as the worker that serves the port. */
struct port_sink {
	size_t (*room)(void *arg);      /* bytes that may be written now; 0: wait to be told */
	void (*write)(void *arg, const void *buf, size_t len);
	void (*flush)(void *arg);       /* the guest has its buffers back: pass on what was written */
	size_t (*input)(void *arg, void *buf, size_t len);      /* returns bytes put in buf */
	void (*up)(void *arg);          /* the guest's driver is there */
	void *arg;
};

struct hub;

struct port_sink port_to_hub(struct hub *hub);
struct port_sink port_to_hub_hvc(struct hub *hub);
struct port_sink port_to_log(int *fd);

#endif

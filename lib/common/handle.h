/* SPDX-License-Identifier: ISC */
/* handle.h - find a VM and talk to it. */
#ifndef HANDLE_H
#define HANDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "msg.h"

struct vm_link {
	int sock;               /* connected control socket, ours alone */
	bool stdin_is_handle;   /* fd 0 is the handle pipe: its end is the VM's, not ours to read */
	char handle[4096];      /* the path, or "fd:N" */
};

#define VM_LINK_INIT { .sock = -1 }

int handle_open(struct vm_link *link, const char *spec, char *err, size_t errsize);
int handle_read_line(int fd, char *line, size_t size);
void handle_keep_private(void);

int ctl_call(int sock, struct msg *request, struct msg *reply, char *err, size_t errsize);

#endif

/* SPDX-License-Identifier: ISC */
/* vpath.h - vsock through sockets in the file system, the way Firecracker does it. */
#ifndef VPATH_H
#define VPATH_H

#include <stddef.h>

struct vm;
struct vpath;

struct vpath *vpath_open(struct vm *vm, const char *path, char *err, size_t errsize);
void vpath_free(struct vpath *p);
int vpath_dir(const struct vpath *p);

#endif

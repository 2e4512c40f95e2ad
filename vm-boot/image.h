/* SPDX-License-Identifier: ISC */
/* image.h - the kernel and initrd that vm-image built. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stddef.h>

struct vm_config;

void image_open(struct vm_config *c, const char *name);
int config_open_file(const char *spec, const char *what, char *path, size_t pathsize);

#endif

/* SPDX-License-Identifier: ISC */
/* file.h - read a small file whole. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <sys/types.h>

ssize_t file_read(const char *path, char *buf, size_t size);

#endif

/* SPDX-License-Identifier: ISC */
/* parse.h - the texts that pid 1 reads: kernel command line, list of modules, list of mounts. */
#ifndef PARSE_H
#define PARSE_H

#include <stdbool.h>
#include <stddef.h>

bool parse_console(const char *cmdline, char *name, size_t size);
bool parse_active(const char *active, char *name, size_t size);
bool parse_module(char **text, char **path, char **params);
bool parse_mount(char **text, char **dir, char **type);

#endif

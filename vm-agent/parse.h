/* SPDX-License-Identifier: ISC */
/* parse.h - the texts that pid 1 reads: kernel command line, list of modules, list of mounts. */
#ifndef PARSE_H
#define PARSE_H

#include <stdbool.h>
#include <stddef.h>

bool parse_console(const char *cmdline, char *name, size_t size);
bool parse_active(const char *active, char *name, size_t size);
/* A line of the list of modules; all of it lies in the text. */
struct parsed_module {
	char *patterns;		/* words: parse_word(); "": there are none */
	char *path;		/* "" when the line has none */
	char *params;		/* "" when there are none */
};

char *parse_word(char **line);
bool parse_module(char **text, struct parsed_module *module);
bool parse_matches(const char *pattern, const char *alias);
bool parse_mount(char **text, char **dir, char **type);

#endif

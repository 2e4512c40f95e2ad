/* SPDX-License-Identifier: ISC
 * The lab's console and the errors of its programs: lines, searched for the signs of a lab that is lost. */
#ifndef LAB_WATCH_H
#define LAB_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct watch {
	char line[512], last[512];	/* the line being read; the last one that was not empty */
	size_t len;
	bool verbose;			/* copy everything to stderr */
};

/* Read what fd has and look at its lines. Return: NULL, or the line that says that the lab is lost, or "" at end of
 * file; valid until the next call. */
const char *watch_read(struct watch *w, int fd);

#endif

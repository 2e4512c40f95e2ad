/* SPDX-License-Identifier: ISC */
/* report.h - the records that tell a client how its command is. */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>
#include <sys/types.h>

struct wire_out;

void report_started(struct wire_out *w, pid_t pid);
void report_failed(struct wire_out *w, unsigned int status, const char *text);
void report_exit(struct wire_out *w, int status, uint32_t streams, uint64_t out, uint64_t err);
void report_refusal(int fd, const char *why);

#endif

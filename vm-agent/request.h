/* SPDX-License-Identifier: ISC */
/* request.h - what a client wants run: the `exec` record, checked and copied. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

struct identity;
struct wire_record;

struct request {
	char **argv;			/* NULL-terminated; all strings of a request lie in @text */
	char **env;			/* NULL-terminated, the client's alone */
	const char *cwd;		/* NULL: the user's home */
	const char *user;		/* NULL: the server's own */
	uint32_t streams;		/* bits 1 << enum proto_stream */
	uint32_t flags;
	struct winsize size;		/* of the tty; 0: not told */
	char *text;
};

int request_parse(struct request *r, const struct wire_record *record, const char **why);
void request_free(struct request *r);
char **request_environment(struct request *r, const struct identity *id);
int request_signal(const char *name);
void request_size(struct winsize *size, const struct wire_record *record);

#endif

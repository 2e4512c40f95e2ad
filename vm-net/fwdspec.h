/* SPDX-License-Identifier: ISC */
/* fwdspec.h - what a port forward is to do, in words. */
#ifndef FWDSPEC_H
#define FWDSPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum {
	FWDSPEC_PATH = 108,             /* bytes that hold a socket's path, as in struct sockaddr_un */
	FWDSPEC_TEXT = 192,             /* bytes that hold any spec */
	FWDSPEC_PORTS = 1024,           /* in a range */
};

struct fwdspec {
	bool udp;
	bool both;                      /* 127.0.0.1 and ::1; else @addr */
	struct addr addr;
	uint16_t host, guest, count;    /* ports; host 0: any, count 1 */
	char path[FWDSPEC_PATH];        /* of a UNIX socket instead of all that; else empty */
};

int fwdspec_parse(const char *text, struct fwdspec *f, char *err, size_t errsize);
char *fwdspec_format(const struct fwdspec *f, char text[FWDSPEC_TEXT]);

#endif

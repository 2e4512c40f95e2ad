/* SPDX-License-Identifier: ISC */
/* hostsock.h - sockets of the host: their addresses, and taking connections. */
#ifndef HOSTSOCK_H
#define HOSTSOCK_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "addr.h"

struct hostsock_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un path;
	};
	socklen_t len;
};

void hostsock_addr(struct hostsock_addr *to, const struct addr *a, uint16_t port);
int hostsock_path(struct hostsock_addr *to, const char *path);
int hostsock_anywhere(const struct addr *a, int type, uint16_t *port);
int hostsock_accept(int listener, int *spare);
int hostsock_spare(void);

#endif

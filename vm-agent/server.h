/* SPDX-License-Identifier: ISC */
/* server.h - exec connections: accepts them, ties them to sessions. */
#ifndef SERVER_H
#define SERVER_H

int server_run(int listener, int family);

#endif

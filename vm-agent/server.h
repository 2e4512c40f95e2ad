/* SPDX-License-Identifier: ISC */
/* server.h - exec connections: accepts them, ties them to sessions. */
#ifndef SERVER_H
#define SERVER_H

struct life_config;

int server_run(int listener, int family, const struct life_config *life);

#endif

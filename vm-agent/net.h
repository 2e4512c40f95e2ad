/* SPDX-License-Identifier: ISC */
/* net.h - give the machine's network cards the addresses that the host has told. */
#ifndef NET_H
#define NET_H

struct config;

void net_configure(const struct config *c);
void net_change(const char *text);

#endif

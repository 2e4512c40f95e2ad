/* SPDX-License-Identifier: ISC */
/* qnet.h - between a network card that QEMU has and its peer. */
#ifndef QNET_H
#define QNET_H

#include <stdbool.h>

struct net_counts;
struct qnet;
struct worker;

struct qnet *qnet_new(struct worker *w, int *fd, int event, void (*lost)(void *arg), void *arg);
void qnet_free(struct qnet *q);
int qnet_attach(void *qnet, int *fd);
void qnet_counts(void *qnet, struct net_counts *counts);
bool qnet_up(const struct qnet *q);

#endif

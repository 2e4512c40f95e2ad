/* SPDX-License-Identifier: ISC */
/* qport.h - a terminal port that QEMU has, seen from the host. */
#ifndef QPORT_H
#define QPORT_H

#include "port.h"

struct qport;
struct worker;

struct qport *qport_new(struct worker *w, int *fd, const struct port_sink *sink, int printed);
void qport_listens(struct qport *p);
void qport_input(void *port);
void qport_room(void *port);
void qport_finish(struct qport *p);
void qport_free(struct qport *p);

#endif

/* SPDX-License-Identifier: ISC */
/* qmp.h - QEMU's monitor: commands out, answers and events in. */
#ifndef QMP_H
#define QMP_H

#include <stddef.h>

struct qmp;

/* Told while qmp_read() or qmp_run() reads; @line is the whole message. */
struct qmp_handler {
	void (*event)(void *arg, const char *name, const char *line, size_t len);
	void (*reply)(void *arg, unsigned int id, const char *line, size_t len);
	void *arg;
};

/* Another connection of QEMU's, which has to be served before it obeys its monitor. */
struct qmp_beside {
	int fd;
	int (*serve)(void *arg);        /* it is readable. Return: 0; -errno when it is over */
	void *arg;
};

struct qmp *qmp_new(int *sock, const struct qmp_handler *handler);
void qmp_free(struct qmp *m);
int qmp_fd(const struct qmp *m);
int qmp_greet(struct qmp *m, int msec, const struct qmp_beside *beside);
int qmp_read(struct qmp *m);
int qmp_send(struct qmp *m, const char *command, const char *arguments);
int qmp_run(struct qmp *m, const char *command, int msec);

#endif

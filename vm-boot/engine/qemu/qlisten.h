/* SPDX-License-Identifier: ISC */
/* qlisten.h - find out when the guest's serial driver takes input. */
#ifndef QLISTEN_H
#define QLISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct qmp;
struct qport;

struct qlisten {
	struct loop *loop;
	struct qmp *qmp;
	struct qport *port;
	int printed, printed_id;        /* eventfd: output came, and nobody listens yet */
	int timer;
	uint64_t msec;                  /* until the next question */
	unsigned int question;          /* number of the question under way, 0: none */
	bool done;
};

#define QLISTEN_INIT { .printed = -1, .printed_id = -1, .timer = -1 }

int qlisten_init(struct qlisten *l, struct loop *loop);
void qlisten_start(struct qlisten *l, struct qmp *qmp, struct qport *port);
void qlisten_reply(struct qlisten *l, unsigned int id, const char *line, size_t len);
void qlisten_stop(struct qlisten *l);
void qlisten_free(struct qlisten *l);

#endif

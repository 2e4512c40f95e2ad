/* SPDX-License-Identifier: ISC */
/* sendq.h - bytes on their way to a peer that takes them when it likes. */
#ifndef SENDQ_H
#define SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sendq {
	uint8_t *data;          /* what was not taken yet; NULL: nothing waits */
	size_t at, len;
};

int sendq_put(struct sendq *q, int fd, const void *data, size_t len, size_t most);
int sendq_flush(struct sendq *q, int fd);
void sendq_drop(struct sendq *q);

#endif

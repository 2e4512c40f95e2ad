/* SPDX-License-Identifier: ISC */
/* mirror.h - descriptors that somebody names anew each turn, watched by epoll, which hears of changes alone. */
#ifndef MIRROR_H
#define MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What its owner says of a descriptor that is open. */
struct mirror_mark {
	const void *of;                 /* NULL: nothing */
	uint16_t number;
};

/* What is known of a descriptor, by its number. */
struct mirrored {
	uint32_t wanted, watched;       /* EPOLL bits; watched: as the kernel has it, 0: not at all */
	uint32_t revents;
	uint32_t turn;                  /* the last in which it was wanted */
	bool open, listed;              /* open: mirror_opened() was told of it */
	struct mirror_mark mark;
};

struct mirror {
	int epfd;                       /* to be watched for EPOLLIN */
	unsigned int changes;           /* calls of epoll_ctl() */

	/* mirror.c's */
	uint32_t turn;
	struct mirrored *fd;
	int *listed;                    /* those that are open or watched, newer ones behind older ones */
	size_t fds, listed_n;
};

int mirror_init(struct mirror *m);
void mirror_free(struct mirror *m);
void mirror_begin(struct mirror *m);
int mirror_want(struct mirror *m, int fd, uint32_t events);
void mirror_end(struct mirror *m);
int mirror_collect(struct mirror *m, int happened[], int max);
uint32_t mirror_happened(const struct mirror *m, int fd);
uint32_t mirror_wanted(const struct mirror *m, int fd);
void mirror_settled(struct mirror *m, const int happened[], int n);
int mirror_opened(struct mirror *m, int fd);
struct mirror_mark *mirror_mark(struct mirror *m, int fd);
void mirror_closing(struct mirror *m, int fd);

#endif

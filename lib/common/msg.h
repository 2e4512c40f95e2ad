/* SPDX-License-Identifier: ISC */
/* msg.h - packets of words and descriptors: the control protocol's only shape. */
#ifndef MSG_H
#define MSG_H

#include <stdbool.h>
#include <stddef.h>

enum {
	MSG_SIZE = 4096,        /* bytes of a packet, words and the NULs between them */
	MSG_WORDS = 128,
	MSG_FDS = 16,
};

struct msg {
	size_t len;
	int words;
	int fds;
	bool overflow;          /* a word or descriptor did not fit: msg_send() refuses */
	char *word[MSG_WORDS];
	int fd[MSG_FDS];
	char buf[MSG_SIZE + 1];
};

void msg_init(struct msg *m);
void msg_drop(struct msg *m);
void msg_add(struct msg *m, const char *word);
void msg_addf(struct msg *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void msg_add_fd(struct msg *m, int *fd);
int msg_take_fd(struct msg *m, int i);
int msg_send(int sock, struct msg *m);
int msg_recv(int sock, struct msg *m, bool wait);

#endif

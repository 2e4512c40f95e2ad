/* SPDX-License-Identifier: ISC */
/* fds.h - how many descriptors a server may have, and what it does when they run out. */
#ifndef FDS_H
#define FDS_H

void fds_raise_limit(void);
int fds_accept(int listener, int *spare);

#endif

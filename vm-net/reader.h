/* SPDX-License-Identifier: ISC */
/* reader.h - open one file again, whenever asked, from a process that can open none. */
#ifndef READER_H
#define READER_H

struct loop;
struct reader;

/* The file, open for reading, consumed; or -errno. */
typedef void reader_fn(void *arg, int fd);

struct reader *reader_new(struct loop *loop, const char *path, reader_fn *fn, void *arg);
void reader_ask(struct reader *r);
void reader_free(struct reader *r);

#endif

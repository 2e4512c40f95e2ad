/* SPDX-License-Identifier: ISC */
/* rundir.h - the runtime directory: one locked directory per named VM. */
#ifndef RUNDIR_H
#define RUNDIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct rundir {
	int base;               /* the directory of all VMs */
	int dir;                /* this VM's, locked while we live */
	char name[65];          /* starts with a dot until published */
	char path[PATH_MAX];    /* base directory, absolute */
};

#define RUNDIR_INIT { .base = -1, .dir = -1 }

typedef void rundir_visit(const char *name, const char *handle, void *arg);

bool rundir_name_ok(const char *name);
int rundir_base(struct rundir *r, bool create, char *err, size_t errsize);
int rundir_make(struct rundir *r);
int rundir_publish(struct rundir *r, const char *name);
int rundir_list(struct rundir *r, rundir_visit *visit, void *arg);
int rundir_take_exit(struct rundir *r, const char *name, char *text, size_t size);
void rundir_remove(struct rundir *r, bool keep_exit);
void rundir_close(struct rundir *r);
int rundir_bind(int dirfd, const char *file, int type);
int rundir_connect(int dirfd, const char *file, int type);

#endif

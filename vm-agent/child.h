/* SPDX-License-Identifier: ISC */
/* child.h - the process that becomes a command. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct identity;
struct request;

/* How far it came; what it tells when it comes no further. */
enum child_stage {
	CHILD_FORK,
	CHILD_SETUP,			/* descriptors, terminal */
	CHILD_LIMITS,
	CHILD_USER,
	CHILD_CWD,
	CHILD_EXEC,
	CHILD_INTERPRETER,		/* the file is there, what it needs is not */
	CHILD_STAGE_COUNT
};

/* The other ends of its stdio; -1: /dev/null. With a tty all three are its slave. */
struct child_stdio {
	int fd[3];
	bool tty;
	bool foreground;		/* of the caller's session, on its terminal: a job of it */
};

/* What its status pipe carries, at most one. End of file without one: the command runs. */
struct child_failure {
	int32_t stage;			/* enum child_stage */
	int32_t error;			/* errno, positive */
};

void child_prepare(void);
void child_close_above(int first);
pid_t child_start(const struct request *r, const struct identity *id, const struct child_stdio *io,
		  int *status);
int child_explain(const struct child_failure *f, const struct request *r, const struct identity *id,
		  char *text, size_t size);
size_t child_vitals(int err, char *text, size_t size);

#endif

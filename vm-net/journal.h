/* SPDX-License-Identifier: ISC */
/* journal.h - the log of decisions and flows: one JSON object a line. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "fdio.h"
#include "flow.h"
#include "policy.h"

enum { JOURNAL_BUFFER = 64 << 10 };

struct journal {
	struct fdio io;                 /* fd -1: nobody wants to know */
	size_t len;
	uint64_t lines, dropped;
	char buf[JOURNAL_BUFFER];
};

int journal_open(struct journal *j, int fd);
void journal_close(struct journal *j);
void journal_flow(struct journal *j, const struct flow_key *key, const struct policy_verdict *v);
void journal_name(struct journal *j, const char *name, const struct policy_verdict *v);
void journal_end(struct journal *j, const struct flow *f, const char *name, enum flow_end why, uint64_t now);
void journal_flush(struct journal *j);

/** journal_wanted() - whether lines go anywhere. @j. Return: so. */
static inline bool journal_wanted(const struct journal *j)
{
	return j->io.fd >= 0;
}

#endif

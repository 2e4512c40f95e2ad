/* SPDX-License-Identifier: ISC */
/* session.h - a shell on the console with our helper in it. */
#ifndef SESSION_H
#define SESSION_H

#include "pump.h"
#include "record.h"

enum {
	SESSION_CHUNK_MAX = 32 << 10,   /* bytes of output in a record; powers of two */
	SESSION_CHUNK_MIN = 1 << 10,
};

enum session_state { SESSION_AWAY, SESSION_LOADING, SESSION_READY, SESSION_BUSY };

struct session {
	struct pump *p;
	enum session_state state;
	char nonce[9];
	size_t chunk;           /* bytes of output to ask for at a time: a power of two */
	uint64_t since;         /* when we last sent, or a record went on */
	bool spoilt;            /* a record came that was none of ours; whoever minds resets it */
	struct record_reader reader;
};

int session_open(struct session *s);
int session_close(struct session *s);
void session_abandon(struct session *s);
int session_type(struct session *s, const char *text);
int session_say(struct session *s, const char *request);
int session_ask(struct session *s, const char *request, const char *ops, const char *first,
		struct record *rec);
int session_next(struct session *s, int64_t quiet, struct record *rec);
int session_expect(struct session *s, int64_t quiet, const char *ops, const char *first,
		   struct record *rec);
bool session_is(const struct record *rec, const char *ops, const char *first);
int session_fail(struct session *s, const char *why);

#endif

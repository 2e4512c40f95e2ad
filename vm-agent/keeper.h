/* SPDX-License-Identifier: ISC */
/* keeper.h - the main command of a machine whose init is not ours. */
#ifndef KEEPER_H
#define KEEPER_H

struct request;

enum keeper_state {
	KEEPER_NONE,			/* no command was started in this boot */
	KEEPER_RUNS,
	KEEPER_ENDED
};

enum keeper_state keeper_look(int *status);
int keeper_watch(void);
int keeper_start(struct request *r);

#endif

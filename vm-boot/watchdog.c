// SPDX-License-Identifier: ISC
/*
 * watchdog.c - the end of a VM whose agent has fallen silent (--watchdog).
 *
 * Once the agent has greeted, it is asked for a sign of life four times in the time it has: silence is five questions
 * without an answer, whether they were not answered or there was no link to ask by. Questions are counted and not
 * time, so that what passes while vm-boot itself, or its guest, is stopped counts for nothing.
 */
#include "watchdog.h"

#include <stdlib.h>

#include "agent.h"
#include "log.h"
#include "loop.h"
#include "vm.h"

enum { QUESTIONS = 4 };

struct watchdog {
	struct vm *vm;
	int timer;
	uint64_t asked, answered;       /* cookies: questions are numbered from 1 */
};

static void on_turn(void *arg, uint32_t events)
{
	struct watchdog *w = arg;
	struct vm *vm = w->vm;

	(void)events;
	if (vm->state == VM_ENDED)
		return;
	if (vm->state != VM_RUNNING || agent_state(vm->agent) == AGENT_ABSENT)
		w->answered = w->asked;
	else
		agent_ping(vm->agent, ++w->asked);
	if (w->asked - w->answered > QUESTIONS) {
		warn("the agent in the guest has been silent for %llu ms: ended",
		     (unsigned long long)vm->cfg.watchdog_msec);
		vm_ended(vm, CAUSE_AGENT_LOST);
		return;
	}
	loop_timer_set(vm->loop, w->timer, vm->cfg.watchdog_msec / QUESTIONS);
}

/** watchdog_answered() - the agent gave a sign of life. @w: or NULL. @cookie: what it says it was asked. */
void watchdog_answered(struct watchdog *w, uint64_t cookie)
{
	if (w && cookie > w->answered && cookie <= w->asked)
		w->answered = cookie;
}

/** watchdog_new() - watch over a VM. @vm: with a loop and a time to watch by. Return: it, or NULL. */
struct watchdog *watchdog_new(struct vm *vm)
{
	struct watchdog *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->vm = vm;
	w->timer = loop_timer(vm->loop, on_turn, w);
	if (w->timer < 0) {
		free(w);
		return NULL;
	}
	loop_timer_set(vm->loop, w->timer, vm->cfg.watchdog_msec / QUESTIONS);
	return w;
}

/** watchdog_free() - watch no more. @w: may be NULL. */
void watchdog_free(struct watchdog *w)
{
	if (!w)
		return;
	loop_timer_del(w->vm->loop, &w->timer);
	free(w);
}

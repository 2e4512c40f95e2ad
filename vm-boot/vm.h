/* SPDX-License-Identifier: ISC */
/* vm.h - one virtual machine: what it was asked to be, what it is, how it ended. */
#ifndef VM_H
#define VM_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "config.h"
#include "gmem.h"
#include "kernel.h"
#include "rundir.h"

struct agent;
struct engine;
struct hub;
struct loop;
struct net;
struct vpath;
struct vsock;
struct watchdog;
struct worker;
struct ctl;

enum vm_state { VM_CREATED, VM_RUNNING, VM_PAUSED, VM_STOPPING, VM_ENDED, VM_STATES };

enum vm_cause {
	CAUSE_NONE,
	CAUSE_POWEROFF,         /* the guest switched itself off */
	CAUSE_EXITED,           /* its main command ended */
	CAUSE_AGENT_LOST,       /* it did not tell how its main command ended, or fell silent (--watchdog) */
	CAUSE_AGENT_BROKEN,     /* likewise, after it sent what it must not */
	CAUSE_STOPPED,          /* somebody asked: stop, TERM, the reader left */
	CAUSE_REBOOT,           /* the guest's init announced it */
	CAUSE_RESET,            /* it did not */
	CAUSE_PANIC,
	CAUSE_TRIPLE_FAULT,
	CAUSE_KILLED,           /* kill, a second TERM, or a stop that took too long */
	CAUSE_TIMEOUT,
	CAUSE_FAILED,           /* the machine, not the guest */
	CAUSES,
	CAUSE_UNTOLD = CAUSES   /* no VM's, an engine's word: off because the main command ended, nobody was told how */
};

struct vm {
	struct vm_config cfg;
	struct kernel kernel;
	uint64_t initrd_addr;   /* where kernel_fit() puts the initrd */
	enum vm_state state;
	enum vm_cause cause;
	int status;             /* vm-boot's exit status, once ENDED */
	bool asked;             /* somebody asked for the end: power-off means stopped */
	bool in_user_namespace; /* peers of another uid, root too, look alike in there */
	time_t started;
	struct loop *loop;
	struct worker *devices;
	struct worker *streams; /* serves vsock */
	struct net *net;        /* or NULL */
	struct vsock *vsock;
	struct agent *agent;
	struct watchdog *watchdog;      /* or NULL */
	struct vpath *vpath;    /* or NULL */
	struct hub *hub;
	struct gmem mem;
	struct rundir rundir;
	struct ctl *ctl;
	const struct engine *engine;
	void *engine_data;
	int log_fd;             /* the other port's output, -1: thrown away */
	int notify_fd;          /* service manager, -1: none */
	int boot_event;         /* eventfd: the worker tells that the console is up */
	int drain_event;        /* eventfd: the worker tells that every reader has all */
	int grace_timer, timeout_timer, drain_timer;
	int parent_id;          /* watch on who started us, -1: none */
	uint64_t grace_msec;    /* left, in STOPPING */
	bool drained;           /* in ENDED: readers have all */
	bool told;              /* a client's wait was answered with how it ended */
	void (*booted)(struct vm *vm);  /* called once, or NULL */
};

const char *vm_state_name(enum vm_state s);
const char *vm_cause_name(enum vm_cause c);

int vm_init(struct vm *vm);
int vm_start(struct vm *vm);
void vm_ended(struct vm *vm, enum vm_cause cause);
void vm_stop(struct vm *vm, uint64_t grace_msec);
void vm_kill(struct vm *vm);
int vm_pause(struct vm *vm);
int vm_resume(struct vm *vm);
void vm_left(struct vm *vm);
bool vm_booted(const struct vm *vm);
void vm_free(struct vm *vm);

#endif

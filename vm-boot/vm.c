// SPDX-License-Identifier: ISC
/*
 * vm.c - the life of one virtual machine.
 *
 *	CREATED		everything is there, nothing runs
 *	RUNNING		the guest runs
 *	PAUSED		it does not, and can go on
 *	STOPPING	somebody asked for its end: the power button was pressed, the grace period runs
 *	ENDED		no guest instruction any more; @cause says why; readers get the rest
 *
 *	CREATED  --vm_start--> RUNNING <--vm_pause/vm_resume--> PAUSED
 *	RUNNING, PAUSED  --vm_stop--> STOPPING
 *	any of them  --vm_ended, vm_kill--> ENDED
 *
 * The end is told once. What the guest does (power-off, reset, panic) comes from the engine; what
 * others ask for (stop, kill, time-out) from the control socket, signals and descriptors. The first
 * to arrive names the cause, except that a power-off somebody asked for is called `stopped`.
 */
#include "vm.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "agent.h"
#include "ctl.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "loop.h"
#include "net.h"
#include "notify.h"
#include "util.h"
#include "virtio_vsock.h"
#include "vpath.h"
#include "watchdog.h"
#include "worker.h"

/* How long readers may take for the last bytes. */
enum { DRAIN_MSEC = 5000, BUTTON_MSEC = 500 };

static const char *const state_names[] = {
	[VM_CREATED] = "created",
	[VM_RUNNING] = "running",
	[VM_PAUSED] = "paused",
	[VM_STOPPING] = "stopping",
	[VM_ENDED] = "ended",
};
_Static_assert(ARRAY_SIZE(state_names) == VM_STATES, "a name for every state");

static const struct {
	const char *name;
	int status;
} causes[] = {
	[CAUSE_NONE] = { "none", 125 },
	[CAUSE_POWEROFF] = { "poweroff", 0 },
	[CAUSE_EXITED] = { "exited", 0 },
	[CAUSE_AGENT_LOST] = { "agent-lost", 125 },
	[CAUSE_AGENT_BROKEN] = { "agent-broken", 125 },
	[CAUSE_STOPPED] = { "stopped", 0 },
	[CAUSE_REBOOT] = { "reboot", 125 },
	[CAUSE_RESET] = { "reset", 125 },
	[CAUSE_PANIC] = { "panic", 125 },
	[CAUSE_TRIPLE_FAULT] = { "triple-fault", 125 },
	[CAUSE_KILLED] = { "killed", 125 },
	[CAUSE_TIMEOUT] = { "timeout", 124 },
	[CAUSE_FAILED] = { "failed", 125 },
};
_Static_assert(ARRAY_SIZE(causes) == CAUSES, "a name and a status for every cause");

/** vm_state_name() - a state's word in the control protocol. @s. Return: static string. */
const char *vm_state_name(enum vm_state s)
{
	return state_names[s];
}

/** vm_cause_name() - a cause's word in the control protocol. @c. Return: static string. */
const char *vm_cause_name(enum vm_cause c)
{
	return causes[c].name;
}

static void tell_event(void *arg)
{
	int *fd = arg;
	uint64_t one = 1;

	if (write(*fd, &one, sizeof(one)) < 0)
		warn("cannot wake the main loop: %s", errstr(errno));
}

static void on_boot(void *arg, uint32_t events)
{
	struct vm *vm = arg;
	uint64_t n;

	(void)events;
	if (read(vm->boot_event, &n, sizeof(n)) < 0)
		return;
	ctl_tell_booted(vm->ctl);
	if (vm->cfg.ready_fd >= 0) {
		if (write(vm->cfg.ready_fd, "ready\n", 6) < 0)
			debug("ready descriptor: %s", errstr(errno));
		cleanup_fd(&vm->cfg.ready_fd);
	}
	if (vm->booted)
		vm->booted(vm);
}

static void on_dialled(void *arg, uint32_t events)
{
	struct vm *vm = arg;
	struct vsock_result result;
	uint64_t n;

	(void)events;
	if (read(vsock_event(vm->vsock), &n, sizeof(n)) < 0)
		return;
	while (vsock_result(vm->vsock, &result))
		ctl_tell_dialled(vm->ctl, &result);
	vm_left(vm);
}

/* Who plugged a network in is answered when the guest has its addresses, if it has an agent to set them. */
static void on_net(void *arg, uint32_t events)
{
	struct vm *vm = arg;
	struct net_news news;
	uint64_t n;

	(void)events;
	if (read(net_event(vm->net), &n, sizeof(n)) < 0)
		return;
	while (net_next_news(vm->net, &news)) {
		if (news.err)
			ctl_tell_plugged(vm->ctl, news.asker, news.err, news.why);
		else
			agent_net(vm->agent, news.i, news.words, news.answers ? &news.asker : NULL);
	}
	vm_left(vm);
}

static void on_drained(void *arg, uint32_t events)
{
	struct vm *vm = arg;
	uint64_t n;

	(void)events;
	if (read(vm->drain_event, &n, sizeof(n)) < 0)
		return;
	vm->drained = true;
	vm_left(vm);
}

static void on_drain_timeout(void *arg, uint32_t events)
{
	struct vm *vm = arg;

	(void)events;
	loop_stop(vm->loop);
}

static void on_grace(void *arg, uint32_t events)
{
	struct vm *vm = arg;

	(void)events;
	if (vm->state != VM_STOPPING)
		return;
	if (vm->grace_msec > BUTTON_MSEC) {
		/* A guest that was still starting may have missed the button. */
		vm->grace_msec -= BUTTON_MSEC;
		vm->engine->power_button(vm);
		loop_timer_set(vm->loop, vm->grace_timer, MIN(vm->grace_msec, BUTTON_MSEC));
		return;
	}
	warn("the guest did not stop in time: killed");
	vm_ended(vm, CAUSE_KILLED);
}

static void on_timeout(void *arg, uint32_t events)
{
	(void)events;
	warn("time is up");
	vm_ended(arg, CAUSE_TIMEOUT);
}

/**
 * vm_init() - the VM's loop, worker, console hub and timers
 * @vm: zeroed but for cfg, rundir, log_fd
 * Return: 0 or -errno; vm_free() either way.
 */
int vm_init(struct vm *vm)
{
	int id;

	vm->boot_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vm->drain_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vm->loop = loop_new();
	vm->devices = worker_new("devices");
	vm->streams = worker_new("vsock");
	if (vm->boot_event < 0 || vm->drain_event < 0 || !vm->loop || !vm->devices || !vm->streams)
		return -errno;
	vm->vsock = vsock_new(&vm->mem, vm->streams);
	if (!vm->vsock)
		return -errno;
	vm->agent = agent_new(vm);
	if (!vm->agent)
		return -ENOMEM;
	if (vm->cfg.nets && !(vm->net = net_new(vm->cfg.net, vm->cfg.nets)))
		return -ENOMEM;
	if (vm->cfg.watchdog_msec && !(vm->watchdog = watchdog_new(vm)))
		return -ENOMEM;
	vm->hub = hub_new(vm->devices);
	if (!vm->hub)
		return -ENOMEM;
	hub_set_up_hook(vm->hub, tell_event, &vm->boot_event);
	id = loop_add(vm->loop, vm->boot_event, EPOLLIN, on_boot, vm);
	if (id >= 0)
		id = loop_add(vm->loop, vm->drain_event, EPOLLIN, on_drained, vm);
	if (id >= 0)
		id = loop_add(vm->loop, vsock_event(vm->vsock), EPOLLIN, on_dialled, vm);
	if (id >= 0 && vm->net)
		id = loop_add(vm->loop, net_event(vm->net), EPOLLIN, on_net, vm);
	if (id >= 0)
		id = vm->grace_timer = loop_timer(vm->loop, on_grace, vm);
	if (id >= 0)
		id = vm->timeout_timer = loop_timer(vm->loop, on_timeout, vm);
	if (id >= 0)
		id = vm->drain_timer = loop_timer(vm->loop, on_drain_timeout, vm);
	return id < 0 ? id : 0;
}

/** vm_start() - threads, and the guest's first instruction. @vm: CREATED. Return: 0 or -errno. */
int vm_start(struct vm *vm)
{
	int err;

	assert(vm->state == VM_CREATED);
	err = worker_start(vm->devices);
	if (!err)
		err = worker_start(vm->streams);
	if (!err)
		err = net_start(vm->net);
	if (!err)
		err = vm->engine->start(vm);
	if (err)
		return err;
	vm->started = time(NULL);
	vm->state = VM_RUNNING;
	if (vm->cfg.timeout_msec)
		loop_timer_set(vm->loop, vm->timeout_timer, vm->cfg.timeout_msec);
	return 0;
}

/** vm_booted() - whether the guest's console driver came up. @vm. Return: so. */
bool vm_booted(const struct vm *vm)
{
	return hub_is_up(vm->hub);
}

static void write_status(struct vm *vm)
{
	char json[128];
	int n = snprintf(json, sizeof(json), "{\"cause\":\"%s\",\"status\":%d}\n",
			 vm_cause_name(vm->cause), vm->status);

	if (vm->cfg.status_fd >= 0 && write(vm->cfg.status_fd, json, (size_t)n) < 0)
		warn("status descriptor: %s", errstr(errno));
	cleanup_fd(&vm->cfg.status_fd);
}

/*
 * What a guest that switched itself off was to be and was. @untold: its main command ended, nobody heard how. One that is
 * told to end does not tell of its main command.
 */
static enum vm_cause judge_poweroff(struct vm *vm, bool untold)
{
	if (agent_exited(vm->agent, &vm->status))
		return CAUSE_EXITED;
	if (vm->asked)
		return CAUSE_STOPPED;
	if (!vm->cfg.command && !untold)
		return CAUSE_POWEROFF;
	return agent_broken(vm->agent) ? CAUSE_AGENT_BROKEN : CAUSE_AGENT_LOST;
}

/**
 * vm_ended() - the VM is over
 * @vm: any state; only the first call counts
 * @cause: why
 */
void vm_ended(struct vm *vm, enum vm_cause cause)
{
	if (vm->state == VM_ENDED)
		return;
	vm->cause = cause == CAUSE_POWEROFF || cause == CAUSE_UNTOLD ? judge_poweroff(vm, cause == CAUSE_UNTOLD) : cause;
	if (vm->cause != CAUSE_EXITED)
		vm->status = causes[vm->cause].status;
	vm->state = VM_ENDED;
	loop_timer_set(vm->loop, vm->grace_timer, 0);
	loop_timer_set(vm->loop, vm->timeout_timer, 0);
	vm->engine->halt(vm);
	vsock_end(vm->vsock);
	write_status(vm);
	ctl_tell_ended(vm->ctl);
	loop_timer_set(vm->loop, vm->drain_timer, DRAIN_MSEC);
	hub_drain(vm->hub, tell_event, &vm->drain_event);
}

/**
 * vm_left() - somebody who was connected left: perhaps the last one
 * @vm: any state
 *
 * A reader that saw the console's end still asks how the VM ended. So after the end we answer until
 * all have left, for as long as readers may take in all.
 */
void vm_left(struct vm *vm)
{
	if (vm->state == VM_ENDED && vm->drained && !ctl_busy(vm->ctl) && !vsock_busy(vm->vsock))
		loop_stop(vm->loop);
}

/**
 * vm_stop() - ask the guest to end, and end it if it does not
 * @vm: any state
 * @grace_msec: how long it may take; 0: no time at all
 */
void vm_stop(struct vm *vm, uint64_t grace_msec)
{
	if (vm->state == VM_ENDED || vm->state == VM_STOPPING)
		return;
	vm->asked = true;
	/* Nothing has started that could be stopped in order, or lose anything. The agent may be there before the console. */
	if (!vm_booted(vm) && agent_state(vm->agent) == AGENT_ABSENT) {
		vm_ended(vm, CAUSE_STOPPED);
		return;
	}
	if (!grace_msec) {
		vm_ended(vm, CAUSE_KILLED);
		return;
	}
	if (vm->state == VM_PAUSED)
		vm_resume(vm);
	vm->state = VM_STOPPING;
	notify_say(vm->notify_fd, "STOPPING=1");
	vm->grace_msec = grace_msec;
	if (!agent_stop(vm->agent))
		vm->engine->power_button(vm);
	loop_timer_set(vm->loop, vm->grace_timer, MIN(grace_msec, (uint64_t)BUTTON_MSEC));
}

/** vm_kill() - end the guest at once. @vm: any state. */
void vm_kill(struct vm *vm)
{
	vm_ended(vm, CAUSE_KILLED);
}

/** vm_pause() - stop the guest where it is. @vm. Return: 0; -EALREADY; -EINVAL; -errno. */
int vm_pause(struct vm *vm)
{
	int err;

	if (vm->state == VM_PAUSED)
		return -EALREADY;
	if (vm->state != VM_RUNNING)
		return -EINVAL;
	err = vm->engine->pause(vm);
	if (!err)
		vm->state = VM_PAUSED;
	return err;
}

/** vm_resume() - go on after vm_pause(). @vm. Return: 0; -EALREADY; -EINVAL; -errno. */
int vm_resume(struct vm *vm)
{
	int err;

	if (vm->state == VM_RUNNING)
		return -EALREADY;
	if (vm->state != VM_PAUSED)
		return -EINVAL;
	err = vm->engine->resume(vm);
	if (!err)
		vm->state = VM_RUNNING;
	return err;
}

/** vm_free() - give everything back. @vm: ENDED, or never started. */
void vm_free(struct vm *vm)
{
	if (vm->devices)
		worker_stop(vm->devices);
	if (vm->streams)
		worker_stop(vm->streams);
	net_stop(vm->net);
	ctl_free(vm->ctl);
	vm->ctl = NULL;
	if (vm->engine)
		vm->engine->free(vm);
	watchdog_free(vm->watchdog);
	agent_free(vm->agent);
	vpath_free(vm->vpath);
	vsock_free(vm->vsock);
	worker_free(vm->streams);
	net_free(vm->net);
	hub_free(vm->hub);
	worker_free(vm->devices);
	if (vm->loop) {
		loop_timer_del(vm->loop, &vm->grace_timer);
		loop_timer_del(vm->loop, &vm->timeout_timer);
		loop_timer_del(vm->loop, &vm->drain_timer);
	}
	loop_free(vm->loop);
	cleanup_fd(&vm->boot_event);
	cleanup_fd(&vm->drain_event);
	cleanup_fd(&vm->log_fd);
	cleanup_fd(&vm->notify_fd);
}

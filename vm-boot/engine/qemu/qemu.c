// SPDX-License-Identifier: ISC
/*
 * qemu.c - the qemu engine: a PC that qemu-system-x86_64 runs, by TCG or by its own KVM.
 *
 *	monitor		qmp.c		commands, events
 *	console, log	qport.c		the guest's terminal ports
 *	stderr		qerr.c		complaints
 *	network		qnet.c, qlink.c	frames; links
 *	vsock		vhost_user.c	the guest's driver's requests to our device model
 *	pidfd		here		its end
 *
 * The guest's end is the child's end. The monitor says beforehand why (SHUTDOWN, GUEST_PANICKED),
 * or the exit status does (exitport.h), and what nobody announced is a failure of the machine:
 *
 *	STOPPED --cont--> RUNS --event--> ENDING --the child ends, or is killed for being slow--> GONE
 *	                  RUNS --the child ends--> GONE
 *
 * QEMU is left to end by itself once it said that it will, so that what it holds for the guest's
 * disks is written. vm_ended() is called when it is gone, from the loop and from nowhere else.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "engine.h"
#include "exitport.h"
#include "hub.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "net.h"
#include "port.h"
#include "qchild.h"
#include "qerr.h"
#include "qlink.h"
#include "qlisten.h"
#include "qmp.h"
#include "qport.h"
#include "spawn.h"
#include "util.h"
#include "vhost_user.h"
#include "virtio_vsock.h"
#include "vm.h"

enum {
	GREET_MSEC = 20000,     /* a host under load starts QEMU slowly */
	COMMAND_MSEC = 5000,
	ENDING_MSEC = 5000,
	KILL_MSEC = 10000,
};

enum qemu_state { QEMU_STOPPED, QEMU_RUNS, QEMU_ENDING, QEMU_GONE };

struct qemu {
	struct vm *vm;
	enum qemu_state state;
	enum vm_cause cause;            /* ENDING: why */
	struct spawned child;
	int child_id;
	int ending_timer;
	struct qmp *qmp;
	int qmp_id;
	struct qport *console, *log;
	struct vhost_user *vsock;
	struct qerr err;
	struct qlisten listen;
	struct qlink link;
};

/* -- the end -- */

/* QEMU will end, or must: for this reason, unless another was told before. */
static void ending(struct qemu *q, enum vm_cause cause)
{
	if (q->state == QEMU_ENDING || q->state == QEMU_GONE)
		return;
	q->state = QEMU_ENDING;
	q->cause = cause;
	loop_timer_set(q->vm->loop, q->ending_timer, ENDING_MSEC);
}

static void distrust(struct qemu *q, int err)
{
	if (q->state == QEMU_RUNS)
		warn("qemu: its monitor cannot be followed: %s", errstr(err));
	ending(q, CAUSE_FAILED);
	spawn_kill(&q->child, SIGKILL);
}

static void on_slow_ending(void *arg, uint32_t events)
{
	struct qemu *q = arg;

	(void)events;
	debug("qemu: does not end by itself");
	spawn_kill(&q->child, SIGKILL);
}

static void on_shutdown(struct qemu *q, const char *line, size_t len)
{
	char reason[32];

	if (json_get(line, len, "data.reason", reason, sizeof(reason)) != JSON_STRING)
		strcpy(reason, "no reason given");
	if (!strcmp(reason, "guest-shutdown")) {
		ending(q, CAUSE_POWEROFF);
	} else if (!strcmp(reason, "guest-reset")) {
		ending(q, CAUSE_RESET);
	} else if (!strcmp(reason, "guest-panic")) {
		ending(q, CAUSE_PANIC);
	} else {
		warn("qemu: was ended from outside (%s)", reason);
		ending(q, CAUSE_FAILED);
	}
}

static void on_event(void *arg, const char *name, const char *line, size_t len)
{
	struct qemu *q = arg;

	debug("qemu: %s", name);
	if (!strcmp(name, "SHUTDOWN"))
		on_shutdown(q, line, len);
	else if (!strcmp(name, "GUEST_PANICKED"))
		ending(q, CAUSE_PANIC);
}

static void on_reply(void *arg, unsigned int id, const char *line, size_t len)
{
	struct qemu *q = arg;

	qlisten_reply(&q->listen, id, line, len);
}

/* -- the child -- */

static void on_qmp(void *arg, uint32_t events)
{
	struct qemu *q = arg;
	int err = qmp_read(q->qmp);

	(void)events;
	if (!err || err == -EAGAIN)
		return;
	loop_del(q->vm->loop, &q->qmp_id);
	/* The end of the connection is QEMU's end, which the child's descriptor is to show. */
	if (err == -EPIPE)
		loop_timer_set(q->vm->loop, q->ending_timer, ENDING_MSEC);
	else
		distrust(q, err);
}

/* Take what the dead child left; wait for it if it is about to die. @status: as spawn_reap(). */
static int bury(struct qemu *q, int *status)
{
	struct loop *loop = q->vm->loop;
	int err;

	loop_del(loop, &q->child_id);
	err = spawn_reap(&q->child, KILL_MSEC, status);
	q->state = QEMU_GONE;
	loop_timer_set(loop, q->ending_timer, 0);
	qlisten_stop(&q->listen);
	qlink_stop(&q->link);
	qerr_finish(&q->err);
	loop_del(loop, &q->qmp_id);
	return err;
}

static void on_child(void *arg, uint32_t events)
{
	struct qemu *q = arg;
	enum vm_cause cause;
	bool told;
	int status;

	(void)events;
	while (qmp_read(q->qmp) == 0)
		continue;
	told = q->state == QEMU_ENDING;
	cause = q->cause;
	if (bury(q, &status)) {
		status = -1;
		warn("qemu: its exit status is lost");
	}
	if (!told && status == EXITPORT_QEMU_STATUS(EXITPORT_REBOOT)) {
		cause = CAUSE_REBOOT;
	} else if (!told && status == EXITPORT_QEMU_STATUS(EXITPORT_UNTOLD)) {
		cause = CAUSE_UNTOLD;
	} else if (!told) {
		cause = CAUSE_FAILED;
		if (status >= 128)
			warn("qemu: was killed by signal %d", status - 128);
		else
			warn("qemu: ended by itself with status %d", status);
	}
	vm_ended(q->vm, cause);
}

/* -- set-up -- */

static int serve_ports(struct qemu *q, struct qends *e)
{
	struct vm *vm = q->vm;
	struct port_sink hub = port_to_hub(vm->hub), log = port_to_log(&vm->log_fd);
	struct hub_port port;

	q->console = qport_new(vm->devices, &e->console[0], &hub, q->listen.printed);
	if (!q->console)
		return -errno;
	if (e->log[0] >= 0 && !(q->log = qport_new(vm->devices, &e->log[0], &log, -1)))
		return -errno;
	port = (struct hub_port){ qport_input, qport_room, q->console };
	hub_set_port(vm->hub, &port);
	return 0;
}

static int watch_child(struct qemu *q)
{
	struct loop *loop = q->vm->loop;
	int err = qerr_watch(&q->err, loop);

	q->qmp_id = loop_add(loop, qmp_fd(q->qmp), EPOLLIN, on_qmp, q);
	q->child_id = loop_add(loop, q->child.pidfd, EPOLLIN, on_child, q);
	return err ? err : MIN(MIN(q->qmp_id, q->child_id), 0);
}

static int serve_vsock(struct qemu *q, struct qends *e)
{
	struct vm *vm = q->vm;

	q->vsock = vhost_user_new(&e->vsock[0], vsock_dev(vm->vsock), vm->streams);
	return q->vsock ? 0 : -errno;
}

static int on_vsock(void *arg)
{
	return vhost_user_serve(arg);
}

/* It makes its devices, for which it needs our answers, and then does as its monitor says. */
static int greet(struct qemu *q, char *err, size_t errsize)
{
	struct qmp_beside vsock = { vhost_user_fd(q->vsock), on_vsock, q->vsock };
	int ret = qmp_greet(q->qmp, GREET_MSEC, &vsock), status;

	if (!ret)
		return 0;
	if (ret == -EPIPE && spawn_reap(&q->child, COMMAND_MSEC, &status) == 0)
		qerr_first(&q->err, err, errsize);
	else if (ret == -ETIMEDOUT)
		snprintf(err, errsize, "qemu: did not start within %d s", GREET_MSEC / 1000);
	else
		snprintf(err, errsize, "qemu: its monitor cannot be followed: %s", errstr(ret));
	return -EIO;
}

static int qemu_setup(struct vm *vm, char *err, size_t errsize)
{
	struct qends ends = QENDS_INIT;
	struct qemu *q = calloc(1, sizeof(*q));
	struct qmp_handler handler = { on_event, on_reply, q };
	int ret;

	snprintf(err, errsize, "qemu: cannot set up the machine");
	if (!q)
		return -ENOMEM;
	*q = (struct qemu){
		.vm = vm, .child = SPAWNED_INIT, .child_id = -1, .ending_timer = -1, .qmp_id = -1,
		.err = QERR_INIT, .listen = QLISTEN_INIT, .link = QLINK_INIT,
	};
	vm->engine_data = q;
	ret = qlisten_init(&q->listen, vm->loop);
	if (!ret)
		ret = q->ending_timer = loop_timer(vm->loop, on_slow_ending, q);
	if (ret >= 0)
		ret = qends_make(&ends, vm->log_fd >= 0, net_interfaces(vm->net));
	if (!ret)
		ret = qchild_start(&q->child, &vm->cfg, &ends, err, errsize);
	if (ret)
		goto out;
	qends_close_theirs(&ends);
	q->err.fd = steal_fd(&ends.err[0]);
	q->qmp = qmp_new(&ends.monitor[0], &handler);
	ret = q->qmp ? serve_ports(q, &ends) : -ENOMEM;
	if (!ret)
		ret = serve_vsock(q, &ends);
	if (!ret)
		ret = qlink_init(&q->link, vm->loop, vm->net, ends.net);
	if (!ret)
		ret = greet(q, err, errsize);
	if (!ret)
		ret = watch_child(q);
out:
	qends_close(&ends);
	return ret;
}

/* -- the engine's verbs -- */

static int run(struct qemu *q, const char *command)
{
	int err = qmp_run(q->qmp, command, COMMAND_MSEC);

	if (err == -EBADMSG || err == -EMSGSIZE)
		distrust(q, err);
	return err;
}

static int qemu_start(struct vm *vm)
{
	struct qemu *q = vm->engine_data;
	int err;

	if (q->state != QEMU_STOPPED)
		return -ESHUTDOWN;      /* it said so during set-up */
	q->state = QEMU_RUNS;
	qlink_start(&q->link, q->qmp);
	err = run(q, "cont");
	if (!err)
		qlisten_start(&q->listen, q->qmp, q->console);
	return err;
}

/* Both wait, on the main loop, for up to COMMAND_MSEC: QEMU stops its CPUs within a moment. */
static int qemu_pause(struct vm *vm)
{
	return run(vm->engine_data, "stop");
}

static int qemu_resume(struct vm *vm)
{
	return run(vm->engine_data, "cont");
}

static void qemu_power_button(struct vm *vm)
{
	struct qemu *q = vm->engine_data;
	int err = qmp_send(q->qmp, "system_powerdown", NULL);

	if (err == -EPIPE || err == -ECONNRESET)
		debug("qemu: power button: it is ending by itself");    /* which watch_child() hears */
	else if (err < 0)
		warn("qemu: power button: %s", errstr(err));
}

static int qemu_console_size(struct vm *vm, uint16_t cols, uint16_t rows)
{
	(void)vm;
	(void)cols;
	(void)rows;
	return -ENOTSUP;
}

static void qemu_halt(struct vm *vm)
{
	struct qemu *q = vm->engine_data;
	int status;

	if (q->state != QEMU_GONE) {
		spawn_kill(&q->child, SIGKILL);
		if (bury(q, &status))
			warn("qemu: does not die");
	}
	qport_finish(q->console);
	if (q->log)
		qport_finish(q->log);
}

static void qemu_free(struct vm *vm)
{
	struct qemu *q = vm->engine_data;
	int status;

	if (!q)
		return;
	if (q->child.pidfd >= 0) {
		loop_del(vm->loop, &q->child_id);
		spawn_kill(&q->child, SIGKILL);
		spawn_reap(&q->child, KILL_MSEC, &status);
		cleanup_fd(&q->child.pidfd);
	}
	loop_del(vm->loop, &q->qmp_id);
	loop_timer_del(vm->loop, &q->ending_timer);
	qmp_free(q->qmp);
	qport_free(q->console);
	qport_free(q->log);
	qlink_free(&q->link);
	vhost_user_free(q->vsock);
	qlisten_free(&q->listen);
	qerr_free(&q->err);
	free(q);
	vm->engine_data = NULL;
}

const struct engine engine_qemu = {
	.name = "qemu",
	.setup = qemu_setup,
	.start = qemu_start,
	.pause = qemu_pause,
	.resume = qemu_resume,
	.power_button = qemu_power_button,
	.console_size = qemu_console_size,
	.halt = qemu_halt,
	.free = qemu_free,
};

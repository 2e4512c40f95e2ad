// SPDX-License-Identifier: ISC
/*
 * main.c - vm-boot: the machine.
 *
 * Its life: read the command line and open what it names; part from the process that was started
 * (-d, --with); take a name; set the engine up; confine; say ready; run; clean up; exit with how it
 * ended. Lifetimes are descriptors: the reader of stdout, an inherited control socket, the parent
 * that waits for us; the end of any of them is an event like a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "confine.h"
#include "config.h"
#include "ctl.h"
#include "engine.h"
#include "fdio.h"
#include "fds.h"
#include "launch.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "probe.h"
#include "rundir.h"
#include "seed.h"
#include "util.h"
#include "vm.h"
#include "vpath.h"

enum { STOP_GRACE_MSEC = 10000, LOG_BYTES = 1 << 20 };

/* What the machine holds beside the VM itself. */
struct boot {
	struct vm vm;
	struct companion launch;
	char handle[PATH_MAX + 80];
	bool reader;            /* stdout is a pipe: its reader's end is ours */
	int signals;
	int null, log, exit;    /* for -d */
	int stops;              /* how often we were told to stop */
};

static void told_to_stop(struct boot *b)
{
	if (b->stops++)
		vm_kill(&b->vm);
	else
		vm_stop(&b->vm, STOP_GRACE_MSEC);
}

static void on_signal(void *arg, uint32_t events)
{
	struct boot *b = arg;
	struct signalfd_siginfo si;

	(void)events;
	if (read(b->signals, &si, sizeof(si)) != sizeof(si))
		return;
	/* In a pipeline the terminal's keys are for the command, not for the VM. */
	if (b->reader && (si.ssi_signo == SIGINT || si.ssi_signo == SIGQUIT))
		return;
	told_to_stop(b);
}

/* The reader of stdout left, or the parent that waits for our report. */
static void on_peer_gone(void *arg, uint32_t events)
{
	struct boot *b = arg;

	if (events & (EPOLLERR | EPOLLHUP))
		vm_stop(&b->vm, STOP_GRACE_MSEC);
}

/* The program of --with ended. */
static void on_prog_gone(void *arg, uint32_t events)
{
	struct boot *b = arg;

	(void)events;
	loop_del(b->vm.loop, &b->vm.parent_id);
	vm_stop(&b->vm, STOP_GRACE_MSEC);
}

static void watch_peer(struct boot *b, int fd, int *id)
{
	*id = loop_add(b->vm.loop, fd, 0, on_peer_gone, b);
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

static void block_signals(struct boot *b)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	if (b->reader)
		signal(SIGTSTP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	b->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signals < 0)
		die(125, "signalfd: %s", errstr(errno));
}

/* Take a name in the runtime directory and listen there; the name itself comes with publish(). */
static int make_rundir(struct boot *b)
{
	struct vm *vm = &b->vm;
	char err[512] = "";
	int e, listener;

	e = rundir_base(&vm->rundir, true, err, sizeof(err));
	if (e)
		die(125, "%s", err);
	e = rundir_make(&vm->rundir);
	if (e)
		die(125, "%s: cannot make a runtime directory: %s", vm->rundir.path, errstr(e));
	listener = rundir_bind(vm->rundir.dir, "ctl", SOCK_SEQPACKET);
	if (listener < 0) {
		rundir_remove(&vm->rundir, false);
		die(125, "%s: cannot make the control socket: %s", vm->rundir.path,
		    errstr(listener));
	}
	if (vm->cfg.detach) {
		b->null = open("/dev/null", O_RDWR | O_CLOEXEC);
		b->log = openat(vm->rundir.dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		b->exit = openat(vm->rundir.dir, "exit", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	}
	return listener;
}

static void publish(struct boot *b)
{
	struct vm *vm = &b->vm;
	uint8_t r[4];
	int e = -EEXIST, tries;

	for (tries = 0; e == -EEXIST && tries < 16; tries++) {
		if (!vm->cfg.named) {
			if (getrandom(r, sizeof(r), 0) != sizeof(r))
				die(125, "getrandom: %s", errstr(errno));
			snprintf(vm->cfg.name, sizeof(vm->cfg.name), "vm-%02x%02x%02x%02x", r[0], r[1],
				 r[2], r[3]);
		}
		e = rundir_publish(&vm->rundir, vm->cfg.name);
		if (vm->cfg.named)
			break;
	}
	if (e) {
		rundir_remove(&vm->rundir, false);
		if (e == -EEXIST)
			die(125, "-n: %s: a VM of this name is running (vm-ctl -V %s stop ends it)",
			    vm->cfg.name, vm->cfg.name);
		die(125, "%s/%s: %s", vm->rundir.path, vm->cfg.name, errstr(e));
	}
	snprintf(b->handle, sizeof(b->handle), "%s/%s/ctl", vm->rundir.path, vm->cfg.name);
}

/* Look at the kernel before any engine does: the words are the same for all. */
static int check_kernel(struct vm *vm, char *err, size_t errsize)
{
	struct vm_config *c = &vm->cfg;
	struct kernel_room room = {
		.memory = c->memory,
		.hole = 3 * GIB,
		.initrd_size = c->initrd_size,
		.cmdline = c->cmdline,
		.kernel_path = c->kernel_path,
		.initrd_path = c->initrd_path,
	};
	int e = kernel_read(&vm->kernel, c->kernel, c->kernel_size, c->kernel_path, err, errsize);

	return e ? e : kernel_fit(&vm->kernel, &room, &vm->initrd_addr, err, errsize);
}

static int try_engine(struct vm *vm, const struct engine *engine, char *err, size_t errsize)
{
	int e = config_cmdline(&vm->cfg, engine->uses_kvm, err, errsize);

	if (!e)
		e = check_kernel(vm, err, errsize);
	if (e)
		return e;
	vm->engine = engine;
	return engine->setup(vm, err, errsize);
}

/* Set up the engine that was asked for, or the first that works. */
static int choose_engine(struct vm *vm, char *err, size_t errsize)
{
	char second[512];
	int e;

	if (vm->cfg.engine == ENGINE_QEMU)
		return try_engine(vm, &engine_qemu, err, errsize);
	e = try_engine(vm, &engine_kvm, err, errsize);
	if (vm->cfg.engine == ENGINE_KVM || e != -ENOTSUP)
		return e;
	if (vm->engine)
		vm->engine->free(vm);
	vm->engine = NULL;
	e = try_engine(vm, &engine_qemu, second, sizeof(second));
	if (!e)
		warn("%s; using qemu without it, which is slower", err);
	else if (e == -ENOTSUP)
		snprintf(err + strlen(err), errsize - strlen(err), "; %.200s", second);
	else
		snprintf(err, errsize, "%s", second);
	return e;
}

static int write_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

/* -d: the VM is ready, so the parent may go and we leave its world. */
static void on_booted(struct vm *vm)
{
	struct boot *b = container_of(vm, struct boot, vm);

	if (!vm->cfg.detach)
		return;
	loop_del(vm->loop, &b->vm.parent_id);
	if (companion_report(&b->launch, b->handle) < 0) {
		vm_stop(vm, STOP_GRACE_MSEC);
		return;
	}
	log_bound(LOG_BYTES);
	launch_detach(b->null, b->log);
}

/* Say ready: from now on the control socket answers. Before the guest's first instruction. */
static int announce(struct boot *b)
{
	struct vm *vm = &b->vm;
	char line[sizeof(b->handle) + 1];
	int n, e;

	if (vm->cfg.with) {
		vm->parent_id = loop_add(vm->loop, b->launch.prog, EPOLLIN, on_prog_gone, b);
		return vm->parent_id < 0 ? vm->parent_id : companion_report(&b->launch, "ok");
	}
	if (vm->cfg.detach) {
		watch_peer(b, b->launch.report, &vm->parent_id);
		return 0;
	}
	if (vm->cfg.private)
		return 0;
	n = snprintf(line, sizeof(line), "%s\n", b->handle);
	e = write_all(STDOUT_FILENO, line, (size_t)n);
	if (!e && b->reader && !vm->cfg.linger)
		watch_peer(b, STDOUT_FILENO, &vm->parent_id);
	return e;
}

static void refuse_second_vm(const struct boot *b)
{
	const char *given = getenv("VM");

	if (given && *given && b->reader && !b->vm.cfg.detach && !b->vm.cfg.private)
		die(125, "VM is set: the program that reads this pipe would use that VM and not the new "
		    "one: unset VM, or use -d or --with");
}

static void clean_up(struct boot *b)
{
	struct vm *vm = &b->vm;
	/* How it ended is kept for who asks first; unless somebody waited and was told. */
	bool keep = vm->state == VM_ENDED && b->exit >= 0 && b->launch.report < 0 && !vm->told;
	char text[64];
	int n;

	if (keep) {
		n = snprintf(text, sizeof(text), "%s %d\n", vm_cause_name(vm->cause),
			     vm->status);
		if (write(b->exit, text, (size_t)n) < 0)
			warn("exit file: %s", errstr(errno));
	}
	vm_free(vm);
	rundir_remove(&vm->rundir, keep);
	rundir_close(&vm->rundir);
}

int main(int argc, char *argv[])
{
	static struct boot b = {
		.vm = { .rundir = RUNDIR_INIT, .log_fd = -1, .notify_fd = -1, .boot_event = -1, .drain_event = -1,
			.grace_timer = -1, .timeout_timer = -1, .drain_timer = -1, .parent_id = -1 },
		.null = -1, .log = -1, .exit = -1, .launch = COMPANION_INIT,
	};
	struct vm *vm = &b.vm;
	char err[512] = "cannot set up the VM";
	int listener = -1, status = 125, e;

	fdio_std();
	log_init("vm-boot", false);
	config_parse(&vm->cfg, argc, argv);
	log_init("vm-boot", vm->cfg.verbose);
	if (vm->cfg.probe)
		return probe_print();
	b.reader = !vm->cfg.with && !vm->cfg.detach && !vm->cfg.private && is_pipe(STDOUT_FILENO);
	refuse_second_vm(&b);

	launch_split(&b.launch, &vm->cfg);
	e = confine_early(&vm->cfg, &b.launch);
	if (e)
		die(125, "cannot close descriptors: %s", errstr(e));
	block_signals(&b);
	fds_raise_limit();
	if (!vm->cfg.private)
		listener = make_rundir(&b);

	vm->log_fd = steal_fd(&vm->cfg.log_console);
	vm->notify_fd = notify_open();
	e = vm_init(vm);
	if (!e && vm->cfg.vsock_path && !(vm->vpath = vpath_open(vm, vm->cfg.vsock_path, err, sizeof(err))))
		e = -EIO;
	if (!e)
		e = seed_plant(&vm->cfg, err, sizeof(err));
	if (!e)
		e = choose_engine(vm, err, sizeof(err));
	if (!e && !(vm->ctl = ctl_new(vm)))
		e = -ENOMEM;
	if (!e && listener >= 0)
		e = ctl_listen(vm->ctl, &listener);
	if (!e && vm->cfg.ctl_fd >= 0)
		e = ctl_adopt(vm->ctl, &vm->cfg.ctl_fd);
	if (!e)
		e = loop_add(vm->loop, b.signals, EPOLLIN, on_signal, &b) < 0 ? -ENOMEM : 0;
	if (e) {
		warn("%s", err);
		goto out;
	}
	cleanup_fd(&vm->cfg.kernel);
	cleanup_fd(&vm->cfg.initrd);
	vm->booted = on_booted;
	if (!vm->cfg.private)
		publish(&b);
	e = confine(vm);
	if (e) {
		warn("cannot confine the machine: %s (--no-sandbox goes without)", errstr(e));
		goto out;
	}
	e = announce(&b);
	if (e) {
		warn("nobody takes the handle: %s", errstr(e));
		goto out;
	}
	e = vm_start(vm);
	if (e) {
		warn("cannot start the machine: %s", errstr(e));
		vm_ended(vm, CAUSE_FAILED);
	}
	e = loop_run(vm->loop);
	if (e)
		warn("event loop: %s", errstr(e));
	status = vm->status;
	if (vm->state == VM_ENDED && status == 125)
		warn("the VM ended: %s", vm_cause_name(vm->cause));
out:
	cleanup_fd(&listener);
	clean_up(&b);
	return status;
}

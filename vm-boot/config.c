// SPDX-License-Identifier: ISC
/*
 * config.c - what vm-boot was asked for: options, files, the kernel's command line.
 *
 * Everything is checked and opened here, before anything is made: a bad option ends the program with
 * one line and 125. Files are opened where the user is; the machine later holds descriptors only.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "image.h"
#include "log.h"
#include "opts.h"
#include "rundir.h"
#include "util.h"

#define NO_SELF_TESTS	" cryptomgr.notests initcall_blacklist=crypto_kdf108_init"

enum {
	O_IMAGE = OPT_LONG, O_ENGINE, O_LOG_CONSOLE, O_READY_FD, O_STATUS_FD, O_CTL_FD, O_LINGER,
	O_TIMEOUT, O_WITH, O_NO_SANDBOX, O_PROBE, O_VSOCK_PATH,
	O_WATCHDOG, O_NET,
};

static const struct opt table[] = {
	{ 'n', "name", "NAME", "name the VM (default: a fresh one)" },
	{ 'c', "cpus", "N", "virtual CPUs, 1-64 (default: 1)" },
	{ 'm', "memory", "SIZE", "memory, in MiB or with K, M, G (default: 512M)" },
	{ 'k', "kernel", "FILE", "kernel: bzImage or ELF vmlinux (default: the image's)" },
	{ 'r', "initrd", "FILE", "initial RAM disk (default: the image's; none with -k)" },
	{ 'a', "append", "WORDS", "add to the kernel's command line" },
	{ O_IMAGE, "image", "NAME", "image that vm-image built (default: default)" },
	{ O_ENGINE, "engine", "NAME", "auto, kvm, qemu, or qemu:kvm (default: auto)" },
	{ O_LOG_CONSOLE, "log-console", "FILE", "write what the other terminal port prints here" },
	{ O_READY_FD, "ready-fd", "N", "write a line here when the guest's console is up" },
	{ O_STATUS_FD, "status-fd", "N", "write how the VM ended here, as JSON" },
	{ O_CTL_FD, "ctl-fd", "N", "serve this control socket; its end ends the VM" },
	{ O_VSOCK_PATH, "vsock-path", "PATH", "serve vsock at sockets PATH and PATH_PORT, as Firecracker does" },
	{ O_NET, "net", "PLACE", "a network interface: frames socket fd:N or PATH, or plug: to be plugged in later; [,mac=MAC][,mtu=N]; up to 4" },
	{ O_LINGER, "linger", NULL, "live on when the reader of stdout leaves" },
	{ O_TIMEOUT, "timeout", "SEC", "end the VM after this time, with status 124" },
	{ O_WATCHDOG, "watchdog", "SEC", "end the VM when its agent has been silent for so long" },
	{ 't', "tty", NULL, "give COMMAND the console as its terminal" },
	{ 'e', "env", "NAME[=VALUE]", "environment of COMMAND; without a value: ours" },
	{ 'w', "workdir", "DIR", "directory of COMMAND" },
	{ 'u', "user", "USER[:GROUP]", "who runs COMMAND" },
	{ 'd', "detach", NULL, "print the handle when the VM is ready, and return" },
	{ O_WITH, "with", NULL, "become PROG, with VM=fd:N; the VM ends with it" },
	{ O_NO_SANDBOX, "no-sandbox", NULL, "do not confine the machine (for debugging)" },
	{ O_PROBE, "probe", NULL, "print what this host can do as key=value lines, and exit" },
	{ 'v', "verbose", NULL, "say more on stderr" },
};

static const struct opts opts = {
	.tool = "vm-boot",
	.synopsis = "[OPTION]... [[--] COMMAND [ARG]...]\n       vm-boot [OPTION]... --with PROG [ARG]...",
	.about = "Boot a Linux guest and print its handle.",
	.epilog = "FILE may be fd:N. The VM is this process: it ends with it, and the other way "
		  "round.\nExit status: 0 power-off or stopped, 124 timeout, 125 anything else. "
		  "See vm-boot(1).",
	.table = table,
	.count = ARRAY_SIZE(table),
	.usage_status = 125,
};

static void number(const char *s, const char *what, uint64_t min, uint64_t max, uint64_t *out)
{
	int err = parse_u64(s, min, max, out);

	if (err == -ERANGE)
		opts_usage(&opts, "%s: %s is not between %llu and %llu", what, s,
			   (unsigned long long)min, (unsigned long long)max);
	if (err)
		opts_usage(&opts, "%s: '%s' is not a number", what, s);
}

static int open_fd(const char *s, const char *what)
{
	int fd;

	if (parse_fd(s, &fd))
		opts_usage(&opts, "%s: '%s' is not a descriptor number", what, s);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		opts_usage(&opts, "%s: descriptor %d is not open", what, fd);
	return fd;
}

/**
 * config_open_file() - open a file the user named for reading
 * @spec: path or fd:N
 * @what: what it is for, in messages
 * @path, @pathsize: set to a name for messages
 *
 * Exits with 125 when it cannot be. Return: the descriptor, close-on-exec.
 */
int config_open_file(const char *spec, const char *what, char *path, size_t pathsize)
{
	struct stat st;
	int fd;

	snprintf(path, pathsize, "%s", spec);
	if (!strncmp(spec, "fd:", 3)) {
		fd = open_fd(spec, what);
	} else {
		fd = open(spec, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			die(125, "%s: %s: %s", what, spec, errstr(errno));
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		die(125, "%s: %s: is not a regular file", what, spec);
	if (!st.st_size)
		die(125, "%s: %s: is empty", what, spec);
	return fd;
}

/* A log that never blocks us: a FIFO is opened anew, so that its readers keep their own flags. */
static int open_log(const char *spec)
{
	char self[64];
	struct stat st;
	int fd, again;

	if (strncmp(spec, "fd:", 3)) {
		fd = open(spec, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
		if (fd < 0)
			die(125, "--log-console: %s: %s", spec, errstr(errno));
		return fd;
	}
	fd = open_fd(spec, "--log-console");
	if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode))
		return fd;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	again = open(self, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (again < 0)
		die(125, "--log-console: %s: takes a file, a pipe or a terminal: %s", spec,
		    errstr(errno));
	close(fd);
	return again;
}

static void parse_engine(struct vm_config *c, const char *s)
{
	if (!strcmp(s, "auto")) {
		c->engine = ENGINE_AUTO;
	} else if (!strcmp(s, "kvm")) {
		c->engine = ENGINE_KVM;
	} else if (!strcmp(s, "qemu") || !strcmp(s, "qemu:kvm")) {
		c->engine = ENGINE_QEMU;
		c->qemu_kvm = s[4];
	} else {
		opts_usage(&opts, "--engine: '%s' is none of auto, kvm, qemu, qemu:kvm", s);
	}
}

static void parse_memory(struct vm_config *c, const char *s)
{
	int err = parse_size(s, 64 * MIB, 1024 * GIB, &c->memory);

	if (err == -ERANGE)
		opts_usage(&opts, "-m: %s is not between 64M and 1024G", s);
	if (err)
		opts_usage(&opts, "-m: '%s' is not a size (such as 512M or 2G)", s);
	if (c->memory % (2 * MIB))
		opts_usage(&opts, "-m: %s is not a multiple of 2M", s);
}

static void parse_ctl_fd(struct vm_config *c, const char *s)
{
	int type;
	socklen_t len = sizeof(type);

	c->ctl_fd = open_fd(s, "--ctl-fd");
	if (getsockopt(c->ctl_fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		opts_usage(&opts, "--ctl-fd: descriptor %d is not a SOCK_SEQPACKET socket",
			   c->ctl_fd);
}

static const char *inherit(const char *name)
{
	const char *value = getenv(name);
	char *both;

	if (!value)
		return NULL;
	if (asprintf(&both, "%s=%s", name, value) < 0)
		die(125, "out of memory");
	return both;    /* lives as long as we do */
}

static void add_env(struct vm_config *c, const char *arg)
{
	if (!*arg || *arg == '=')
		opts_usage(&opts, "-e: '%s' has no name", arg);
	if (c->envs == ARRAY_SIZE(c->env))
		opts_usage(&opts, "-e: more than %zu", ARRAY_SIZE(c->env));
	c->env[c->envs] = strchr(arg, '=') ? arg : inherit(arg);
	c->envs += c->env[c->envs] != NULL;
}

static void add_net(struct vm_config *c, const char *place)
{
	char err[256];
	int e;

	if (c->nets == NETCONF_MAX)
		opts_usage(&opts, "--net: more than %d interfaces", NETCONF_MAX);
	e = netconf_parse(&c->net[c->nets++], place, err, sizeof(err));
	if (e == -EINVAL)
		opts_usage(&opts, "%s", err);
	if (e)
		die(125, "%s", err);
}

static void parse_option(struct vm_config *c, int id, const char *arg, const char **files)
{
	uint64_t n;

	switch (id) {
	case 'n':
		if (!rundir_name_ok(arg))
			opts_usage(&opts, "-n: '%s' is not a name (1-64 of A-Z a-z 0-9 . _ -, not "
				   "starting with . or -)", arg);
		snprintf(c->name, sizeof(c->name), "%s", arg);
		c->named = true;
		break;
	case 'c':
		number(arg, "-c", 1, 64, &n);
		c->cpus = (unsigned int)n;
		break;
	case 'm':
		parse_memory(c, arg);
		break;
	case 'k':
		files[0] = arg;
		break;
	case 'r':
		files[1] = arg;
		break;
	case 'a':
		c->append = arg;
		break;
	case O_IMAGE:
		files[2] = arg;
		break;
	case O_ENGINE:
		parse_engine(c, arg);
		break;
	case O_LOG_CONSOLE:
		c->log_console = open_log(arg);
		break;
	case O_READY_FD:
		c->ready_fd = open_fd(arg, "--ready-fd");
		break;
	case O_STATUS_FD:
		c->status_fd = open_fd(arg, "--status-fd");
		break;
	case O_CTL_FD:
		parse_ctl_fd(c, arg);
		break;
	case O_VSOCK_PATH:
		c->vsock_path = arg;
		break;
	case O_NET:
		add_net(c, arg);
		break;
	case O_LINGER:
		c->linger = true;
		break;
	case O_TIMEOUT:
		if (parse_msec(arg, &c->timeout_msec) || !c->timeout_msec)
			opts_usage(&opts, "--timeout: '%s' is not a time in seconds", arg);
		break;
	case O_WATCHDOG:
		if (parse_msec(arg, &c->watchdog_msec) || c->watchdog_msec < 1000)
			opts_usage(&opts, "--watchdog: '%s' is not a time of at least 1 second", arg);
		break;
	case 't':
		c->tty = true;
		break;
	case 'e':
		add_env(c, arg);
		break;
	case 'w':
		c->workdir = arg;
		break;
	case 'u':
		c->user = arg;
		break;
	case 'd':
		c->detach = true;
		break;
	case O_WITH:
		c->with = (char **)1;   /* settled when the operands are known */
		break;
	case O_NO_SANDBOX:
		c->no_sandbox = true;
		break;
	case O_PROBE:
		c->probe = true;
		break;
	case 'v':
		c->verbose = true;
		break;
	}
}

static uint64_t file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/**
 * config_parse() - read the command line and open what it names
 * @c: filled in
 * @argc, @argv: main's
 *
 * Exits with one line and 125 on anything wrong.
 */
void config_parse(struct vm_config *c, int argc, char *argv[])
{
	const char *files[3] = { NULL }, *arg;
	char err[256];
	int id, e;

	*c = (struct vm_config){
		.cpus = 1,
		.memory = 512 * MIB,
		.kernel = -1,
		.initrd = -1,
		.append = "",
		.log_console = -1,
		.ready_fd = -1,
		.status_fd = -1,
		.ctl_fd = -1,
	};
	while ((id = opts_next(&opts, argc, argv, &arg)) != -1)
		parse_option(c, id, arg, files);
	if (c->with) {
		c->with = argv + opts_end();
		if (!*c->with)
			opts_usage(&opts, "--with: needs a program to become");
		if (c->detach || c->ctl_fd >= 0)
			opts_usage(&opts, "--with: goes with neither -d nor --ctl-fd");
	} else if (opts_end() < argc) {
		c->command = argv + opts_end();
	}
	if (!c->command && (c->tty || c->envs || c->workdir || c->user))
		opts_usage(&opts, "-t, -e, -w and -u are for a COMMAND: none was given");
	if (c->detach && c->ctl_fd >= 0)
		opts_usage(&opts, "-d: does not go with --ctl-fd");
	c->private = (c->with || c->ctl_fd >= 0) && !c->named;
	if (c->linger && (c->detach || c->with || c->private))
		opts_usage(&opts, "--linger: goes with neither -d nor --with, nor with --ctl-fd without -n: "
			   "there is no handle that a reader could leave");
	if (c->probe && argc > 2)
		opts_usage(&opts, "--probe: goes with nothing else");
	if (c->probe)
		return;

	if (files[0])
		c->kernel = config_open_file(files[0], "kernel", c->kernel_path,
					     sizeof(c->kernel_path));
	if (files[1])
		c->initrd = config_open_file(files[1], "initrd", c->initrd_path,
					     sizeof(c->initrd_path));
	if (!files[0] || files[2])
		image_open(c, files[2] ? files[2] : "default");
	e = netconf_settle(c->net, &c->nets, c->named ? c->name : NULL, err, sizeof(err));
	if (e)
		die(125, "%s", err);
	c->kernel_size = file_size(c->kernel);
	c->initrd_size = c->initrd < 0 ? 0 : file_size(c->initrd);
	if (c->command && c->initrd < 0)
		opts_usage(&opts, "COMMAND: there is no initrd, so no vm-agent to run it: give -r, or use an image");
}

/* The tty that the last console= of @cmdline names; empty without one. */
static void last_console(const char *cmdline, char *tty, size_t size)
{
	const char *p = cmdline;

	*tty = 0;
	while ((p = strstr(p, "console="))) {
		const char *v = p + strlen("console=");

		if (p == cmdline || p[-1] == ' ')
			snprintf(tty, size, "%.*s", (int)strcspn(v, ", "), v);
		p = v;
	}
}

/**
 * config_cmdline() - settle the kernel's command line and with it the console
 * @c: parsed; cmdline and console are set
 * @has_hvc: whether the engine's console can be hvc0
 * @err, @errsize: what is wrong
 * Return: 0; -E2BIG; -ENOTSUP for a console that this engine has not.
 */
int config_cmdline(struct vm_config *c, bool has_hvc, char *err, size_t errsize)
{
	bool image = c->image_console[0];
	const char *console = image && has_hvc ? c->image_console : "ttyS0";
	bool hvc = !strcmp(console, "hvc0");
	const char *emulated = has_hvc ? "" : c->cpus == 1 ? " no_timer_check possible_cpus=1" : " no_timer_check";
	/* An image's init opens the console itself; until its driver is there, COM1 hears of
	 * what is worse than a warning. panic=-1: reset at once, which we see. A stock kernel spends
	 * a quarter of its way to init on testing its ciphers, for nobody here: cryptomgr's tests,
	 * and those that are all that crypto_kdf108_init does. no_timer_check: on KVM the kernel knows by itself that
	 * it must not test its timer against real time; on a busy host an emulated one fails the test, which is a panic.
	 * possible_cpus: the place that QEMU's machine has for a second processor (args.c) is no reason to give up the TSC.
	 * What the user appends comes last and wins. */
	int n = snprintf(c->cmdline, sizeof(c->cmdline), "%s%sconsole=%s%s panic=-1%s%s%s",
			 image ? "quiet " : "", hvc ? "earlycon=uart8250,io,0x3f8 " : "", console,
			 c->image_kernel ? NO_SELF_TESTS : "", emulated, *c->append ? " " : "", c->append);

	if ((size_t)n >= sizeof(c->cmdline)) {
		snprintf(err, errsize, "kernel command line: longer than %zu bytes",
			 sizeof(c->cmdline) - 1);
		return -E2BIG;
	}
	last_console(c->cmdline, c->console, sizeof(c->console));
	if (!strcmp(c->console, "hvc0") ? !has_hvc : strcmp(c->console, "ttyS0")) {
		snprintf(err, errsize, "kernel command line: console=%s: this engine has %sttyS0",
			 c->console, has_hvc ? "hvc0 and " : "");
		return -ENOTSUP;
	}
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * main.c - vm-net: a network for a VM, without root.
 *
 *	vm-net OPTIONS -- PROG		PROG finds the network in VM_NET, and has it for as long as it keeps that socket
 *	vm-net OPTIONS -l PATH		whoever connects to PATH, one VM after the other, until a signal ends it
 *	vm-net OPTIONS --frames PATH	the same, with frames and no words
 *	vm-net OPTIONS -V VM		that VM, which runs, until it ends or a signal does it
 *
 * With --switch, in each: several VMs at a time, on one wire.
 *
 * Order: read everything that may be wrong, part from PROG, open, confine, tell that it is ready, work.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "companion.h"
#include "dnshosts.h"
#include "fdio.h"
#include "fds.h"
#include "hostaddr.h"
#include "log.h"
#include "loop.h"
#include "netchoose.h"
#include "netconfine.h"
#include "netctl.h"
#include "netopts.h"
#include "netplug.h"
#include "opts.h"
#include "policy_parse.h"
#include "reader.h"
#include "resolv.h"
#include "router.h"
#include "sockpath.h"
#include "util.h"

struct net {
	struct netopts o;
	struct companion companion;
	struct policy *policy;
	struct loop *loop;
	struct router *router;
	struct hostaddr *host;
	struct resolv *resolv;
	struct reader *reader;          /* of the policy */
	struct netctl ctl;
	int log_fd, pcap_fd, null;
	int dir[NETCONFINE_DIRS];       /* of sockets that we made */
	size_t dirs;
	int listen_dir;                 /* of -l or --frames, -1: none */
	char name[SOCKPATH_NAME];
	int listener, watch, spare;     /* --frames */
	struct netplug plug;            /* -V */
	bool left, failed;              /* -V: nobody has the other end; it refused */
	int signals;
};

static struct net net = {
	.companion = COMPANION_INIT, .log_fd = -1, .pcap_fd = -1, .null = -1, .listen_dir = -1, .listener = -1, .watch = -1,
	.spare = -1, .plug = NETPLUG_INIT, .signals = -1,
};

/* -- what may be wrong -- */

static struct policy *read_policy(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char why[POLICY_ERROR];
	struct policy *p;

	if (fd < 0)
		die(NETOPTS_USAGE, "%s: %s", path, errstr(errno));
	if (policy_read(fd, path, &p, why))
		die(NETOPTS_USAGE, "%s", why);
	return p;
}

static int open_output(const char *option, const char *path, int flags)
{
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, 0666) : -1;

	if (path && fd < 0)
		die(NETOPTS_FAILED, "--%s: %s: %s", option, path, errstr(errno));
	return fd;
}

static void check(struct net *n)
{
	struct netopts *o = &n->o;
	const char *why;

	if (o->check) {
		policy_unref(read_policy(o->check));
		exit(0);
	}
	n->policy = o->policy ? read_policy(o->policy) : policy_open();
	if (!n->policy)
		die(NETOPTS_FAILED, "out of memory");
	n->log_fd = open_output("log", o->log, O_APPEND);
	n->pcap_fd = open_output("pcap", o->pcap, O_TRUNC);
	why = netchoose(&o->subnet, o->subnet_given, o->subnet6_given);
	if (why)
		die(NETOPTS_USAGE, "%s", why);
}

/* -- what happens -- */

/* Nobody has the other end. A VM that is still to answer will say why. */
static void stop(void *arg)
{
	struct net *n = arg;

	n->left = true;
	if (!netplug_waits(&n->plug))
		loop_stop(n->loop);
}

/* The policy again: a wrong one changes nothing. */
static void on_policy(void *arg, int opened)
{
	struct net *n = arg;
	autoclose int fd = opened;
	char why[POLICY_ERROR];
	struct policy *p;
	int err;

	if (fd < 0) {
		warn("%s: %s: the policy stays as it was", n->o.policy, errstr(-fd));
		return;
	}
	if (policy_read(fd, n->o.policy, &p, why)) {
		warn("%s: the policy stays as it was", why);
		return;
	}
	err = router_use(n->router, p, false);
	if (err < 0)
		warn("%s: %s: the policy stays as it was", n->o.policy,
		     err == -ENOSPC ? "redirects to too many targets" : errstr(-err));
	policy_unref(p);
}

static void on_signal(void *arg, uint32_t events)
{
	struct net *n = arg;
	struct signalfd_siginfo si;

	(void)events;
	if (read(n->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGHUP && n->reader)
		reader_ask(n->reader);
	else
		loop_stop(n->loop);
}

static void tell_untaken(const struct net *n)
{
	if (n->o.prog && !n->router->taken)
		warn("nobody took the network: PROGRAM is to start vm-boot, which finds it in VM_NET");
}

/* The program is gone, but perhaps not all that it started: whoever waits for the end of our stderr shall not wait. */
static void on_prog_gone(void *arg, uint32_t events)
{
	struct net *n = arg;

	(void)events;
	tell_untaken(n);
	loop_del(n->loop, &n->watch);
	dup2(n->null, STDERR_FILENO);
}

static void on_frames_peer(void *arg, uint32_t events)
{
	struct net *n = arg;
	autoclose int fd = fds_accept(n->listener, &n->spare);

	(void)events;
	if (fd >= 0 && router_plug(n->router, NULL, &fd) == -EBUSY)
		warn("--frames: %s: refused", n->o.several ? "there are as many guests as can be" :
		     "another guest is there already");
}

static void tell_ready(struct net *n);

static void on_plugged(void *arg, const char *why)
{
	struct net *n = arg;

	if (why)
		warn("-V %s: %s", n->o.vm, why);
	else
		tell_ready(n);
	n->failed = why;
	if (why || n->left)
		loop_stop(n->loop);
}

static void no_servers(const struct dns_server *s, size_t n)
{
	static struct log_limit limit = LOG_LIMIT_INIT;

	(void)s;
	if (!n)
		warn_limited(&limit, "dns: " RESOLV_PATH " names no server: the guest's queries fail (--dns ADDR gives one)");
}

static void on_servers(void *arg, const struct dns_server *s, size_t count)
{
	struct net *n = arg;

	no_servers(s, count);
	dns_servers(n->router->dns, s, count);
}

static void on_host_addresses(void *arg)
{
	(void)arg;      /* flows are pinned; new ones are judged by what is now */
}

/* -- setting up -- */

static void add_hosts(struct net *n, const char *const *list, bool map)
{
	for (; list && *list; list++) {
		const char *equals = strchr(*list, '=');
		autofree char *name = strndup(*list, (size_t)(equals - *list));
		struct addr a;

		addr_parse(equals + 1, &a);
		if (!name || dnshosts_add(dns_hosts(n->router->dns), name, &a))
			die(NETOPTS_USAGE, "%s: is no name that DNS has", *list);
		if (map && space_map(&n->router->space, *list))
			die(NETOPTS_USAGE, "--map-host %s: too many, or no name that DNS has", *list);
	}
}

static void set_up_dns(struct net *n)
{
	add_hosts(n, n->o.host, false);
	add_hosts(n, n->o.map, true);
	if (n->o.servers) {
		dns_servers(n->router->dns, n->o.server, n->o.servers);
		return;
	}
	n->resolv = resolv_follow(n->loop, RESOLV_PATH, on_servers, n);
	if (!n->resolv)
		die(NETOPTS_FAILED, "dns: %s", errstr(errno));
}

static void add_forwards(struct net *n)
{
	char told[FWDSPEC_TEXT], why[FORWARD_ERROR], name[SOCKPATH_NAME];
	const char *const *spec;
	struct fwdspec f;
	int err;

	for (spec = n->o.forward; spec && *spec; spec++) {
		err = forwards_add(n->router->forwards, *spec, told, why, sizeof(why));
		if (err)
			die(NETOPTS_FAILED, "-p %s: %s", *spec, why);
		fwdspec_parse(*spec, &f, why, sizeof(why));     /* netopts.c has seen that it can */
		if (*f.path)
			n->dir[n->dirs++] = sockpath_open(f.path, name);
		else if (!f.host)
			warn("-p %s: is %s", *spec, told);
	}
}

/* From here on they come by the loop, so that a start that they end leaves nothing behind. */
static void take_signals(struct net *n)
{
	sigset_t mask;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	if (!n->o.prog)
		sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	n->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (n->signals < 0 || loop_add(n->loop, n->signals, EPOLLIN, on_signal, n) < 0)
		die(NETOPTS_FAILED, "signals: %s", errstr(errno));
}

static void set_up(struct net *n)
{
	int err;

	n->loop = loop_new();
	if (!n->loop)
		die(NETOPTS_FAILED, "%s", errstr(errno));
	take_signals(n);
	n->router = router_new(n->loop, &n->o.subnet, n->policy, n->o.several);
	if (!n->router && errno == ENOSPC && n->o.policy)
		die(NETOPTS_USAGE, "%s: redirects to more than %d different targets", n->o.policy, REDIRECT_TARGETS);
	if (!n->router)
		die(NETOPTS_FAILED, "%s", errstr(errno));
	policy_unref(n->policy);
	netctl_init(&n->ctl, n->router);
	n->ctl.left = stop;
	n->ctl.arg = n;
	n->host = hostaddr_new();
	err = n->host ? hostaddr_follow(n->host, n->loop, on_host_addresses, n) : -ENOMEM;
	if (err)
		die(NETOPTS_FAILED, "the host's addresses cannot be followed, which the policy needs: %s", errstr(-err));
	n->router->space.host = n->host;
	err = n->o.rate ? router_limit(n->router, n->o.rate) : 0;
	if (err)
		die(NETOPTS_FAILED, "--rate-limit: %s", errstr(-err));
	set_up_dns(n);
	if (n->o.policy && !(n->reader = reader_new(n->loop, n->o.policy, on_policy, n)))
		die(NETOPTS_FAILED, "%s: %s", n->o.policy, errstr(errno));
	add_forwards(n);
	err = journal_open(&n->router->journal, n->log_fd);
	if (err)
		die(NETOPTS_FAILED, "--log: %s", errstr(-err));
	if (n->pcap_fd >= 0 && (err = pcap_init(&n->router->pcap, &n->pcap_fd, PCAP_SNAP)))
		die(NETOPTS_FAILED, "--pcap: %s", errstr(-err));
}

static void listen_at(struct net *n, const char *option, const char *path, int type)
{
	int dir = sockpath_open(path, n->name), fd;

	fd = dir < 0 ? dir : sockpath_listen(dir, n->name, type);
	if (fd == -EADDRINUSE)
		die(NETOPTS_FAILED, "%s %s: another process serves it, or it is no socket", option, path);
	if (fd < 0)
		die(NETOPTS_FAILED, "%s %s: %s", option, path, errstr(-fd));
	n->listener = fd;
	n->listen_dir = n->dir[n->dirs++] = dir;
}

static void serve(struct net *n)
{
	int err = 0;

	if (n->o.prog) {
		n->watch = loop_add(n->loop, n->companion.prog, EPOLLIN, on_prog_gone, n);
		err = n->watch < 0 ? n->watch : netctl_adopt(&n->ctl, &n->companion.sock);
	} else if (n->o.vm) {
		n->plug.done = on_plugged;
		n->plug.arg = n;
		err = netplug_ask(&n->plug, n->loop, &n->ctl);
	} else if (n->o.listen) {
		listen_at(n, "-l", n->o.listen, SOCK_SEQPACKET);
		err = netctl_listen(&n->ctl, &n->listener);
	} else {
		listen_at(n, "--frames", n->o.frames, SOCK_STREAM);
		n->watch = loop_add(n->loop, n->listener, EPOLLIN, on_frames_peer, n);
		err = MIN(n->watch, 0);
	}
	if (err)
		die(NETOPTS_FAILED, "control socket: %s", errstr(-err));
}

/* Whether a signal that ends it came during the start: nobody is told that it is ready, and no program is started. */
static bool told_to_end(const struct net *n)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) || (!n->o.prog && sigismember(&pending, SIGINT)));
}

static void tell_ready(struct net *n)
{
	if (companion_report(&n->companion, "ok") < 0)
		exit(NETOPTS_FAILED);
	if (n->o.ready_fd >= 0 && write(n->o.ready_fd, "ready\n", 6) != 6)
		die(NETOPTS_FAILED, "--ready-fd: %s", errstr(errno));
	cleanup_fd(&n->o.ready_fd);
}

/* Remove what is at paths: also when the start fails. */
static void clear_paths(void)
{
	struct net *n = &net;

	if (n->listen_dir >= 0 && unlinkat(n->listen_dir, n->name, 0) < 0 && errno != ENOENT)
		debug("%s: %s", n->name, errstr(errno));
	n->listen_dir = -1;
	if (n->router)
		forwards_clear(n->router->forwards);
}

static void tear_down(struct net *n)
{
	clear_paths();
	netctl_free(&n->ctl);
	resolv_free(n->resolv);
	reader_free(n->reader);
	router_free(n->router);
	n->router = NULL;
	hostaddr_free(n->host);
	netplug_free(&n->plug);
	loop_free(n->loop);
}

int main(int argc, char *argv[])
{
	int err, handle = -1;
	struct net *n = &net;
	char why[256];
	bool ends;

	fdio_std();
	log_init("vm-net", false);
	netopts_parse(&n->o, argc, argv);
	log_init("vm-net", n->o.verbose);
	check(n);
	if (n->o.vm && netplug_find(&n->plug, n->o.vm, &handle, why, sizeof(why)))
		die(NETOPTS_FAILED, "%s", why);
	n->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	n->spare = eventfd(0, EFD_CLOEXEC);
	if (n->o.prog)
		companion_split(&n->companion, "vm-net", "VM_NET", n->o.prog);
	atexit(clear_paths);
	err = netconfine_early((int[]){ n->companion.prog, n->companion.sock, n->companion.report, n->log_fd, n->pcap_fd, n->null,
					n->spare, n->o.ready_fd, n->plug.link.sock, handle }, 10);
	if (err)
		die(NETOPTS_FAILED, "%s", errstr(-err));
	fds_raise_limit();
	set_up(n);
	serve(n);
	ends = told_to_end(n);
	if (n->o.no_sandbox)
		warn("--no-sandbox: this process is not confined");
	else if ((err = netconfine(n->dir, n->dirs)))
		die(NETOPTS_FAILED, "the sandbox does not hold: %s", errstr(-err));
	if (!n->o.vm && !ends)
		tell_ready(n);
	err = loop_run(n->loop);
	tell_untaken(n);
	tear_down(n);
	return err || n->failed ? NETOPTS_FAILED : 0;
}

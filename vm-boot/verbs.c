// SPDX-License-Identifier: ISC
/*
 * verbs.c - what the control socket can be asked: one function a verb, and their table.
 *
 * No verb carries a path: this process is confined, and a client opens files where it is and passes
 * descriptors. A wrong number of words or descriptors or an unknown verb is answered with an error.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "agent.h"
#include "conn.h"
#include "engine.h"
#include "hub.h"
#include "net.h"
#include "netconf.h"
#include "opts.h"
#include "proto.h"
#include "util.h"
#include "virtio_vsock.h"
#include "vm.h"

enum { PROTOCOL_VERSION = 1 };

static void add_networks(const struct vm *vm, struct msg *m)
{
	unsigned int i;

	for (i = 0; i < net_interfaces(vm->net); i++) {
		const uint8_t *mac = net_config(vm->net, i)->mac;
		struct net_counts n;

		net_counts(vm->net, i, &n);
		msg_addf(m, "net%u=%02x:%02x:%02x:%02x:%02x:%02x,%s,in=%llu,out=%llu,dropped=%llu", i, mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5], n.up ? "up" : "down", (unsigned long long)n.in,
			 (unsigned long long)n.out, (unsigned long long)n.dropped);
	}
}

static void verb_status(struct conn *c, struct msg *req)
{
	const struct vm *vm = c->vm;
	struct msg m;

	(void)req;
	msg_init(&m);
	msg_add(&m, "ok");
	msg_addf(&m, "version=%d", PROTOCOL_VERSION);
	msg_addf(&m, "name=%s", vm->cfg.name);
	msg_addf(&m, "state=%s", vm_state_name(vm->state));
	msg_addf(&m, "booted=%d", vm_booted(vm));
	msg_addf(&m, "agent=%s", agent_state_name(agent_state(vm->agent)));
	msg_addf(&m, "pid=%d", (int)getpid());
	msg_addf(&m, "engine=%s", vm->engine->name);
	msg_addf(&m, "cpus=%u", vm->cfg.cpus);
	msg_addf(&m, "memory=%llu", (unsigned long long)vm->cfg.memory);
	msg_addf(&m, "console=%s", vm->cfg.console);
	msg_addf(&m, "started=%lld", (long long)vm->started);
	add_networks(vm, &m);
	conn_reply(c, &m);
}

static void verb_ready(struct conn *c, struct msg *req)
{
	bool agent = req->words == 2 && !strcmp(req->word[1], "agent");
	enum agent_state state = agent_state(c->vm->agent);

	if (req->words == 2 && !agent && strcmp(req->word[1], "boot"))
		conn_error(c, EINVAL, "ready: takes boot or agent");
	else if (c->vm->state == VM_ENDED)
		conn_error(c, ESHUTDOWN, "the VM has ended");
	else if (agent ? state == AGENT_READY : vm_booted(c->vm))
		conn_ok(c);
	else if (agent && (state == AGENT_LOST || state == AGENT_BROKEN))
		conn_error(c, ECONNRESET, agent_absence(c->vm->agent));
	else
		conn_wait_for(c, agent ? WAITS_AGENT : WAITS_BOOT);
}

static void verb_console(struct conn *c, struct msg *req)
{
	struct vm *vm = c->vm;
	unsigned int flags = 0;
	struct msg m;
	int i, err, fd = -1;

	for (i = 1; i < req->words; i++) {
		if (!strcmp(req->word[i], "replay"))
			flags |= HUB_REPLAY;
		else if (!strcmp(req->word[i], "ro"))
			flags |= HUB_READ_ONLY;
		else if (!strcmp(req->word[i], "hold"))
			flags |= HUB_HOLD;
		else {
			conn_error(c, EINVAL, "console: takes replay, ro and hold");
			return;
		}
	}
	if (vm->state == VM_ENDED) {
		conn_error(c, ESHUTDOWN, "the VM has ended");
		return;
	}
	err = hub_attach(vm->hub, flags, c->id, &fd);
	if (err) {
		conn_error(c, err, err == -EBUSY ? "console: another program holds it" :
			    err == -EMFILE ? "console: too many readers" : "console: out of resources");
		return;
	}
	msg_init(&m);
	msg_add(&m, "ok");
	msg_add(&m, vm->cfg.console);
	msg_add_fd(&m, &fd);
	conn_reply(c, &m);
}

static void verb_console_lost(struct conn *c, struct msg *req)
{
	struct msg m;

	(void)req;
	msg_init(&m);
	msg_add(&m, "ok");
	msg_addf(&m, "%llu", (unsigned long long)hub_lost(c->vm->hub, c->id));
	conn_reply(c, &m);
}

static void verb_console_size(struct conn *c, struct msg *req)
{
	struct vm *vm = c->vm;
	uint64_t cols, rows;
	int err;

	if (parse_u64(req->word[1], 1, 65535, &cols) || parse_u64(req->word[2], 1, 65535, &rows)) {
		conn_error(c, EINVAL, "console-size: takes columns and rows");
		return;
	}
	err = vm->state == VM_ENDED ? -ESHUTDOWN :
	      vm->engine->console_size(vm, (uint16_t)cols, (uint16_t)rows);
	/* What the console cannot carry the agent does, as soon as it is there. */
	if (err == -ENOTSUP) {
		agent_size(vm->agent, (uint16_t)cols, (uint16_t)rows);
		err = 0;
	}
	if (err)
		conn_error(c, err, "console-size: the VM has ended");
	else
		conn_ok(c);
}

static void verb_pause(struct conn *c, struct msg *req)
{
	int err = vm_pause(c->vm);

	(void)req;
	if (err && err != -EALREADY)
		conn_error(c, err, err == -ETIMEDOUT ? "pause: the engine does not answer" :
			   "pause: the VM is not running");
	else
		conn_ok(c);
}

static void verb_resume(struct conn *c, struct msg *req)
{
	int err = vm_resume(c->vm);

	(void)req;
	if (err && err != -EALREADY)
		conn_error(c, err, "resume: the VM is not paused");
	else
		conn_ok(c);
}

/* Answer @c, which waits for the end, if that was before it asked. */
static void end_if_over(struct conn *c)
{
	if (c->sock < 0 || c->waits == WAITS_NOT || c->vm->state != VM_ENDED)
		return;
	conn_end(c);
	conn_answered(c);
}

static void verb_wait(struct conn *c, struct msg *req)
{
	(void)req;
	conn_wait_for(c, WAITS_END);
	end_if_over(c);
}

static void verb_stop(struct conn *c, struct msg *req)
{
	uint64_t grace = STOP_GRACE_MSEC;

	if (req->words == 2 && parse_msec(req->word[1], &grace)) {
		conn_error(c, EINVAL, "stop: takes a time in seconds");
		return;
	}
	conn_wait_for(c, WAITS_STOP);
	vm_stop(c->vm, grace);
	end_if_over(c);
}

static void verb_kill(struct conn *c, struct msg *req)
{
	(void)req;
	vm_kill(c->vm);
	if (c->sock >= 0)
		conn_end(c);
}

static void verb_vsock(struct conn *c, struct msg *req)
{
	struct vm *vm = c->vm;
	uint64_t port, count = 1;
	int err;

	if (parse_u64(req->word[1], 0, UINT32_MAX - 1, &port) ||
	    (req->words == 3 && parse_u64(req->word[2], 1, VSOCK_DIAL_MAX, &count))) {
		conn_error(c, EINVAL, "vsock: takes a port and how many connections, 1 to 16");
		return;
	}
	if (vm->state == VM_ENDED) {
		conn_error(c, ESHUTDOWN, "the VM has ended");
		return;
	}
	err = vsock_dial(vm->vsock, c->id, (uint32_t)port, (unsigned int)count);
	if (err)
		conn_error(c, err, err == -ENOTCONN && vm->state == VM_PAUSED ? "vsock: the VM is paused" :
			   err == -ENOTCONN ? "vsock: the guest has no driver for it, or not yet" :
			   err == -EMFILE ? "vsock: too many connections" : "vsock: out of resources");
	else
		conn_wait_for(c, WAITS_DIAL);
}

static void verb_vsock_listen(struct conn *c, struct msg *req)
{
	struct msg m;
	uint64_t port;
	int pair[2], err;

	if (parse_u64(req->word[1], 0, UINT32_MAX - 1, &port)) {
		conn_error(c, EINVAL, "vsock-listen: takes a port");
		return;
	}
	if (port == PROTO_LIFE_PORT) {
		conn_error(c, EPERM, "vsock-listen: this port is for the agent");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		conn_error(c, errno, "vsock-listen: out of descriptors");
		return;
	}
	err = vsock_listen(c->vm->vsock, (uint32_t)port, &pair[0]);
	if (err) {
		close(pair[0]);
		close(pair[1]);
		conn_error(c, err, err == -EADDRINUSE ? "vsock-listen: another program listens on this port" :
			   "vsock-listen: too many listeners");
		return;
	}
	msg_init(&m);
	msg_add(&m, "ok");
	msg_add_fd(&m, &pair[1]);
	conn_reply(c, &m);
}

static void verb_dial(struct conn *c, struct msg *req)
{
	struct msg m;
	int pair[2];

	(void)req;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		conn_error(c, errno, "dial: out of descriptors");
		return;
	}
	if (!conn_add(c->ctl, &pair[0], false)) {
		close(pair[1]);
		conn_error(c, EMFILE, "dial: too many connections");
		return;
	}
	msg_init(&m);
	msg_add(&m, "ok");
	msg_add_fd(&m, &pair[1]);
	conn_reply(c, &m);
}

static void verb_net(struct conn *c, struct msg *req)
{
	int fd = net_control(c->vm->net);
	struct msg m;

	(void)req;
	if (fd < 0) {
		conn_error(c, ENOTCONN, net_interfaces(c->vm->net) ? "net: vm-net is not there" :
			   "net: the VM has no network: start it with `vm-net -- vm-boot ...`");
		return;
	}
	msg_init(&m);
	msg_add(&m, "ok");
	msg_add_fd(&m, &fd);
	conn_reply(c, &m);
}

static void verb_net_plug(struct conn *c, struct msg *req)
{
	autoclose int fd = msg_take_fd(req, 0);
	int type = -1, err;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		conn_error(c, EINVAL, "net-plug: takes a SOCK_SEQPACKET socket, of a network");
	else if (c->vm->state == VM_ENDED)
		conn_error(c, ESHUTDOWN, "the VM has ended");
	else if ((err = net_plug_in(c->vm->net, &fd, c->id)))
		conn_error(c, err, err == -ENOTCONN ? "net-plug: the VM has no card for it: start it with `vm-boot --net plug`" :
			   err == -EBUSY ? "net-plug: its card has a network already" : "net-plug: the network is not there");
	else
		conn_wait_for(c, WAITS_PLUG);
}

static const struct verb {
	const char *name;
	int min, max;           /* words after the verb */
	int fds;                /* descriptors it takes */
	void (*run)(struct conn *c, struct msg *req);
} verbs[] = {
	{ "status", 0, 0, 0, verb_status },
	{ "ready", 0, 1, 0, verb_ready },
	{ "console", 0, 3, 0, verb_console },
	{ "console-lost", 0, 0, 0, verb_console_lost },
	{ "console-size", 2, 2, 0, verb_console_size },
	{ "pause", 0, 0, 0, verb_pause },
	{ "resume", 0, 0, 0, verb_resume },
	{ "stop", 0, 1, 0, verb_stop },
	{ "kill", 0, 0, 0, verb_kill },
	{ "wait", 0, 0, 0, verb_wait },
	{ "dial", 0, 0, 0, verb_dial },
	{ "net", 0, 0, 0, verb_net },
	{ "net-plug", 0, 0, 1, verb_net_plug },
	{ "vsock", 1, 2, 0, verb_vsock },
	{ "vsock-listen", 1, 1, 0, verb_vsock_listen },
};

/**
 * verb_run() - answer a request
 * @c: where it came from; may be closed when this returns
 * @req: at least one word; descriptors that no verb takes stay in it
 */
void verb_run(struct conn *c, struct msg *req)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		const struct verb *v = &verbs[i];

		if (strcmp(req->word[0], v->name))
			continue;
		if (c->shared && v->run != verb_dial)
			conn_error(c, EPERM, "this connection is shared: dial a private one first");
		else if (req->words - 1 < v->min || req->words - 1 > v->max)
			conn_error(c, EINVAL, "wrong number of words for this verb");
		else if (req->fds != v->fds)
			conn_error(c, EINVAL, "wrong number of descriptors for this verb");
		else
			v->run(c, req);
		return;
	}
	conn_error(c, ENOSYS, "unknown verb");
}

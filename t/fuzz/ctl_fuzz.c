// SPDX-License-Identifier: ISC
/* ctl_fuzz.c - any packet on the control socket of a VM whose engine does nothing. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "ctl.h"
#include "engine.h"
#include "hub.h"
#include "loop.h"
#include "util.h"
#include "vm.h"
#include "worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int agree(struct vm *vm)
{
	(void)vm;
	return 0;
}

static void nothing(struct vm *vm)
{
	(void)vm;
}

static int resize(struct vm *vm, uint16_t cols, uint16_t rows)
{
	(void)vm;
	if (!cols || !rows)
		abort();
	return 0;
}

static const struct engine engine = {
	.name = "fuzz", .start = agree, .pause = agree, .resume = agree, .power_button = nothing,
	.console_size = resize, .halt = nothing, .free = nothing,
};

/* Packets of one input are separated by 0xff. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm vm = { .rundir = RUNDIR_INIT, .log_fd = -1, .notify_fd = -1, .grace_timer = -1, .timeout_timer = -1,
			 .drain_timer = -1, .parent_id = -1, .engine = &engine };
	int pair[2], fd, n;
	struct conn *c;
	struct msg m;

	vm.cfg.status_fd = vm.cfg.ready_fd = -1;
	if (vm_init(&vm) || !(vm.ctl = ctl_new(&vm)) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	vm.state = VM_RUNNING;
	fd = pair[0];
	c = conn_add(vm.ctl, &pair[0], size && data[0] == 0xfe);
	while (size && c->sock == fd && c->waits == WAITS_NOT) {
		const uint8_t *end = memchr(data, 0xff, size);
		size_t len = end ? (size_t)(end - data) : size;

		send(pair[1], data, MIN(len, (size_t)5000), MSG_DONTWAIT | MSG_NOSIGNAL);
		n = msg_recv(c->sock, &m, false);
		if (n == 1) {
			verb_run(c, &m);
			msg_drop(&m);
		}
		while (msg_recv(pair[1], &m, false) == 1)
			msg_drop(&m);
		data += len + !!end;
		size -= len + !!end;
	}
	close(pair[1]);
	vm_ended(&vm, CAUSE_POWEROFF);
	vm_free(&vm);
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * life_link_fuzz.c - agents that say anything on the life-cycle link, to a VM that does things meanwhile.
 *
 * The input is deeds: a byte that says which, and on which of some links; a length; bytes. What comes back on a link are
 * records that the host may send, what is known of the main command stays, and one link at most is taken.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "agent.h"
#include "loop.h"
#include "msg.h"
#include "proto.h"
#include "util.h"
#include "vm.h"
#include "vsock_conn.h"
#include "watchdog.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIALS = 6, SETTLING = 16, INPUT_MAX = 4096 };

struct dial {
	int fd;                         /* the agent's end, -1: none */
	struct wire_in in;              /* what the host says there */
	bool greeted;
};

static struct vm vm;
static struct dial dials[DIALS];
static const uint8_t *input;
static size_t left;
static unsigned int settling;
static int status;                      /* of the main command, -1: not known */

static void sane(bool ok)
{
	if (!ok)
		abort();
}

/* -- what the host says -- */

static void heard(struct dial *d, const struct wire_record *r)
{
	uint64_t cookie;
	uint8_t size[4];
	char text[NETCONF_WORDS];

	sane(d->greeted == (r->type != PROTO_LIFE_WELCOME));
	switch (r->type) {
	case PROTO_LIFE_WELCOME:
		d->greeted = true;
		break;
	case PROTO_LIFE_ACKNOWLEDGED:
	case PROTO_LIFE_STOP:
		break;
	case PROTO_WINSIZE:
		sane(wire_get_bytes(r, PROTO_K_SIZE, size, sizeof(size)));
		break;
	case PROTO_LIFE_NET:
		sane(wire_get_text(r, PROTO_K_NET, text, sizeof(text)) && *text);
		/* FALLTHROUGH */
	case PROTO_LIFE_PING:
		sane(wire_get_u64(r, PROTO_K_COOKIE, &cookie) && cookie);
		break;
	default:
		abort();
	}
}

static void hang_up(struct dial *d)
{
	cleanup_fd(&d->fd);
	wire_in_free(&d->in);
	d->greeted = false;
}

static void listen_to(struct dial *d)
{
	struct wire_record r;
	size_t room;
	void *at;
	ssize_t n;
	int e;

	if (d->fd < 0)
		return;
	at = wire_room(&d->in, &room);
	n = recv(d->fd, at, room, MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			hang_up(d);
		return;
	}
	wire_got(&d->in, (size_t)n);
	while ((e = wire_next(&d->in, &r)) == 1) {
		heard(d, &r);
		wire_take(&d->in);
	}
	sane(e == 0);
}

/* -- deeds -- */

/* The device hands a guest's connection over, from a port that may be too high. */
static void do_dial(struct dial *d, unsigned int port)
{
	struct msg m;
	int pair[2], i = 0;

	if (d->fd >= 0)
		return;
	while (vm.vsock->listener[i].sock < 0 || vm.vsock->listener[i].port != PROTO_LIFE_PORT)
		i++;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	msg_init(&m);
	msg_addf(&m, "%u", port);
	msg_add_fd(&m, &pair[0]);
	if (msg_send(vm.vsock->listener[i].sock, &m))
		abort();
	d->fd = pair[1];
	d->greeted = false;
	wire_in_init(&d->in, WIRE_SMALL);
}

/* A record that is well-formed: type, then fields as kind and value, some as the host knows them. */
static void do_record(struct dial *d, const uint8_t *b, size_t len)
{
	static const uint8_t kinds[] = {
		PROTO_K_VERSION, PROTO_K_TOKEN, PROTO_K_STATUS, PROTO_K_SIGNAL, PROTO_K_COOKIE, PROTO_K_BOOT_ID,
	};
	struct wire_out w;
	size_t i;

	wire_begin(&w, b[0] & 0x80 ? b[0] & 0x7f : PROTO_LIFE_HELLO + b[0] % (PROTO_LIFE_NET_SET - PROTO_LIFE_HELLO + 1));
	for (i = 1; i + 1 < len; i += 2) {
		uint8_t kind = kinds[b[i] % sizeof(kinds)];

		if (kind == PROTO_K_TOKEN)
			wire_put(&w, kind, b[i + 1] & 1 ? vm.cfg.token : input, b[i + 1] & 2 ? 3 : sizeof(vm.cfg.token));
		else if (kind == PROTO_K_COOKIE)
			wire_put_u64(&w, kind, b[i + 1]);
		else
			wire_put_u32(&w, kind, b[i + 1] & 0x80 ? b[i + 1] * 4u : b[i + 1]);
	}
	if (!wire_end(&w) && send(d->fd, w.data, w.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		hang_up(d);
	wire_drop(&w);
}

static void do_vm(const uint8_t *b, size_t len)
{
	static const char *const words[] = { "", "52:54:00:12:34:56 addr=10.0.0.1/8", "52:54:00:12:34:56" };
	uint64_t asker = 7;

	switch (b[0] % 4) {
	case 0:
		agent_stop(vm.agent);
		break;
	case 1:
		agent_ping(vm.agent, 1 + b[0]);
		break;
	case 2:
		agent_size(vm.agent, 80, (uint16_t)len);
		break;
	default:
		agent_net(vm.agent, b[0] / 4 % NETCONF_MAX, words[b[0] / 32 % ARRAY_SIZE(words)], b[0] & 16 ? &asker : NULL);
	}
}

static void deed(unsigned int what, const uint8_t *b, size_t len)
{
	struct dial *d = &dials[what / 8 % DIALS];

	if (what % 8 == 0)
		do_dial(d, len * 8);
	else if (what % 8 == 1)
		hang_up(d);
	else if (what % 8 == 2 && len)
		do_vm(b, len);
	else if (d->fd >= 0 && what % 8 < 6 && len)
		do_record(d, b, len);
	else if (d->fd >= 0 && send(d->fd, b, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		hang_up(d);
}

static void look(void)
{
	unsigned int i;
	int now;

	for (i = 0; i < DIALS; i++)
		listen_to(&dials[i]);
	sane(agent_state(vm.agent) < AGENT_STATES);
	if (!agent_exited(vm.agent, &now))
		return;
	sane(now >= 0 && now < 128 + 65 + 128 && now <= 255 && (status < 0 || now == status));
	status = now;
}

/* One deed a turn of the loop; afterwards every agent leaves, and the VM has its time to notice. */
static void on_turn(void *arg, uint32_t events)
{
	unsigned int i, what;
	size_t len;

	(void)arg;
	(void)events;
	look();
	if (left >= 2) {
		what = input[0];
		len = MIN((size_t)input[1], left - 2);
		input += 2;
		left -= 2;
		deed(what, input, len);
		input += len;
		left -= len;
		return;
	}
	for (i = 0; i < DIALS && settling == SETTLING; i++)
		hang_up(&dials[i]);
	if (!settling--)
		loop_stop(vm.loop);
}

/* A VM that runs; of it, the agent's side is new for every input. */
static void make_vm(void)
{
	int turn = eventfd(1, EFD_CLOEXEC);
	unsigned int i;

	vm = (struct vm){ .rundir = RUNDIR_INIT, .log_fd = -1, .notify_fd = -1, .grace_timer = -1, .timeout_timer = -1,
			  .drain_timer = -1, .parent_id = -1, .state = VM_RUNNING };
	memset(vm.cfg.token, 't', sizeof(vm.cfg.token));
	vm.cfg.watchdog_msec = 100000000;
	for (i = 0; i < DIALS; i++)
		dials[i].fd = -1;
	if (turn < 0 || vm_init(&vm) || loop_add(vm.loop, turn, EPOLLIN, on_turn, NULL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int i;

	if (size > INPUT_MAX)
		return 0;
	if (!vm.loop)
		make_vm();
	agent_free(vm.agent);
	vm.agent = agent_new(&vm);
	/* The bytes of a token that is wrong are at @input, too. */
	input = data;
	left = size < PROTO_ID ? 0 : size - PROTO_ID;
	settling = SETTLING;
	status = -1;
	if (!vm.agent || loop_run(vm.loop))
		abort();
	for (i = 0; i < DIALS; i++)
		hang_up(&dials[i]);
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * agent.c - the life-cycle link to vm-agent in the guest (proto.h).
 *
 * The agent dials; nobody polls. Of every dial the guest's port must be below 1024, which takes root there, and the
 * hello must carry the token that its init was given (seed.c). A link that greets so replaces the one before. An agent
 * that is a service of another init has no token, for our file went with the first file system: it is
 * believed as long as no agent with the token has been there, and replaces nobody. If it asks for the config it gets it
 * with the welcome: the one large record here, which may wait until the guest takes it.
 *
 *	link	FREE --a dial--> GREETING --hello, token--> UP --its end, a newer one, malformed--> FREE
 *		GREETING --5 s, anything but hello--> FREE
 *
 *	agent	ABSENT --hello--> GREETED --ready--> READY
 *		GREETED, READY --the link's end--> the same for a moment --no new link--> LOST
 *		... --the link was closed as malformed--> the same for a moment --no new link--> BROKEN
 *		LOST, BROKEN --hello--> GREETED
 *
 * Timers are made before the sandbox shuts, one a link.
 *
 * The main command's end is told once and kept: `exited` is acknowledged each time it comes, and counted
 * the first time. What the guest sends is hostile: small records, bounded by wire.c; that it does not read our few words
 * ends its link.
 */
#include "agent.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "ctl.h"
#include "log.h"
#include "loop.h"
#include "msg.h"
#include "notify.h"
#include "opts.h"
#include "proto.h"
#include "seed.h"
#include "sendq.h"
#include "util.h"
#include "virtio_vsock.h"
#include "vm.h"
#include "watchdog.h"
#include "wire.h"

enum { LINKS = 4, GREETING_MSEC = 5000, RETURN_MSEC = 3000, NET_MSEC = 10000, ROOT_PORTS = 1024, QUEUE_MAX = 64 << 10 };

/* What a card was told to be while the VM ran. */
struct card {
	char words[NETCONF_WORDS];      /* "": nothing, the config said it all */
	uint64_t cookie;                /* of these words */
	bool asked;                     /* @asker waits until they are heard */
	uint64_t asker;
};

enum link_state { LINK_FREE, LINK_GREETING, LINK_UP };

struct link {
	struct agent *a;
	enum link_state state;
	int fd, watch, timer;
	struct wire_in in;
	struct sendq out;
};

struct agent {
	struct vm *vm;
	enum agent_state state;
	int listener, listener_id;
	int return_timer;               /* armed while a lost link may come back */
	bool proven;                    /* an agent with the token has been there */
	bool broken;                    /* the last link was closed for what came over it */
	bool exited;
	int status;                     /* of the main command, as exit statuses are */
	uint16_t cols, rows;            /* of the console; 0: never told */
	struct card card[NETCONF_MAX];
	uint64_t cookie;                /* the last one */
	int net_timer;                  /* runs while a card's asker waits */
	struct link link[LINKS];
};

static const char *const state_names[] = {
	[AGENT_ABSENT] = "absent",
	[AGENT_GREETED] = "greeted",
	[AGENT_READY] = "ready",
	[AGENT_LOST] = "lost",
	[AGENT_BROKEN] = "broken",
};
_Static_assert(ARRAY_SIZE(state_names) == AGENT_STATES, "a name for every state");

/** agent_state_name() - a state's word in the control protocol. @s. Return: static string. */
const char *agent_state_name(enum agent_state s)
{
	return state_names[s];
}

/** agent_state() - where the agent stands. @a. Return: so. */
enum agent_state agent_state(const struct agent *a)
{
	return a->state;
}

/** agent_absence() - why there is no agent to take commands, for a person. @a: LOST or BROKEN. Return: static string. */
const char *agent_absence(const struct agent *a)
{
	return a->state == AGENT_BROKEN ? "the agent in the guest broke the protocol, and did not come back" :
					  "the agent in the guest was lost";
}

/** agent_broken() - whether what the agent sent was the end of its last link. @a. Return: so. */
bool agent_broken(const struct agent *a)
{
	return a->broken;
}

/** agent_exited() - whether the main command ended. @a. @status: set when it did. Return: so. */
bool agent_exited(const struct agent *a, int *status)
{
	if (a->exited)
		*status = a->status;
	return a->exited;
}

static struct link *up(struct agent *a)
{
	int i;

	for (i = 0; i < LINKS; i++)
		if (a->link[i].state == LINK_UP)
			return &a->link[i];
	return NULL;
}

/* The network is there, whatever the guest makes of it. */
static void answer(struct card *c, struct agent *a)
{
	bool asked = c->asked;

	c->asked = false;
	if (asked)
		ctl_tell_plugged(a->vm->ctl, c->asker, 0, NULL);
}

static void answer_all(struct agent *a)
{
	int i;

	for (i = 0; i < NETCONF_MAX; i++)
		answer(&a->card[i], a);
}

static void on_net_timeout(void *arg, uint32_t events)
{
	(void)events;
	answer_all(arg);
}

static void drop(struct link *l)
{
	struct agent *a = l->a;
	struct loop *loop = a->vm->loop;
	bool was_up = l->state == LINK_UP;

	loop_del(loop, &l->watch);
	loop_timer_set(loop, l->timer, 0);
	cleanup_fd(&l->fd);
	wire_in_free(&l->in);
	sendq_drop(&l->out);
	l->state = LINK_FREE;
	if (was_up && !a->exited)
		loop_timer_set(loop, a->return_timer, RETURN_MSEC);
	if (was_up)
		answer_all(a);
}

static void on_return_timeout(void *arg, uint32_t events)
{
	struct agent *a = arg;

	(void)events;
	if (up(a) || a->vm->state == VM_ENDED || a->vm->state == VM_STOPPING)
		return;
	if (a->vm->state == VM_PAUSED) {
		loop_timer_set(a->vm->loop, a->return_timer, RETURN_MSEC);
		return;
	}
	a->state = a->broken ? AGENT_BROKEN : AGENT_LOST;
	warn("%s", agent_absence(a));
	ctl_tell_agent(a->vm->ctl);
}

/* Send a record. A config may wait, and few words may behind it; who does not read those alone loses its link. */
static void send_record(struct link *l, struct wire_out *w)
{
	size_t most = l->out.data || w->len > WIRE_SMALL ? WIRE_LARGE + QUEUE_MAX : 0;

	if (wire_end(w) || sendq_put(&l->out, l->fd, w->data, w->len, most))
		drop(l);
	else
		loop_mod(l->a->vm->loop, l->watch, l->out.data ? EPOLLIN | EPOLLOUT : EPOLLIN);
	wire_drop(w);
}

static void say(struct link *l, unsigned int type)
{
	struct wire_out w;

	wire_begin(&w, type);
	send_record(l, &w);
}

static void say_size(struct link *l)
{
	struct wire_out w;
	uint8_t size[4];

	put_le16(size, l->a->cols);
	put_le16(size + 2, l->a->rows);
	wire_begin(&w, PROTO_WINSIZE);
	wire_put(&w, PROTO_K_SIZE, size, sizeof(size));
	send_record(l, &w);
}

static void say_net(struct link *l, const struct card *c)
{
	struct wire_out w;

	wire_begin(&w, PROTO_LIFE_NET);
	wire_put_u64(&w, PROTO_K_COOKIE, c->cookie);
	wire_put_text(&w, PROTO_K_NET, c->words);
	send_record(l, &w);
}

/* What an init finds in its file system (seed.c). */
static void say_config(struct link *l)
{
	struct wire_out w;

	seed_record(&l->a->vm->cfg, &w);
	send_record(l, &w);
}

/* Take the link, and give what a machine without a clock or a source of chance lacks. */
static void say_welcome(struct link *l)
{
	uint8_t seed[PROTO_SEED];
	struct timespec now;
	struct wire_out w;
	int i;

	clock_gettime(CLOCK_REALTIME, &now);
	wire_begin(&w, PROTO_LIFE_WELCOME);
	wire_put_u64(&w, PROTO_K_TIME, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	if (getrandom(seed, sizeof(seed), 0) == sizeof(seed))
		wire_put(&w, PROTO_K_SEED, seed, sizeof(seed));
	send_record(l, &w);
	if (l->state == LINK_UP && l->a->cols)
		say_size(l);
	for (i = 0; i < NETCONF_MAX && l->state == LINK_UP; i++)
		if (*l->a->card[i].words)
			say_net(l, &l->a->card[i]);
}

/* Return: false for what is no hello. A refused one ends the link. */
static bool hello(struct link *l, const struct wire_record *r)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	const struct vm_config *c = &l->a->vm->cfg;
	uint8_t token[sizeof(c->token)];
	uint32_t version, flags = 0;
	struct link *old;
	bool proven;

	if (r->type != PROTO_LIFE_HELLO || !wire_get_u32(r, PROTO_K_VERSION, &version))
		return false;
	if (version != PROTO_VERSION) {
		warn_limited(&limit, "the agent in the guest speaks version %u, this vm-boot %d: build the image anew",
			     version, PROTO_VERSION);
		drop(l);
		return true;
	}
	wire_get_u32(r, PROTO_K_FLAGS, &flags);
	old = up(l->a);
	proven = wire_get_bytes(r, PROTO_K_TOKEN, token, sizeof(token));
	if (proven ? memcmp(token, c->token, sizeof(token)) != 0 : l->a->proven || old) {
		warn_limited(&limit, "an agent without the token was refused");
		debug("agent: a link is closed");
		drop(l);
		return true;
	}
	l->a->proven |= proven;
	if (old)
		drop(old);
	loop_timer_set(l->a->vm->loop, l->a->return_timer, 0);
	loop_timer_set(l->a->vm->loop, l->timer, 0);
	assert(l->state == LINK_GREETING);
	l->state = LINK_UP;
	l->a->state = AGENT_GREETED;
	l->a->broken = false;
	say_welcome(l);
	if (l->state == LINK_UP && !proven && c->command && (flags & PROTO_ASKS_CONFIG))
		say_config(l);
	return true;
}

static bool exited(struct agent *a, const struct wire_record *r)
{
	uint32_t n;
	int status;

	if (wire_get_u32(r, PROTO_K_STATUS, &n) && n <= 255)
		status = (int)n;
	else if (wire_get_u32(r, PROTO_K_SIGNAL, &n) && n >= 1 && n <= 64)
		status = 128 + (int)n;
	else
		return false;
	if (!a->exited) {
		a->exited = true;
		a->status = status;
	}
	return true;
}

/* Return: false for what has no place here. @l may be free afterwards either way. */
static bool record(struct link *l, const struct wire_record *r)
{
	struct agent *a = l->a;
	uint64_t cookie;
	int i;

	if (l->state == LINK_GREETING)
		return hello(l, r);
	switch (r->type) {
	case PROTO_LIFE_READY:
		if (a->state == AGENT_READY)
			return true;
		a->state = AGENT_READY;
		notify_say(a->vm->notify_fd, "READY=1");
		ctl_tell_agent(a->vm->ctl);
		return true;
	case PROTO_LIFE_EXITED:
		if (!exited(a, r))
			return false;
		say(l, PROTO_LIFE_ACKNOWLEDGED);
		return true;
	case PROTO_LIFE_PONG:
		if (!wire_get_u64(r, PROTO_K_COOKIE, &cookie))
			return false;
		watchdog_answered(a->vm->watchdog, cookie);
		return true;
	case PROTO_LIFE_NET_SET:
		if (!wire_get_u64(r, PROTO_K_COOKIE, &cookie))
			return false;
		for (i = 0; i < NETCONF_MAX; i++)
			if (a->card[i].cookie == cookie)
				answer(&a->card[i], a);
		return true;
	default:
		return false;
	}
}

/* Send on. Return: whether the link ended by that. */
static bool flush(struct link *l)
{
	if (sendq_flush(&l->out, l->fd)) {
		drop(l);
		return true;
	}
	if (!l->out.data)
		loop_mod(l->a->vm->loop, l->watch, EPOLLIN);
	return false;
}

static void on_link(void *arg, uint32_t events)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct link *l = arg;
	struct wire_record r;
	size_t room;
	void *at = wire_room(&l->in, &room);
	ssize_t n = at ? recv(l->fd, at, room, MSG_DONTWAIT) : -1;
	int e = 0;

	if ((events & EPOLLOUT) && flush(l))
		return;
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && at)
		return;
	if (n <= 0) {
		drop(l);
		return;
	}
	wire_got(&l->in, (size_t)n);
	while (l->state != LINK_FREE && (e = wire_next(&l->in, &r)) == 1) {
		if (!record(l, &r)) {
			e = -EPROTO;
			break;
		}
		if (l->state != LINK_FREE)
			wire_take(&l->in);
	}
	if (e >= 0 || l->state == LINK_FREE)
		return;
	warn_limited(&limit, "the agent in the guest sent what it must not: its link is closed");
	l->a->broken |= l->state == LINK_UP;
	drop(l);
}

static void on_greeting_timeout(void *arg, uint32_t events)
{
	struct link *l = arg;

	(void)events;
	if (l->state == LINK_GREETING)
		drop(l);
}

static void add_link(struct agent *a, int *fd)
{
	struct loop *loop = a->vm->loop;
	struct link *l = NULL;
	int i;

	for (i = 0; i < LINKS && !l; i++)
		if (a->link[i].state == LINK_FREE)
			l = &a->link[i];
	if (!l)
		return;         /* the caller closes it: the agent dials again */
	l->state = LINK_GREETING;
	l->fd = steal_fd(fd);
	wire_in_init(&l->in, WIRE_SMALL);
	l->watch = loop_add(loop, l->fd, EPOLLIN, on_link, l);
	if (l->watch < 0)
		drop(l);
	else
		loop_timer_set(loop, l->timer, GREETING_MSEC);
}

static void on_dial(void *arg, uint32_t events)
{
	struct agent *a = arg;
	autoclose int fd = -1;
	uint64_t port;
	struct msg m;

	(void)events;
	if (msg_recv(a->listener, &m, false) <= 0)
		return;
	fd = msg_take_fd(&m, 0);
	if (fd >= 0 && !parse_u64(m.word[0], 0, ROOT_PORTS - 1, &port))
		add_link(a, &fd);
	msg_drop(&m);
}

/**
 * agent_stop() - ask the agent to end the machine
 * @a: any state
 * Return: whether there is an agent to ask.
 */
bool agent_stop(struct agent *a)
{
	struct link *l = up(a);

	if (!l)
		return false;
	say(l, PROTO_LIFE_STOP);
	return l->state == LINK_UP;
}

/** agent_ping() - ask for a sign of life, if there is a link. @a: any state. @cookie: for watchdog_answered(). */
void agent_ping(struct agent *a, uint64_t cookie)
{
	struct link *l = up(a);
	struct wire_out w;

	if (!l)
		return;
	wire_begin(&w, PROTO_LIFE_PING);
	wire_put_u64(&w, PROTO_K_COOKIE, cookie);
	send_record(l, &w);
}

/**
 * agent_size() - tell the console's size, now and to every link to come
 * @a: any state
 * @cols, @rows: not 0
 */
void agent_size(struct agent *a, uint16_t cols, uint16_t rows)
{
	struct link *l = up(a);

	a->cols = cols;
	a->rows = rows;
	if (l)
		say_size(l);
}

/**
 * agent_net() - tell what a network card is to be from now on, now and to every link to come
 * @a: any state
 * @i: which card
 * @words: netconf_words() of it
 * @asker: of the control socket, who is answered when the guest has heard it, or there is nobody to hear; NULL: nobody
 */
void agent_net(struct agent *a, unsigned int i, const char *words, const uint64_t *asker)
{
	struct card *c = &a->card[i];
	struct link *l = up(a);

	answer(c, a);
	snprintf(c->words, sizeof(c->words), "%s", words);
	c->cookie = ++a->cookie;
	c->asked = asker;
	c->asker = asker ? *asker : 0;
	if (l && *words)
		say_net(l, c);
	if (!l || !*words || l->state != LINK_UP)
		answer(c, a);
	else
		loop_timer_set(a->vm->loop, a->net_timer, NET_MSEC);
}

/** agent_new() - wait for the guest's agent. @vm: with loop and vsock; borrowed. Return: it, or NULL. */
struct agent *agent_new(struct vm *vm)
{
	struct agent *a = calloc(1, sizeof(*a));
	int pair[2], i;

	if (!a)
		return NULL;
	*a = (struct agent){ .vm = vm, .listener = -1, .listener_id = -1, .return_timer = -1, .net_timer = -1 };
	for (i = 0; i < LINKS; i++)
		a->link[i] = (struct link){ .a = a, .fd = -1, .watch = -1,
					    .timer = loop_timer(vm->loop, on_greeting_timeout, &a->link[i]) };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(a);
		return NULL;
	}
	a->listener = pair[1];
	a->listener_id = loop_add(vm->loop, a->listener, EPOLLIN, on_dial, a);
	a->return_timer = loop_timer(vm->loop, on_return_timeout, a);
	a->net_timer = loop_timer(vm->loop, on_net_timeout, a);
	if (a->listener_id < 0 || a->return_timer < 0 || a->net_timer < 0 || a->link[LINKS - 1].timer < 0 ||
	    vsock_listen(vm->vsock, PROTO_LIFE_PORT, &pair[0])) {
		close(pair[0]);
		agent_free(a);
		return NULL;
	}
	return a;
}

/** agent_free() - end the link. @a: may be NULL. */
void agent_free(struct agent *a)
{
	int i;

	if (!a)
		return;
	for (i = 0; i < LINKS; i++) {
		if (a->link[i].state != LINK_FREE)
			drop(&a->link[i]);
		loop_timer_del(a->vm->loop, &a->link[i].timer);
	}
	loop_del(a->vm->loop, &a->listener_id);
	loop_timer_del(a->vm->loop, &a->return_timer);
	loop_timer_del(a->vm->loop, &a->net_timer);
	cleanup_fd(&a->listener);
	free(a);
}

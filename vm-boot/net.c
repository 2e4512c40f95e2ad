// SPDX-License-Identifier: ISC
/*
 * net.c - the VM's network interfaces: who is at their cables' ends.
 *
 * Each has a card, which is the engine's, and one peer at a time:
 *
 *	UP	the card has a peer's socket
 *	WAITS	there is none; a timer runs, for a path or a control socket
 *	ASKED	the control socket was asked for frames
 *	LISTENS	the next one who connects is taken
 *	GONE	there is none, and there will be none unless one is plugged in
 *
 *	UP --net_lost--> WAITS, LISTENS or GONE, by where peers come from
 *	WAITS --timer: connected--> UP; asked--> ASKED; neither--> WAITS, for twice as long, up to BACKOFF_MAX
 *	ASKED --ok--> UP; error--> WAITS; its end--> WAITS with a path, else GONE
 *	GONE, WAITS --net_plug_in()--> ASKED --ok--> UP; anything else--> GONE
 *	LISTENS --somebody connects--> UP
 *
 * Plugged in can be what a control socket without a path is for: a card of `--net plug`, or that of a VM_NET=fd:N which has
 * ended. It is asked once, and its control socket is then for others, who dial there; its end is the frames' end.
 * What the guest is to know of it, and how it went, the main loop hears as news.
 *
 * The wait is short again after a peer that stayed for USEFUL_MSEC. One thread serves all cards; it has a working
 * directory of its own, from which it connects: the machine is confined by then and sees no other path.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "fds.h"
#include "log.h"
#include "loop.h"
#include "msg.h"
#include "netconf.h"
#include "util.h"
#include "worker.h"

enum { BACKOFF_MIN = 50, BACKOFF_MAX = 2000, USEFUL_MSEC = 5000, ANSWER_MSEC = 10000 };

enum state { STATE_UP, STATE_WAITS, STATE_ASKED, STATE_LISTENS, STATE_GONE };

struct iface {
	struct net *net;
	struct net_config config;
	struct net_card card;
	enum state state;
	int watch, timer;
	unsigned int backoff;           /* msec */
	uint64_t since;                 /* UP: when it began, msec */
	uint64_t asker;                 /* who plugged it in */
	bool has_news;                  /* nobody took @news yet */
	struct net_news news;
};

struct net {
	struct worker *worker;
	int spare;                      /* see fds_accept() */
	int event;                      /* eventfd: there is news */
	bool own_directory;
	unsigned int count;
	struct iface iface[NETCONF_MAX];
};

static struct loop *loop_of(struct iface *f)
{
	return worker_loop(f->net->worker);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void wait_again(struct iface *f)
{
	loop_del(loop_of(f), &f->watch);
	f->state = STATE_WAITS;
	loop_timer_set(loop_of(f), f->timer, f->backoff);
	f->backoff = MIN(2 * f->backoff, (unsigned int)BACKOFF_MAX);
}

static void up(struct iface *f, int *fd)
{
	loop_del(loop_of(f), &f->watch);
	loop_timer_set(loop_of(f), f->timer, 0);
	f->state = STATE_UP;
	f->since = now();
	if (f->card.attach(f->card.card, fd))
		net_lost(f);
}

static void on_listener(void *arg, uint32_t events)
{
	struct iface *f = arg;
	autoclose int fd = fds_accept(f->config.listener, &f->net->spare);

	(void)events;
	if (fd >= 0)
		up(f, &fd);
}

static void listen_again(struct iface *f)
{
	f->watch = loop_add(loop_of(f), f->config.listener, EPOLLIN, on_listener, f);
	f->state = f->watch < 0 ? STATE_GONE : STATE_LISTENS;
}

static void gone(struct iface *f)
{
	loop_del(loop_of(f), &f->watch);
	loop_timer_set(loop_of(f), f->timer, 0);
	cleanup_fd(&f->config.control);
	cleanup_fd(&f->config.shared);
	f->state = STATE_GONE;
}

/* Whether who is asked was plugged in: VM_NET=fd:N has a socket that it shares. */
static bool plugging(const struct iface *f)
{
	return f->state == STATE_ASKED && f->config.dir < 0 && f->config.shared < 0;
}

/* What there is to tell of an interface; later news is the better one. */
static void tell(struct iface *f, bool answers, int err, const char *why)
{
	uint64_t one = 1;

	f->has_news = true;
	f->news = (struct net_news){ .i = (unsigned int)(f - f->net->iface), .answers = answers, .asker = f->asker, .err = err };
	snprintf(f->news.why, sizeof(f->news.why), "%s", why);
	netconf_words(&f->config, f->news.words, sizeof(f->news.words));
	if (write(f->net->event, &one, sizeof(one)) < 0)
		warn("cannot wake the main loop: %s", errstr(errno));
}

static void refused(struct iface *f, int err, const char *why)
{
	gone(f);
	tell(f, true, err, why);
}

/* Frames came with the answer. */
static void taken(struct iface *f, const char *before)
{
	char words[NETCONF_WORDS];
	bool plugged = plugging(f);

	netconf_words(&f->config, words, sizeof(words));
	if (plugged)
		f->config.shared = steal_fd(&f->config.control);
	up(f, &f->config.fd);
	if (plugged && f->state != STATE_UP)
		refused(f, -EIO, "its frames cannot be watched");
	else if (plugged || strcmp(words, before))
		tell(f, plugged, 0, "");
}

/* The control socket's answer, or its end. */
static void on_answer(void *arg, uint32_t events)
{
	struct iface *f = arg;
	char why[160] = "it has ended", before[NETCONF_WORDS];
	struct msg m;
	int n = msg_recv(f->config.control, &m, false), err = -EPIPE;

	(void)events;
	if (n == -EAGAIN)
		return;
	netconf_words(&f->config, before, sizeof(before));
	if (n > 0)
		err = netconf_reply_again(&f->config, &m, why, sizeof(why));
	if (!err) {
		taken(f, before);
		return;
	}
	if (plugging(f)) {
		refused(f, err, why);
		return;
	}
	debug("network: VM_NET gives no frames: %s", why);
	if (n > 0) {
		wait_again(f);
		return;
	}
	loop_del(loop_of(f), &f->watch);
	cleanup_fd(&f->config.control);
	if (f->config.dir >= 0)
		wait_again(f);
	else
		gone(f);
}

static int dial(struct iface *f, int type)
{
	if (!f->net->own_directory && unshare(CLONE_FS) < 0)
		return -errno;
	f->net->own_directory = true;
	return netconf_connect(&f->config, type);
}

static int ask_for_frames(struct iface *f)
{
	int err;

	if (f->config.control < 0)
		f->config.control = dial(f, SOCK_SEQPACKET);
	if (f->config.control < 0) {
		err = f->config.control;
		f->config.control = -1;
		return err;
	}
	err = netconf_ask(&f->config);
	if (err) {
		cleanup_fd(&f->config.control);
		return err;
	}
	f->watch = loop_add(loop_of(f), f->config.control, EPOLLIN, on_answer, f);
	f->state = STATE_ASKED;
	loop_timer_set(loop_of(f), f->timer, ANSWER_MSEC);
	return MIN(f->watch, 0);
}

/* It is time to try, or the answer took too long. */
static void on_timer(void *arg, uint32_t events)
{
	struct iface *f = arg;
	int fd, err;

	(void)events;
	if (plugging(f)) {
		refused(f, -ETIMEDOUT, "it does not answer");
	} else if (f->state == STATE_ASKED) {
		wait_again(f);
		if (f->config.dir >= 0)
			cleanup_fd(&f->config.control);
	} else if (f->state == STATE_WAITS && f->config.from == NET_FROM_PATH) {
		fd = dial(f, SOCK_STREAM);
		if (fd >= 0)
			up(f, &fd);
		else
			wait_again(f);
	} else if (f->state == STATE_WAITS) {
		err = ask_for_frames(f);
		if (err && f->config.control < 0 && f->config.dir < 0)
			gone(f);
		else if (err)
			wait_again(f);
	}
}

/**
 * net_lost() - a card's peer has left
 * @arg: net_lost_arg() of it; as the worker
 */
void net_lost(void *arg)
{
	struct iface *f = arg;

	if (now() - f->since >= USEFUL_MSEC)
		f->backoff = BACKOFF_MIN;
	if (f->config.from == NET_FROM_FD)
		f->state = STATE_GONE;
	else if (f->config.from == NET_FROM_LISTENER)
		listen_again(f);
	else if (f->config.from == NET_FROM_CONTROL && f->config.dir < 0 && f->config.control < 0)
		gone(f);        /* what was plugged in, or nothing yet */
	else
		wait_again(f);
}

/**
 * net_new() - a VM's interfaces
 * @config, @n: taken over, descriptors, too, on failure as well
 * Return: them, freed with net_free(); NULL with errno.
 */
struct net *net_new(const struct net_config *config, unsigned int n)
{
	struct net *net = calloc(1, sizeof(*net));
	unsigned int i;

	if (!net)
		return NULL;
	net->spare = eventfd(0, EFD_CLOEXEC);
	net->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	net->count = n;
	for (i = 0; i < n; i++)
		net->iface[i] = (struct iface){
			.net = net, .config = config[i], .watch = -1, .timer = -1, .backoff = BACKOFF_MIN,
		};
	net->worker = worker_new("net");
	for (i = 0; i < n && net->worker; i++)
		net->iface[i].timer = loop_timer(worker_loop(net->worker), on_timer, &net->iface[i]);
	if (!net->worker || net->iface[n - 1].timer < 0 || net->event < 0) {
		net_free(net);
		return NULL;
	}
	return net;
}

/** net_stop() - stop the thread. @net: may be NULL. */
void net_stop(struct net *net)
{
	if (net)
		worker_stop(net->worker);
}

/** net_free() - free it, after the cards. @net: stopped; may be NULL. */
void net_free(struct net *net)
{
	unsigned int i;

	if (!net)
		return;
	for (i = 0; i < net->count; i++) {
		struct iface *f = &net->iface[i];

		if (net->worker) {
			loop_del(worker_loop(net->worker), &f->watch);
			loop_timer_del(worker_loop(net->worker), &f->timer);
		}
		netconf_close(&f->config);
	}
	worker_free(net->worker);
	cleanup_fd(&net->spare);
	cleanup_fd(&net->event);
	free(net);
}

static void begin(void *arg)
{
	struct net *net = arg;
	unsigned int i;

	for (i = 0; i < net->count; i++) {
		struct iface *f = &net->iface[i];

		if (f->config.fd >= 0)
			up(f, &f->config.fd);
		else
			net_lost(f);
	}
}

/** net_start() - attach the peers that are there, start the thread. @net: with cards; may be NULL. Return: 0 or -errno. */
int net_start(struct net *net)
{
	if (!net)
		return 0;
	worker_call(net->worker, begin, net);
	return worker_start(net->worker);
}

/** net_interfaces() - how many. @net: may be NULL. Return: so. */
unsigned int net_interfaces(const struct net *net)
{
	return net ? net->count : 0;
}

/** net_config() - what an interface is to be. @net, @i. Return: borrowed. */
const struct net_config *net_config(const struct net *net, unsigned int i)
{
	return &net->iface[i].config;
}

/** net_worker() - who serves the cards. @net. Return: borrowed. */
struct worker *net_worker(struct net *net)
{
	return net->worker;
}

/** net_plug() - an interface's card. @net: not started. @i: which. @card: copied; freed after net_stop(). */
void net_plug(struct net *net, unsigned int i, const struct net_card *card)
{
	net->iface[i].card = *card;
}

/** net_lost_arg() - what a card calls net_lost() with. @net, @i. Return: it. */
void *net_lost_arg(struct net *net, unsigned int i)
{
	return &net->iface[i];
}

struct asked {
	struct net_card *card;
	struct net_counts *counts;
};

static void do_count(void *arg)
{
	struct asked *a = arg;

	a->card->counts(a->card->card, a->counts);
}

/** net_counts() - what passed an interface. @net: started. @i: which. @counts: filled in. */
void net_counts(struct net *net, unsigned int i, struct net_counts *counts)
{
	struct asked a = { &net->iface[i].card, counts };

	worker_call(net->worker, do_count, &a);
}

/** net_dials() - whether it connects to sockets while it runs. @net: may be NULL. Return: so. */
bool net_dials(const struct net *net)
{
	unsigned int i;

	for (i = 0; i < net_interfaces(net); i++)
		if (net->iface[i].config.dir >= 0)
			return true;
	return false;
}

struct control_call {
	struct net *net;
	int fd;
};

static void do_control(void *arg)
{
	struct control_call *call = arg;
	struct iface *f = NULL;
	unsigned int i;

	for (i = 0; i < call->net->count && !f; i++)
		if (call->net->iface[i].config.from == NET_FROM_CONTROL && call->net->iface[i].state == STATE_UP)
			f = &call->net->iface[i];
	if (f)
		call->fd = f->config.shared >= 0 ? fcntl(f->config.shared, F_DUPFD_CLOEXEC, 0) : dial(f, SOCK_SEQPACKET);
}

/** net_control() - a network's control socket, for `dial`. @net: may be NULL. Return: the caller's; < 0: none. */
int net_control(struct net *net)
{
	struct control_call call = { net, -1 };

	if (net)
		worker_call(net->worker, do_control, &call);
	return call.fd;
}

struct plug_call {
	struct net *net;
	int *fd;
	uint64_t asker;
	int err;
};

static void do_plug_in(void *arg)
{
	struct plug_call *call = arg;
	struct iface *f = NULL;
	unsigned int i;

	call->err = -ENOTCONN;
	for (i = 0; i < call->net->count && !f; i++) {
		struct iface *one = &call->net->iface[i];

		if (one->config.from != NET_FROM_CONTROL || one->config.dir >= 0)
			continue;
		call->err = -EBUSY;
		if ((one->state == STATE_GONE || one->state == STATE_WAITS) && !(one->has_news && one->news.answers))
			f = one;
	}
	if (!f)
		return;
	gone(f);
	f->config.control = steal_fd(call->fd);
	f->asker = call->asker;
	call->err = ask_for_frames(f);
	if (call->err)
		gone(f);
}

/**
 * net_plug_in() - a network for the first card that waits for one; how it goes is told as news
 * @net: started; may be NULL
 * @fd: its control socket, consumed on success
 * @asker: whom the news is for
 * Return: 0; -ENOTCONN: there is no such card; -EBUSY: each has a network; -errno.
 */
int net_plug_in(struct net *net, int *fd, uint64_t asker)
{
	struct plug_call call = { net, fd, asker, -ENOTCONN };

	if (net)
		worker_call(net->worker, do_plug_in, &call);
	return call.err;
}

/** net_event() - what is readable when there is news. @net. Return: an eventfd, borrowed. */
int net_event(const struct net *net)
{
	return net->event;
}

struct news_call {
	struct net *net;
	struct net_news *news;
	bool found;
};

static void do_news(void *arg)
{
	struct news_call *call = arg;
	unsigned int i;

	for (i = 0; i < call->net->count && !call->found; i++) {
		struct iface *f = &call->net->iface[i];

		call->found = f->has_news;
		if (f->has_news)
			*call->news = f->news;
		f->has_news = false;
	}
}

/** net_next_news() - what is new. @net: started. @news: filled in. Return: whether there is any. */
bool net_next_news(struct net *net, struct net_news *news)
{
	struct news_call call = { net, news, false };

	worker_call(net->worker, do_news, &call);
	return call.found;
}

// SPDX-License-Identifier: ISC
/*
 * life.c - the life-cycle link to the host (proto.h).
 *
 *   DOWN --time to dial--> DIALLING --connected, hello sent--> GREETING --welcome, ready sent--> UP
 *   any of them --end of file, an error, what is no record--> DOWN
 *
 * The agent dials, from a port below 1024, which takes root. Only the link's own end makes it dial again, FIRST_MS
 * later and each time twice as late, MOST_MS at most; a link that was UP for USEFUL_MS counts as one that worked and
 * starts that anew. So a host that takes every connection and closes it at once costs a few dials, then one in
 * MOST_MS.
 *
 * That the main command has ended is a fact that outlives links: it is told on each new one until the host
 * acknowledges it, and never made twice. Pid 1 waits for that; where no host listens it is told at once that nobody
 * will. A host that only takes its time may yet.
 *
 * Where pid 1 is another program, the host is asked for the main command until one was started (keeper.c), and the
 * machine is ended once the host knows how that one did.
 */
#include "life.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/random.h>
#include <linux/vm_sockets.h>

#include "clock.h"
#include "config.h"
#include "control.h"
#include "file.h"
#include "keeper.h"
#include "kmsg.h"
#include "loop.h"
#include "net.h"
#include "util.h"

enum { FIRST_MS = 20, MOST_MS = 10000, USEFUL_MS = 5000, ROOT_PORTS = 1024, PORTS_TRIED = 512 };

enum life_state { LIFE_DOWN, LIFE_DIALLING, LIFE_GREETING, LIFE_UP };

struct life {
	struct loop *loop;
	struct life_config config;
	enum life_state state;
	struct control link;
	int dial, dial_watch;		/* DIALLING */
	int init_watch;
	int timer;			/* DOWN: when to dial */
	unsigned int wait_ms;
	long long up;			/* UP: since */
	bool ever;			/* a host has listened */
	bool absent;			/* none does, and none has */
	bool stopping;			/* it wants a machine to end whose init is not ours */
	enum keeper_state keeper;	/* ... and the main command of that one */
	int kept, kept_watch;
	bool exited, told;
	int status;			/* of the main command, from waitpid(2) */
	uint64_t net[CONFIG_NETS];	/* cookies of the last words about cards, so many */
	unsigned int nets;
};

static void dial(void *arg, uint32_t events);

/* -- pid 1 -- */

static void tell_init(struct life *v, enum life_word word, int32_t value)
{
	struct life_packet p = { .word = word, .value = value };

	if (v->config.init >= 0 && send(v->config.init, &p, sizeof(p), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		kmsg(KMSG_WARNING, "init: %s", strerror(errno));
}

static void told(struct life *v)
{
	if (v->exited && !v->told)
		tell_init(v, LIFE_TOLD, 0);
	v->told = v->exited;
}

/* End a machine whose init is not ours, in its own way; in the kernel's, if it has none. */
static void stop_foreign(struct life *v)
{
	pid_t pid = fork();

	v->stopping = true;
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execlp("poweroff", "poweroff", (char *)NULL);
		kmsg(KMSG_ERR, "poweroff: %s: the kernel is asked", strerror(errno));
		sync();
		reboot(RB_POWER_OFF);
		_exit(127);
	}
	if (pid < 0)
		kmsg(KMSG_ERR, "poweroff: fork: %s", strerror(errno));
}

/* -- the link -- */

static int send_exited(struct life *v)
{
	struct wire_out w;

	wire_begin(&w, PROTO_LIFE_EXITED);
	if (WIFSIGNALED(v->status))
		wire_put_u32(&w, PROTO_K_SIGNAL, (uint32_t)WTERMSIG(v->status));
	else
		wire_put_u32(&w, PROTO_K_STATUS, (uint32_t)WEXITSTATUS(v->status));
	return control_send(&v->link, &w);
}

static int send_word(struct life *v, unsigned int type)
{
	struct wire_out w;

	wire_begin(&w, type);
	return control_send(&v->link, &w);
}

static void down(struct life *v)
{
	if (v->state == LIFE_UP && clock_ms() - v->up >= USEFUL_MS)
		v->wait_ms = FIRST_MS;
	v->state = LIFE_DOWN;
	control_stop(&v->link);
	loop_del(v->loop, &v->dial_watch);
	cleanup_fd(&v->dial);
	loop_timer_set(v->loop, v->timer, v->wait_ms);
	v->wait_ms = MIN(2 * v->wait_ms, (unsigned int)MOST_MS);
}

/* A guest may have no clock of its own, and little to make secrets of. */
static void take_gifts(const struct wire_record *r)
{
	union {
		struct rand_pool_info info;     /* buf is what lies behind it */
		uint8_t bytes[sizeof(struct rand_pool_info) + PROTO_SEED];
	} pool = { .info = { .entropy_count = 8 * PROTO_SEED, .buf_size = PROTO_SEED } };
	struct timespec now, host;
	autoclose int random = -1;
	uint64_t ns;

	if (wire_get_bytes(r, PROTO_K_SEED, pool.info.buf, PROTO_SEED)) {
		random = open("/dev/urandom", O_RDWR | O_CLOEXEC);
		if (random < 0 || ioctl(random, RNDADDENTROPY, &pool) < 0)
			kmsg(KMSG_WARNING, "entropy: %s", strerror(errno));
	}
	if (!wire_get_u64(r, PROTO_K_TIME, &ns) || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return;
	host = (struct timespec){ (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	/* A clock that is right is left alone: this one was read before it travelled. */
	if (llabs((long long)now.tv_sec - (long long)host.tv_sec) > 1 && clock_settime(CLOCK_REALTIME, &host) < 0)
		kmsg(KMSG_WARNING, "clock: %s", strerror(errno));
}

static int welcome(struct life *v, const struct wire_record *r)
{
	int err;

	if (v->state != LIFE_GREETING)
		return -EPROTO;
	take_gifts(r);
	v->state = LIFE_UP;
	v->up = clock_ms();
	v->ever = true;
	v->absent = false;
	err = send_word(v, PROTO_LIFE_READY);
	return err < 0 || !v->exited || v->told ? err : send_exited(v);
}

static int pong(struct life *v, const struct wire_record *r)
{
	struct wire_out w;
	uint64_t cookie;

	if (!wire_get_u64(r, PROTO_K_COOKIE, &cookie))
		return -EPROTO;
	if (control_busy(&v->link))
		return 0;	/* it does not listen */
	wire_begin(&w, PROTO_LIFE_PONG);
	wire_put_u64(&w, PROTO_K_COOKIE, cookie);
	return control_send(&v->link, &w);
}

/* Whether this was heard on a link before. */
static bool heard(struct life *v, uint64_t cookie)
{
	unsigned int i;

	for (i = 0; i < MIN(v->nets, (unsigned int)CONFIG_NETS); i++)
		if (v->net[i] == cookie)
			return true;
	v->net[v->nets++ % CONFIG_NETS] = cookie;
	return false;
}

/* A card is on another network. A system of its own, whose init is not ours, sets its cards up itself. */
static int change_net(struct life *v, const struct wire_record *r)
{
	char text[NETWORDS_SIZE];
	struct wire_out w;
	uint64_t cookie;

	if (!wire_get_u64(r, PROTO_K_COOKIE, &cookie) || !wire_get_text(r, PROTO_K_NET, text, sizeof(text)))
		return -EPROTO;
	if (v->config.init >= 0 && !heard(v, cookie))
		net_change(text);
	wire_begin(&w, PROTO_LIFE_NET_SET);
	wire_put_u64(&w, PROTO_K_COOKIE, cookie);
	return control_send(&v->link, &w);
}

/* The main command has ended. One that the host's `stop` ends is none of its concern. */
static void set_exited(struct life *v, int status)
{
	if (v->exited || v->stopping)
		return;
	v->exited = true;
	v->status = status;
	if (v->state == LIFE_UP && send_exited(v) < 0)
		down(v);
	else if (v->state == LIFE_DOWN && v->absent)
		told(v);
}

/* -- the main command, where pid 1 is another program -- */

/* Whether the host is to name one. */
static bool asks(const struct life *v)
{
	return v->config.init < 0 && v->keeper == KEEPER_NONE && !v->exited;
}

static void on_kept(void *arg, uint32_t events);

/* See how the command stands, and be told of its end. */
static void look(struct life *v)
{
	int status;

	v->keeper = keeper_look(&status);
	if (v->keeper == KEEPER_RUNS && v->kept < 0) {
		v->kept = keeper_watch();
		v->kept_watch = v->kept < 0 ? v->kept : loop_add(v->loop, v->kept, EPOLLIN, on_kept, v);
		if (v->kept_watch < 0)
			kmsg(KMSG_ERR, "main command: its end cannot be told: %s", strerror(-v->kept_watch));
		/* It may have come before the watch. */
		v->keeper = keeper_look(&status);
	}
	if (v->keeper == KEEPER_ENDED)
		set_exited(v, status);
}

static void on_kept(void *arg, uint32_t events)
{
	struct life *v = arg;
	char scrap[4096];

	(void)events;
	while (read(v->kept, scrap, sizeof(scrap)) > 0)
		continue;
	look(v);
}

/* Start what the host names, once in a boot. One that cannot be started has ended. */
static void start_command(struct life *v, const struct wire_record *r)
{
	struct request main = { 0 };
	int err = asks(v) ? config_command(&main, r) : -ENOENT;

	if (!err) {
		err = keeper_start(&main);
		if (err)
			kmsg(KMSG_ERR, "main command: %s", strerror(-err));
		look(v);
	}
	request_free(&main);
	if (err && err != -ENOENT)
		set_exited(v, 125 << 8);
	control_only_small(&v->link);
}

static int on_record(void *arg, const struct wire_record *r)
{
	struct life *v = arg;
	uint8_t size[4];

	if (r->type == PROTO_LIFE_WELCOME)
		return welcome(v, r);
	if (v->state != LIFE_UP)
		return -EPROTO;
	switch (r->type) {
	case PROTO_LIFE_ACKNOWLEDGED:
		told(v);
		if (v->exited && v->config.init < 0 && !v->stopping)
			stop_foreign(v);
		return 0;
	case PROTO_CONFIG:
		start_command(v, r);
		return 0;
	case PROTO_LIFE_STOP:
		kmsg(KMSG_INFO, "the host asks for the end");
		if (v->config.init >= 0)
			tell_init(v, LIFE_STOP, 0);
		else
			stop_foreign(v);
		return 0;
	case PROTO_WINSIZE:
		if (wire_get_bytes(r, PROTO_K_SIZE, size, sizeof(size)))
			tell_init(v, LIFE_SIZE, (int32_t)get_le32(size));
		return 0;
	case PROTO_LIFE_PING:
		return pong(v, r);
	case PROTO_LIFE_NET:
		return change_net(v, r);
	default:
		return 0;	/* a later host knows more words */
	}
}

static void on_sent(void *arg)
{
	(void)arg;
}

static void on_lost(void *arg, int err)
{
	(void)err;
	down(arg);
}

/* -- dialling -- */

static void greet(struct life *v)
{
	static const struct control_ops ops = { on_record, on_sent, on_lost };
	char boot_id[40] = "";
	struct wire_out w;

	v->state = LIFE_GREETING;
	if (control_start(&v->link, v->loop, &v->dial, &ops, v) < 0) {
		down(v);
		return;
	}
	if (!asks(v))
		control_only_small(&v->link);
	file_read("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
	boot_id[strcspn(boot_id, "\n")] = '\0';
	wire_begin(&w, PROTO_LIFE_HELLO);
	wire_put_u32(&w, PROTO_K_VERSION, PROTO_VERSION);
	wire_put_text(&w, PROTO_K_BOOT_ID, boot_id);
	if (v->config.has_token)
		wire_put(&w, PROTO_K_TOKEN, v->config.token, sizeof(v->config.token));
	if (asks(v))
		wire_put_u32(&w, PROTO_K_FLAGS, PROTO_ASKS_CONFIG);
	if (control_send(&v->link, &w) < 0)
		down(v);
}

/* No host of ours: nobody will ever hear how the main command ended. One that is slow is there, one that gave a token
 * as well. */
static void failed_dial(struct life *v, int err)
{
	v->absent = !v->ever && err != ETIMEDOUT && (err != ECONNRESET || !v->config.has_token);
	if (v->absent)
		told(v);
	down(v);
}

static void on_dialled(void *arg, uint32_t events)
{
	struct life *v = arg;
	socklen_t len = sizeof(int);
	int err = 0;

	(void)events;
	assert(v->state == LIFE_DIALLING);
	if (getsockopt(v->dial, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	loop_del(v->loop, &v->dial_watch);
	if (!err) {
		greet(v);
		return;
	}
	failed_dial(v, err);
}

/* Bind @fd to a port that only root gets. Return: 0 or -errno. */
static int bind_low(int fd)
{
	struct sockaddr_vm at = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
	unsigned int i;

	for (i = 1; i <= PORTS_TRIED; i++) {
		at.svm_port = ROOT_PORTS - i;
		if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			break;
	}
	return -errno;
}

static void dial(void *arg, uint32_t events)
{
	const struct sockaddr_vm host = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = PROTO_LIFE_PORT,
	};
	struct life *v = arg;

	(void)events;
	if (v->state != LIFE_DOWN)
		return;
	v->state = LIFE_DIALLING;
	v->dial = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->dial < 0 || bind_low(v->dial) < 0 ||
	    (connect(v->dial, (const struct sockaddr *)&host, sizeof(host)) < 0 && errno != EINPROGRESS)) {
		failed_dial(v, errno);
		return;
	}
	v->dial_watch = loop_add(v->loop, v->dial, EPOLLOUT, on_dialled, v);
	if (v->dial_watch < 0)
		down(v);
}

/* -- pid 1 -- */

static void on_init(void *arg, uint32_t events)
{
	struct life *v = arg;
	struct life_packet p;
	ssize_t n = recv(v->config.init, &p, sizeof(p), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_del(v->loop, &v->init_watch);
		return;
	}
	if (n == sizeof(p) && p.word == LIFE_EXITED)
		set_exited(v, p.value);
}

/**
 * life_start() - dial the host, and keep dialling
 * @l: the server's loop
 * @config: copied; its socket stays the caller's
 *
 * Return: it, freed with life_free(); NULL with errno.
 */
struct life *life_start(struct loop *l, const struct life_config *config)
{
	struct life *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	*v = (struct life){
		.loop = l, .config = *config, .link = CONTROL_INIT, .dial = -1, .dial_watch = -1,
		.init_watch = -1, .kept = -1, .kept_watch = -1, .wait_ms = FIRST_MS,
	};
	v->timer = loop_timer(l, dial, v);
	if (v->timer >= 0 && config->init >= 0)
		v->init_watch = loop_add(l, config->init, EPOLLIN, on_init, v);
	if (v->timer < 0 || (config->init >= 0 && v->init_watch < 0)) {
		life_free(v);
		return NULL;
	}
	if (config->init < 0)
		look(v);
	dial(v, 0);
	return v;
}

/** life_free() - hang up. @v: may be NULL. */
void life_free(struct life *v)
{
	if (!v)
		return;
	control_stop(&v->link);
	loop_del(v->loop, &v->dial_watch);
	loop_del(v->loop, &v->init_watch);
	loop_del(v->loop, &v->kept_watch);
	loop_timer_del(v->loop, &v->timer);
	cleanup_fd(&v->kept);
	cleanup_fd(&v->dial);
	free(v);
}

// SPDX-License-Identifier: ISC
/*
 * frames_tap.c - the network namespace that it is in plays a guest: a TAP device joined to a frames socket.
 *
 *	frames_tap [-i NAME] [-n] [-N NAME] control fd:N|PATH	asks a VM_NET socket, which says, too, what to configure; -N:
 *								as the guest of that name
 *	frames_tap [-i NAME] [-n] raw fd:N|PATH [WORD]...	takes a frames socket as it is; WORDs (mac= mtu= addr=
 *								...) say what a control socket would
 *	frames_tap [-i NAME] [-n] listen PATH [WORD]...		the other end: takes the first who connects there
 *
 * The device (eth0, or NAME) gets the MAC and the MTU, is set up, and, unless -n, has the addresses and default routes
 * that were told, by ip(8). Then it prints what it was told and `ready`, and works until the peer ends (exit 0) or
 * it is killed. Each direction is a thread that blocks: the peer that does not read fills its socket, then the
 * device's queue, which drops, as a card does.
 *
 *	device -> socket	as many frames as there are, or fit, each behind its length, in one send()
 *	socket -> device	frames_in takes what there is in one recv(); a write() each
 *
 * A control connection stays open: with some networks it is what keeps them alive.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "frames.h"
#include "log.h"
#include "netconf.h"
#include "util.h"

enum { BATCH = 1 << 20 };

static struct {
	int tap, sock, listener;
	const char *name, *called;
	bool plain;                     /* no addresses */
	struct net_config conf;
} t = { .tap = -1, .sock = -1, .listener = -1, .name = "eth0" };

static void await(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	poll(&p, 1, -1);
}

/* Fill @buf with the frames that are there; wait for one at least. Return: bytes. */
static size_t gather(uint8_t *buf)
{
	size_t used = 0;

	while (BATCH - used >= FRAMES_HEADER + FRAMES_MAX) {
		ssize_t n = read(t.tap, buf + used + FRAMES_HEADER, FRAMES_MAX);
		uint8_t *p = buf + used;

		if (n < 0 && errno == EAGAIN) {
			if (used)
				break;
			await(t.tap, POLLIN);
			continue;
		}
		if (n <= 0)
			die(1, "%s: %s", t.name, errstr(errno));
		p[0] = 0;
		p[1] = (uint8_t)(n >> 16);
		p[2] = (uint8_t)(n >> 8);
		p[3] = (uint8_t)n;
		used += FRAMES_HEADER + (size_t)n;
	}
	return used;
}

static void *from_device(void *arg)
{
	uint8_t *buf = malloc(BATCH);

	while (buf) {
		size_t len = gather(buf), at = 0;

		while (at < len) {
			ssize_t n = send(t.sock, buf + at, len - at, MSG_NOSIGNAL);

			if (n < 0 && errno == EAGAIN)
				await(t.sock, POLLOUT);
			else if (n < 0)
				return arg;             /* the other direction sees the end, too */
			else
				at += (size_t)n;
		}
	}
	return arg;
}

/* Return: when the peer has ended. */
static void to_device(void)
{
	struct frames_in in;
	const uint8_t *frame;
	ssize_t n;
	size_t len;
	int got;

	if (frames_in_init(&in))
		die(1, "memory");
	for (;;) {
		while ((got = frames_in_next(&in, &frame, &len)) > 0)
			if (write(t.tap, frame, len) < 0 && errno != EINVAL && errno != EIO)
				die(1, "%s: %s", t.name, errstr(errno));
		if (got < 0)
			die(1, "a frame of no length that there is");
		n = frames_in_fill(&in, t.sock);
		if (n == -EAGAIN)
			await(t.sock, POLLIN);
		else if (n <= 0)
			break;
	}
	frames_in_free(&in);
}

/* Run a command without a shell; its failure is ours. */
static void run(const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		die(1, "%s %s %s %s failed", argv[0], argv[1], argv[2], argv[3]);
}

#define IP(...) run((const char *const[]){ "ip", __VA_ARGS__, NULL })

static void open_device(void)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	char mtu[8], mac[18];
	const uint8_t *m = t.conf.mac;

	t.tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", t.name);
	if (t.tap < 0 || ioctl(t.tap, TUNSETIFF, &r) < 0)
		die(1, "/dev/net/tun: %s", errstr(errno));
	snprintf(mtu, sizeof(mtu), "%u", t.conf.mtu ? t.conf.mtu : 1500);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	if (t.conf.has_mac)
		IP("link", "set", t.name, "address", mac);
	IP("link", "set", t.name, "mtu", mtu, "up");
}

static const char *family(const char *address)
{
	return strchr(address, ':') ? "-6" : "-4";
}

/* What one word tells: addresses of either family, one or several. */
static void configure_word(char *word)
{
	char *value = strchr(word, '='), *one;
	bool gateway = !strncmp(word, "gateway", 7);

	if (!value || (!gateway && strncmp(word, "addr", 4)))
		return;
	for (value++; (one = strsep(&value, ",")); ) {
		if (gateway)
			IP(family(one), "route", "replace", "default", "via", one, "dev", t.name);
		else if (strchr(one, ':'))
			IP("-6", "addr", "add", one, "dev", t.name, "nodad");
		else
			IP("-4", "addr", "add", one, "dev", t.name);
	}
}

/* Gateways need the addresses to be there. */
static void configure(void)
{
	int pass;

	for (pass = 0; pass < 2; pass++) {
		autofree char *copy = strdup(t.conf.guest);
		char *rest = copy, *word;

		while ((word = strsep(&rest, " ")))
			if (strncmp(word, "gateway", 7) == 0 ? pass : !pass)
				configure_word(word);
	}
}

/* Words of the command line, as if a control socket had said them: an answer that has the socket. */
static void take_words(char **words)
{
	size_t used = 0;

	for (; *words; words++) {
		if (!strncmp(*words, "mac=", 4)) {
			uint8_t *m = t.conf.mac;

			t.conf.has_mac = sscanf(*words + 4, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx",
						m, m + 1, m + 2, m + 3, m + 4, m + 5) == 6;
		} else if (!strncmp(*words, "mtu=", 4)) {
			t.conf.mtu = (uint16_t)strtoul(*words + 4, NULL, 10);
		} else {
			used += (size_t)snprintf(t.conf.guest + used, sizeof(t.conf.guest) - used, "%s%s",
						 used ? " " : "", *words);
			used = MIN(used, sizeof(t.conf.guest) - 1);
		}
	}
}

static int listen_at(const char *path, char *why, size_t size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	t.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t.listener < 0 || bind(t.listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(t.listener, 1) < 0) {
		snprintf(why, size, "%s", errstr(errno));
		return -EIO;
	}
	t.conf.fd = -1;
	return 0;
}

static void open_peer(char **argv)
{
	char why[256];
	int err = -EINVAL;

	snprintf(why, sizeof(why), "is none of control, raw and listen");
	if (!strcmp(argv[0], "control"))
		err = netconf_control(&t.conf, argv[1], t.called, why, sizeof(why));
	else if (!strcmp(argv[0], "raw"))
		err = netconf_parse(&t.conf, argv[1], why, sizeof(why));
	else if (!strcmp(argv[0], "listen"))
		err = listen_at(argv[1], why, sizeof(why));
	if (err)
		die(1, "%s: %s", argv[0], why);
	take_words(argv + 2);
	t.sock = t.conf.fd;
}

int main(int argc, char *argv[])
{
	pthread_t thread;
	int c, room = 4 << 20;

	log_init("frames_tap", false);
	while ((c = getopt(argc, argv, "+i:nN:")) >= 0) {
		if (c == '?')
			return 2;
		t.name = c == 'i' ? optarg : t.name;
		t.called = c == 'N' ? optarg : t.called;
		t.plain |= c == 'n';
	}
	if (argc - optind < 2)
		die(2, "usage: frames_tap [-i NAME] [-n] control|raw|listen fd:N|PATH [WORD]...");
	open_peer(argv + optind);
	open_device();
	if (!t.plain)
		configure();
	printf("%s\nready\n", t.conf.guest);
	fflush(stdout);
	if (t.listener >= 0)
		t.sock = accept4(t.listener, NULL, NULL, SOCK_CLOEXEC);
	setsockopt(t.sock, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (t.sock < 0 || pthread_create(&thread, NULL, from_device, NULL))
		die(1, "no peer, or no thread");
	to_device();
	return 0;
}

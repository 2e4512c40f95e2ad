// SPDX-License-Identifier: ISC
/* netconf_test.c - interfaces as they are asked for, what a network answers, and the addresses of cards. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "msg.h"
#include "netconf.h"
#include "tap.h"
#include "util.h"

static void test_parse(void)
{
	struct net_config c;
	char err[200], spec[80];
	int pair[2], seq[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seq) < 0)
		abort();
	snprintf(spec, sizeof(spec), "fd:%d,mtu=1400,mac=02:aA:00:00:00:01", pair[0]);
	CHECK(netconf_parse(&c, spec, err, sizeof(err)) == 0 && c.from == NET_FROM_FD && c.fd == pair[0] && c.mtu == 1400 &&
	      c.has_mac && !memcmp(c.mac, "\2\xaa\0\0\0\1", 6), "a connected descriptor, MTU and MAC");
	CHECK(fcntl(pair[0], F_GETFD) & FD_CLOEXEC, "... nobody inherits it from us");
	snprintf(spec, sizeof(spec), "fd:%d", seq[0]);
	CHECK(netconf_parse(&c, spec, err, sizeof(err)) == -ENOTSOCK, "packets are no stream");
	snprintf(spec, sizeof(spec), "fd:%d,mac=03:00:00:00:00:01", pair[0]);
	CHECK(netconf_parse(&c, spec, err, sizeof(err)) == -EINVAL, "a group's MAC is no card's");
	snprintf(spec, sizeof(spec), "fd:%d,mac=02:00:00:00:00:01:", pair[0]);
	CHECK(netconf_parse(&c, spec, err, sizeof(err)) == -EINVAL, "a MAC has six parts");
	snprintf(spec, sizeof(spec), "fd:%d,", pair[0]);
	CHECK(netconf_parse(&c, spec, err, sizeof(err)) == -EINVAL, "an empty word is none");
	CHECK(netconf_parse(&c, "plug,mtu=1400", err, sizeof(err)) == 0 && c.from == NET_FROM_CONTROL && c.fd < 0 && c.control < 0 &&
	      c.dir < 0 && c.mtu == 1400, "a card whose network comes later");
	close(pair[0]);
	close(pair[1]);
	close(seq[0]);
	close(seq[1]);
}

static int reply_to(struct net_config *c, int (*take)(struct net_config *, struct msg *, char *, size_t), const char *word,
		    const char *word2, bool with_fd, char *err)
{
	struct msg m;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), fd2 = dup(fd), pair[2], e;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		abort();
	msg_init(&m);
	msg_add(&m, word);
	if (word2)
		msg_add(&m, word2);
	if (with_fd)
		msg_add_fd(&m, &fd);
	if (msg_send(pair[0], &m) || msg_recv(pair[1], &m, true) != 1)
		abort();
	e = take(c, &m, err, 200);
	cleanup_fd(&fd);
	close(fd2);
	close(pair[0]);
	close(pair[1]);
	if (e == 0)
		close(c->fd);
	return e;
}

static int reply(struct net_config *c, const char *word, const char *word2, bool with_fd, char *err)
{
	*c = (struct net_config){ .fd = -1, .listener = -1, .control = -1, .dir = -1 };
	return reply_to(c, netconf_reply, word, word2, with_fd, err);
}

/* A card that is there keeps its MAC and its limit, whatever network it is plugged into. */
static void test_again(void)
{
	struct net_config c = { .fd = -1, .has_mac = true, .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1400 };
	char err[200], words[NETCONF_WORDS];

	netconf_words(&c, words, sizeof(words));
	CHECK(!*words, "nothing is told of a card without a network");
	CHECK(reply_to(&c, netconf_reply_again, "ok", "mac=02:00:00:00:00:02", true, err) == 0 && c.mac[5] == 1, "the MAC stays");
	CHECK(reply_to(&c, netconf_reply_again, "ok", "mac=02:00", true, err) == -EBADMSG && c.has_mac && c.mac[5] == 1,
	      "... also after a wrong one");
	CHECK(reply_to(&c, netconf_reply_again, "ok", "mtu=9000", true, err) == 0 && c.mtu == 1400 && c.told_mtu == 9000,
	      "the MTU is told, and the card's stays");
	strcpy(c.guest, "addr=10.0.2.15/24");
	netconf_words(&c, words, sizeof(words));
	CHECK(!strcmp(words, "02:00:00:00:00:01 mtu=1400 addr=10.0.2.15/24"), "the guest gets the smaller one");
	c.mtu = 0;
	netconf_words(&c, words, sizeof(words));
	CHECK(!strcmp(words, "02:00:00:00:00:01 mtu=9000 addr=10.0.2.15/24"), "... or the only one");
}

static void test_reply(void)
{
	static const char *const good[] = {
		"addr=10.0.2.15/24", "addr6=fd00::1/64", "gateway=1.2.3.4,fd00::2", "dns=1.1.1.1", "dns=", "later=more",
		"mtu=65520", "mac=02:00:00:00:00:01",
	};
	static const char *const bad[] = {
		"addr=10.0.2.15/33", "addr=x", "addr6=fd00::1/129", "gateway=1.2.3.4,", "dns=localhost", "mtu=1", "mac=0",
		"dns=1.1.1.1 addr=2.2.2.2", "addr=1.2.3.4/24/8", "dns=1.1.1.1\nnameserver 6.6.6.6",
	};
	struct net_config c;
	char err[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		CHECK(reply(&c, "ok", good[i], true, err) == 0, good[i]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(reply(&c, "ok", bad[i], true, err) == -EBADMSG && c.fd == -1, "a word that means nothing is refused");
	CHECK(reply(&c, "ok", "gateway=1.2.3.4,fd00::2", true, err) == 0 && !strcmp(c.guest, "gateway=1.2.3.4,fd00::2"),
	      "the guest gets what it is to know");
	CHECK(reply(&c, "ok", NULL, false, err) == -EBADMSG, "an answer without a socket is none");
	CHECK(reply(&c, "error", "EBUSY", false, err) == -EBUSY, "somebody else has it");
	CHECK(reply(&c, "error", "EPERM", false, err) == -EIO && !strcmp(err, "EPERM"), "another refusal is told");
}

static void mac_of(const char *name, unsigned int i, uint8_t mac[6])
{
	struct net_config c = { 0 };

	netconf_mac(&c, name, i);
	memcpy(mac, c.mac, 6);
}

static void test_mac(void)
{
	uint8_t a[6], b[6];
	unsigned int i, bad = 0;
	char name[16];

	mac_of("web", 0, a);
	mac_of("web", 0, b);
	CHECK(!memcmp(a, b, 6), "a name's MAC is always the same");
	mac_of("web", 1, b);
	CHECK(memcmp(a, b, 6), "... another card's is another");
	mac_of("web2", 0, b);
	CHECK(memcmp(a, b, 6), "... another name's, too");
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		mac_of(name, 0, a);
		bad += (a[0] & 3) != 2;
	}
	CHECK(!bad, "all are locally administered, and one station's");
}

int main(void)
{
	test_parse();
	test_reply();
	test_again();
	test_mac();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* hostaddr_test.c - addresses of this host: from bytes, and from the kernel of a network namespace of our own. */
#include "hostaddr.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "tap.h"
#include "util.h"

enum { LO = 1 };

struct message {
	struct nlmsghdr head;
	struct ifaddrmsg m;
	uint8_t rest[200];
};

static struct addr address(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

static bool has(const struct hostaddr *h, const char *text)
{
	struct addr a = address(text);

	return hostaddr_has(h, &a);
}

static void attribute(struct message *msg, unsigned int type, const void *data, size_t len)
{
	struct rtattr *attr = (struct rtattr *)((uint8_t *)msg + NLMSG_ALIGN(msg->head.nlmsg_len));

	*attr = (struct rtattr){ .rta_type = (unsigned short)type, .rta_len = (unsigned short)RTA_LENGTH(len) };
	memcpy(RTA_DATA(attr), data, len);
	msg->head.nlmsg_len = NLMSG_ALIGN(msg->head.nlmsg_len) + attr->rta_len;
}

static void put_address(struct message *msg, unsigned int type, const char *text)
{
	struct addr a = address(text);
	bool v4 = addr_is_v4(&a);

	msg->m.ifa_family = v4 ? AF_INET : AF_INET6;
	msg->m.ifa_prefixlen = v4 ? 32 : 128;
	attribute(msg, type, a.b + (v4 ? 12 : 0), v4 ? 4 : 16);
}

static struct message message(unsigned int type, unsigned int interface)
{
	return (struct message){
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)), .nlmsg_type = (uint16_t)type },
		.m = { .ifa_index = interface },
	};
}

static void tell(struct hostaddr *h, unsigned int type, unsigned int interface, const char *text)
{
	struct message msg = message(type, interface);

	put_address(&msg, IFA_ADDRESS, text);
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
}

static void test_set(void)
{
	struct hostaddr *h = hostaddr_new();
	struct message msg;

	CHECK(!has(h, "192.0.2.1") && !hostaddr_count(h), "none at first");
	tell(h, RTM_NEWADDR, 2, "192.0.2.1");
	tell(h, RTM_NEWADDR, 2, "2001:db8::1");
	CHECK(has(h, "192.0.2.1") && has(h, "::ffff:192.0.2.1") && has(h, "2001:db8::1") && !has(h, "192.0.2.2"), "new ones");
	tell(h, RTM_NEWADDR, 2, "192.0.2.1");
	CHECK(hostaddr_count(h) == 2, "... once");
	tell(h, RTM_NEWADDR, 3, "192.0.2.1");
	tell(h, RTM_DELADDR, 2, "192.0.2.1");
	CHECK(has(h, "192.0.2.1"), "one that another interface has stays");
	tell(h, RTM_DELADDR, 3, "192.0.2.1");
	tell(h, RTM_DELADDR, 3, "192.0.2.1");
	CHECK(!has(h, "192.0.2.1") && has(h, "2001:db8::1"), "... until that has lost it, too");
	msg = message(RTM_NEWADDR, 4);
	put_address(&msg, IFA_ADDRESS, "192.0.2.9");
	put_address(&msg, IFA_LOCAL, "192.0.2.8");
	put_address(&msg, IFA_BROADCAST, "192.0.2.255");
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	CHECK(has(h, "192.0.2.8") && !has(h, "192.0.2.9"), "a point-to-point link's peer is no host address");
	CHECK(has(h, "192.0.2.255"), "a broadcast address is kept");
	msg = message(RTM_NEWADDR, 4);
	put_address(&msg, IFA_LOCAL, "192.0.2.10");
	put_address(&msg, IFA_ADDRESS, "192.0.2.11");
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	CHECK(has(h, "192.0.2.10") && !has(h, "192.0.2.11"), "... in either order");
	hostaddr_free(h);
	hostaddr_free(NULL);
}

static void test_malformed(void)
{
	struct hostaddr *h = hostaddr_new();
	struct message msg = message(RTM_NEWADDR, 1), two[2];
	uint8_t *bytes;
	size_t len;

	put_address(&msg, IFA_ADDRESS, "192.0.2.1");
	for (len = 0; len < msg.head.nlmsg_len; len++) {
		bytes = malloc(len ? len : 1);
		memcpy(bytes, &msg, len);
		hostaddr_feed(h, bytes, len);
		/* As long as it says, and shorter than what is in it. */
		if (len >= sizeof(msg.head)) {
			uint32_t said = (uint32_t)len;

			memcpy(bytes, &said, sizeof(said));
			hostaddr_feed(h, bytes, len);
		}
		free(bytes);
	}
	CHECK(!hostaddr_count(h), "what is cut off is left out");
	two[0] = two[1] = msg;
	two[0].head.nlmsg_len = 3;
	hostaddr_feed(h, two, sizeof(two));
	two[0].head.nlmsg_len = UINT32_MAX;
	hostaddr_feed(h, two, sizeof(two));
	CHECK(!hostaddr_count(h), "what has a wrong length, with all that follows");
	msg.m.ifa_family = AF_INET6;
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	msg.m.ifa_family = AF_UNIX;
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	msg = message(RTM_NEWADDR, 1);
	attribute(&msg, IFA_ADDRESS, "\1\2\3\4\5", 5);
	msg.m.ifa_family = AF_INET;
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	msg = message(RTM_NEWADDR, 1);
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	CHECK(!hostaddr_count(h), "an address of a wrong length, or none");
	msg = message(NLMSG_ERROR, 1);
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	msg = message(NLMSG_DONE, 1);
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
	CHECK(!has(h, "192.0.2.1"), "answers to nobody");
	hostaddr_free(h);
}

static void test_many(void)
{
	struct hostaddr *h = hostaddr_new();
	unsigned int i;
	bool all = true;
	char text[32];

	for (i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i * 7 % 256, i / 256);
		tell(h, RTM_NEWADDR, 1, text);
	}
	for (i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i * 7 % 256, i / 256);
		all &= has(h, text);
	}
	CHECK(all && hostaddr_count(h) == 5000 && !has(h, "10.0.0.2") && !has(h, "9.255.255.255"), "thousands");
	for (i = 0; i < 70000; i++) {
		snprintf(text, sizeof(text), "11.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		tell(h, RTM_NEWADDR, 1, text);
	}
	CHECK(has(h, "198.51.100.1"), "when there are too many, any may be one");
	hostaddr_free(h);
}

/* -- the kernel's -- */

static struct { struct loop *loop; int fd, changes; bool late; } net;

/* Ask the kernel to change an address of lo, and wait for its word. */
static void change(unsigned int type, const char *text)
{
	struct message msg = message(type, LO);
	uint8_t answer[512];

	msg.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE : 0);
	put_address(&msg, IFA_LOCAL, text);
	if (send(net.fd, &msg, msg.head.nlmsg_len, 0) < 0 || recv(net.fd, answer, sizeof(answer), 0) < 20)
		abort();
	memcpy(&net.changes, answer + NLMSG_HDRLEN, sizeof(int));
	if (net.changes)
		printf("# %s: error %d\n", text, net.changes);
	net.changes = 0;
}

static void on_change(void *arg)
{
	(void)arg;
	net.changes++;
	loop_stop(net.loop);
}

static void on_late(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	net.late = true;
	loop_stop(net.loop);
}

static bool own_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		abort();
	close(fd);
	net.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return net.fd >= 0;
}

/* Send a new address to every netlink socket that is not ours. Return: whether there was one. */
static bool forge(const char *text)
{
	struct message msg = message(RTM_NEWADDR, LO);
	bool any = false;
	int fd;

	put_address(&msg, IFA_ADDRESS, text);
	for (fd = 3; fd < 64; fd++) {
		struct sockaddr_nl to = { 0 };
		socklen_t len = sizeof(to);

		if (fd == net.fd || getsockname(fd, (struct sockaddr *)&to, &len) < 0 || to.nl_family != AF_NETLINK)
			continue;
		to.nl_groups = 0;
		any |= sendto(net.fd, &msg, msg.head.nlmsg_len, 0, (struct sockaddr *)&to, sizeof(to)) > 0;
	}
	return any;
}

static void test_kernel(void)
{
	struct hostaddr *h = hostaddr_new();
	int timer, i, err;
	char text[32];

	if (!own_network()) {
		printf("ok %u - addresses as the kernel has them # skip no network namespace for us\n", ++tap_tests);
		hostaddr_free(h);
		return;
	}
	net.loop = loop_new();
	timer = loop_timer(net.loop, on_late, NULL);
	loop_timer_set(net.loop, timer, 10000);
	change(RTM_NEWADDR, "192.0.2.1");
	change(RTM_NEWADDR, "2001:db8::1");
	err = hostaddr_follow(h, net.loop, on_change, NULL);
	CHECK(!err && has(h, "127.0.0.1") && has(h, "::1") && has(h, "192.0.2.1") && has(h, "2001:db8::1") && !has(h, "192.0.2.2") &&
	      hostaddr_count(h) == 4, "what the kernel has at first");
	change(RTM_NEWADDR, "192.0.2.2");
	loop_run(net.loop);
	CHECK(net.changes == 1 && has(h, "192.0.2.2"), "... a new one");
	change(RTM_DELADDR, "192.0.2.2");
	loop_run(net.loop);
	CHECK(net.changes == 1 && !has(h, "192.0.2.2") && has(h, "192.0.2.1"), "... and one that is gone");

	/* More than the socket takes while nobody reads. */
	for (i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "198.18.%d.%d", i / 250, i % 250);
		change(RTM_NEWADDR, text);
		if (i % 3)
			change(RTM_DELADDR, text);
	}
	change(RTM_DELADDR, "192.0.2.1");
	change(RTM_NEWADDR, "192.0.2.3");
	while (!net.late && (has(h, "192.0.2.1") || !has(h, "192.0.2.3")))
		loop_run(net.loop);
	CHECK(!net.late && hostaddr_count(h) == 1004, "messages that were lost are made good");

	/* Others may write to the socket; only the kernel is believed. */
	CHECK(forge("192.0.2.66"), "another process writes to it");
	change(RTM_NEWADDR, "192.0.2.4");
	loop_run(net.loop);
	CHECK(has(h, "192.0.2.4") && !has(h, "192.0.2.66"), "... and is not heard");
	loop_timer_del(net.loop, &timer);
	hostaddr_free(h);
	loop_free(net.loop);
	close(net.fd);
}

int main(void)
{
	test_set();
	test_malformed();
	test_many();
	test_kernel();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/*
 * net.c - give the machine's network cards the addresses that the host has told (proto.h, NET): static ones, known by the
 * card's MAC, over rtnetlink(7). No DHCP client has to run, and the main process finds the network as it is to be.
 *
 * IPv6 addresses come without duplicate address detection, which would keep them from use for a second or two, and a
 * default route goes through its gateway whether or not that lies in the card's own network.
 *
 * A card that is plugged into another network while the machine runs begins anew: what it had is gone.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "kmsg.h"
#include "networds.h"
#include "util.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* A request, and room for its attributes. */
struct nl {
	struct nlmsghdr head;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
	} body;
	uint8_t attributes[256];
};

/* One card. */
struct card {
	int nl;                 /* netlink socket */
	int index;
	char name[IF_NAMESIZE];
};

static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		kmsg(KMSG_WARNING, "network: %s", strerror(errno));
	return fd;
}

static void nl_begin(struct nl *n, uint16_t type, uint16_t flags, size_t body)
{
	memset(n, 0, sizeof(*n));
	n->head.nlmsg_type = type;
	n->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	n->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

static void nl_put(struct nl *n, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(void *)((uint8_t *)n + NLMSG_ALIGN(n->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	n->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(n->head.nlmsg_len) + a->rta_len);
}

/* Send it and wait for the kernel's word, which comes at once. Return: 0 or -errno. */
static int nl_talk(int fd, struct nl *n)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr err;
		uint8_t rest[512];
	} reply;

	if (send(fd, n, n->head.nlmsg_len, 0) < 0 || recv(fd, &reply, sizeof(reply), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)))
		return -errno;
	return reply.head.nlmsg_type == NLMSG_ERROR ? reply.err.error : -EBADMSG;
}

static int add_address(struct card *c, const struct networds_address *a)
{
	struct nl n;

	nl_begin(&n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(n.body.addr));
	n.body.addr.ifa_family = (uint8_t)a->family;
	n.body.addr.ifa_prefixlen = (uint8_t)a->bits;
	n.body.addr.ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0;
	n.body.addr.ifa_index = (uint32_t)c->index;
	nl_put(&n, IFA_LOCAL, a->bytes, a->len);
	nl_put(&n, IFA_ADDRESS, a->bytes, a->len);
	if (a->family == AF_INET && a->bits < 31) {
		uint8_t broadcast[4];
		uint32_t host = htonl(UINT32_MAX >> a->bits);

		memcpy(broadcast, &host, sizeof(broadcast));
		for (int i = 0; i < 4; i++)
			broadcast[i] |= a->bytes[i];
		nl_put(&n, IFA_BROADCAST, broadcast, sizeof(broadcast));
	}
	return nl_talk(c->nl, &n);
}

/* A second card's way out does not replace the first one's: -EEXIST. */
static int add_gateway(struct card *c, const struct networds_address *a)
{
	struct nl n;
	int err;

	nl_begin(&n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(n.body.route));
	n.body.route.rtm_family = (uint8_t)a->family;
	n.body.route.rtm_table = RT_TABLE_MAIN;
	n.body.route.rtm_protocol = RTPROT_BOOT;
	n.body.route.rtm_scope = RT_SCOPE_UNIVERSE;
	n.body.route.rtm_type = RTN_UNICAST;
	n.body.route.rtm_flags = RTNH_F_ONLINK;
	nl_put(&n, RTA_GATEWAY, a->bytes, a->len);
	nl_put(&n, RTA_OIF, &c->index, sizeof(c->index));
	err = nl_talk(c->nl, &n);
	return err == -EEXIST ? 0 : err;
}

static int set_link(struct card *c, bool up, uint32_t mtu)
{
	struct nl n;

	nl_begin(&n, RTM_NEWLINK, 0, sizeof(n.body.link));
	n.body.link.ifi_index = c->index;
	n.body.link.ifi_change = IFF_UP;
	n.body.link.ifi_flags = up ? IFF_UP : 0;
	if (mtu)
		nl_put(&n, IFLA_MTU, &mtu, sizeof(mtu));
	return nl_talk(c->nl, &n);
}

/* Its own link-local address is ours alone too: nobody waits for it. A kernel without IPv6 has no such file. */
static void no_detection(const struct card *c)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad", c->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "0", 1) < 0)
		kmsg(KMSG_DEBUG, "%s: %s", path, strerror(errno));
	close(fd);
}

/* Its addresses and routes go. Of IPv6 they do with the link; a removal that names no address takes IPv4's next one. */
static void clear_card(struct card *c)
{
	struct nl n;

	set_link(c, false, 0);
	do {
		nl_begin(&n, RTM_DELADDR, 0, sizeof(n.body.addr));
		n.body.addr.ifa_family = AF_INET;
		n.body.addr.ifa_index = (uint32_t)c->index;
	} while (nl_talk(c->nl, &n) == 0);
}

static bool find_card(struct card *c, const char *mac)
{
	struct if_nameindex *all = if_nameindex(), *i;
	bool found = false;

	for (i = all; i && i->if_name && !found; i++) {
		struct ifreq r = { 0 };
		const uint8_t *m = (const uint8_t *)r.ifr_hwaddr.sa_data;
		char its[NETWORDS_MAC];

		memcpy(r.ifr_name, i->if_name, strnlen(i->if_name, IF_NAMESIZE - 1));
		if (ioctl(c->nl, SIOCGIFHWADDR, &r) < 0)
			continue;
		snprintf(its, sizeof(its), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
		if (strcmp(its, mac) != 0)
			continue;
		c->index = (int)i->if_index;
		memcpy(c->name, r.ifr_name, sizeof(c->name));
		found = true;
	}
	if (all)
		if_freenameindex(all);
	return found;
}

/* @anew: in the place of those that are there. */
static void name_servers(const struct networds *w, bool anew)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (anew ? O_TRUNC : O_APPEND);
	autoclose int fd = w->servers ? open(RESOLV_CONF, flags, 0644) : -1;
	unsigned int i;

	for (i = 0; i < w->servers; i++)
		if (fd < 0 || dprintf(fd, "nameserver %s\n", w->server[i]) < 0)
			kmsg(KMSG_WARNING, RESOLV_CONF ": %s", strerror(errno));
}

static void complain(const struct card *c, const char *what, int err)
{
	if (err)
		kmsg(KMSG_WARNING, "%s: %s: %s", c->name, what, strerror(-err));
}

/* One card. Gateways come after addresses, for their networks must be there. */
static void configure(struct card *c, const char *text, bool anew)
{
	struct networds w;
	unsigned int i;

	if (networds_parse(text, &w) < 0 || !find_card(c, w.mac)) {
		kmsg(KMSG_WARNING, "network: no such card, or words that mean nothing: %s", text);
		return;
	}
	if (anew)
		clear_card(c);
	no_detection(c);
	complain(c, "up", set_link(c, true, w.mtu));
	for (i = 0; i < w.addresses; i++)
		complain(c, "address", add_address(c, &w.address[i]));
	for (i = 0; i < w.gateways; i++)
		complain(c, "gateway", add_gateway(c, &w.gateway[i]));
	name_servers(&w, anew);
}

/** net_configure() - set up what the config names; failures are logged here. @c: config. */
void net_configure(const struct config *c)
{
	struct card card = { .nl = -1 };
	unsigned int i;

	if (c->nets == 0)
		return;
	card.nl = open_netlink();
	for (i = 0; i < c->nets && card.nl >= 0; i++)
		configure(&card, c->net[i], false);
	cleanup_fd(&card.nl);
}

/**
 * net_change() - a card is on another network from now on; failures are logged here
 * @text: what it is to be (proto.h, NET); what it was, and the name servers that were, are replaced
 */
void net_change(const char *text)
{
	struct card card = { .nl = open_netlink() };

	if (card.nl >= 0)
		configure(&card, text, true);
	cleanup_fd(&card.nl);
}

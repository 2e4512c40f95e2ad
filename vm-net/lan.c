// SPDX-License-Identifier: ISC
/*
 * lan.c - several guests on one wire: who may say what, and who hears it.
 *
 *	guest --lan_frame()--> MAC -> claims --for the gateway--> the guest's filter
 *	                        |       |    \---for guests-----> send(), to one or to all others
 *	                     dropped  dropped
 *
 *	free --lan_join()--> TOLD its MAC --its first frame--> PINNED to a MAC --lan_leave()--> free
 *
 * A port has one MAC: that of its first frame, which is the one that it was told, or its own if nobody else has it. One
 * that was here before brings its addresses back with it, when they are free. After that, nothing of what it says about
 * itself is believed that is another's: not the source of a frame, of a packet, of ARP or of neighbour discovery. IPv6
 * addresses that it makes itself belong to the first that uses them (RFC 6620), and those that follow from a MAC to that
 * MAC's guest. Only the gateway is router, DHCP server and DNS server.
 *
 * What guests say to each other is not judged by the policy.
 */
#include "lan.h"

#include <assert.h>

#include "dhcp.h"
#include "dhcp6.h"
#include "neigh.h"
#include "ra.h"
#include "util.h"

enum { ARP_REQUEST = 1, REDIRECT = 137, NS_LEN = 16, OPT_SOURCE = 1, OPT_TARGET = 2 };

static const struct addr nobody4 = { .b = { [10] = 0xff, 0xff } }, nobody6;

/** lan_init() - nobody is there. @l: filled in. @s: borrowed for as long. @ops, @arg: borrowed, too. */
void lan_init(struct lan *l, const struct subnet *s, const struct lan_ops *ops, void *arg)
{
	*l = (struct lan){ .s = s, .ops = ops, .arg = arg };
	seats_init(&l->seats, s);
}

/* -- who owns what -- */

/* Whether @a ends as autoconfiguration makes it of a MAC (RFC 4291, appendix A), in a prefix of this wire. */
static bool is_of_mac(const struct addr *a, const uint8_t mac[PKT_MAC])
{
	struct addr of = subnet_link_local(mac);

	return !memcmp(a->b + 8, of.b + 8, 8);
}

static bool has(const struct lan_port *q, const struct addr *a)
{
	unsigned int i;

	if (addr_is_v4(a))
		return addr_equal(a, &q->addr4);
	if (addr_equal(a, &q->addr6) || is_of_mac(a, q->mac))
		return true;
	for (i = 0; i < q->learned_n; i++)
		if (addr_equal(a, &q->learned[i]))
			return true;
	return false;
}

/** lan_owner() - whose an address is. @l, @a. Return: the port; -1: nobody's. */
int lan_owner(const struct lan *l, const struct addr *a)
{
	int i;

	for (i = 0; i < LAN_PORTS; i++)
		if (l->port[i].used && has(&l->port[i], a))
			return i;
	return -1;
}

static int station(const struct lan *l, const uint8_t mac[PKT_MAC])
{
	int i;

	for (i = 0; i < LAN_PORTS; i++)
		if (l->port[i].used && !memcmp(l->port[i].mac, mac, PKT_MAC))
			return i;
	return -1;
}

/* It uses @a, which is nobody else's. The one that it has not used for the longest time makes room. */
static void learn(struct lan_port *me, const struct addr *a)
{
	unsigned int i = 0;

	if (addr_equal(a, &me->addr6) || is_of_mac(a, me->mac))
		return;
	while (i < me->learned_n && !addr_equal(a, &me->learned[i]))
		i++;
	if (i == me->learned_n) {
		if (i == LAN_ADDRS)
			i--;
		else
			me->learned_n++;
	}
	memmove(me->learned + 1, me->learned, i * sizeof(*a));
	me->learned[0] = *a;
}

/* Whether @me may use an IPv6 address as its own. */
static bool may_use(const struct lan *l, const struct lan_port *me, const struct addr *a)
{
	unsigned int i;

	if (!subnet_is_guests(l->s, a))
		return false;
	if (has(me, a))
		return true;
	for (i = 0; i < SEATS; i++) {
		struct addr of = seats_v6(&l->seats, i);

		if (addr_equal(a, &of))
			return false;           /* somebody's, or going to be */
	}
	return lan_owner(l, a) < 0;
}

/* Addresses that follow from a MAC are nobody else's, now that it is somebody's. */
static void forget(struct lan *l, const uint8_t mac[PKT_MAC])
{
	struct lan_port *q;
	unsigned int i, n;

	for (q = l->port; q < l->port + LAN_PORTS; q++) {
		for (i = n = 0; i < q->learned_n; i++)
			if (!is_of_mac(&q->learned[i], mac))
				q->learned[n++] = q->learned[i];
		q->learned_n = n;
	}
}

/* -- who is there -- */

static void sit(struct lan *l, struct lan_port *me, unsigned int seat)
{
	me->seat = seat;
	me->addr4 = seats_v4(&l->seats, seat);
	me->addr6 = seats_v6(&l->seats, seat);
}

/**
 * lan_join() - plug a guest in
 * @l
 * @name: that it says; NULL: none
 * Return: its port, which has its addresses and the MAC that it is to be told; -ENOSPC: there are as many as can be.
 */
int lan_join(struct lan *l, const char *name)
{
	int seat = seats_take(&l->seats, name), port = 0;

	if (seat < 0)
		return seat;
	while (l->port[port].used)
		port++;                 /* a seat is free, so a port is */
	l->port[port] = (struct lan_port){ .used = true };
	sit(l, &l->port[port], (unsigned int)seat);
	seats_mac(&l->seats, (unsigned int)seat, l->port[port].mac);
	forget(l, l->port[port].mac);
	return port;
}

/** lan_leave() - its guest is gone. @l. @port: used. */
void lan_leave(struct lan *l, unsigned int port)
{
	assert(l->port[port].used);
	seats_leave(&l->seats, l->port[port].seat);
	l->port[port].used = false;
}

/** lan_name() - what its guest has said that it is called. @l. @port: used. Return: that, borrowed, or "". */
const char *lan_name(const struct lan *l, unsigned int port)
{
	return l->seats.seat[l->port[port].seat].name;
}

/* Its first frame: the MAC is its own from now on, if it can be. */
static bool claim(struct lan *l, unsigned int port, const uint8_t mac[PKT_MAC])
{
	struct lan_port *me = &l->port[port];
	int owner = station(l, mac), seat = seats_of(&l->seats, mac);
	uint8_t own[PKT_MAC];

	if (!memcmp(mac, l->s->mac, PKT_MAC) || (owner >= 0 && owner != (int)port))
		return false;
	if (seat >= 0 && seat != (int)me->seat) {
		const struct seat *to = &l->seats.seat[seat];

		seats_mac(&l->seats, (unsigned int)seat, own);
		if (to->taken && !memcmp(own, mac, PKT_MAC))
			return false;           /* another one's, should it come to use it */
		if (!to->taken && !to->barred) {
			seats_move(&l->seats, me->seat, (unsigned int)seat);
			sit(l, me, (unsigned int)seat);
			l->ops->moved(l->arg, port);
		}
	}
	memcpy(me->mac, mac, PKT_MAC);
	me->pinned = true;
	forget(l, mac);
	seats_keep(&l->seats, me->seat, mac);
	return true;
}

/* -- who may say what -- */

static enum pkt_drop check_arp(const struct lan_port *me, const struct pkt *p)
{
	struct addr sender = addr_v4(p->ip + 14);

	if (memcmp(p->ip + 8, p->src_mac, PKT_MAC))
		return PKT_DROP_ARP;
	if (addr_equal(&sender, &me->addr4) || (addr_equal(&sender, &nobody4) && get_be16(p->ip + 6) == ARP_REQUEST))
		return PKT_OK;
	return PKT_DROP_SPOOF;
}

static bool is_dhcp(const struct pkt *p, uint16_t from, uint16_t to)
{
	return p->proto == PKT_PROTO_UDP && !p->offset && p->sport == from && p->dport == to;
}

static enum pkt_drop check_v4(const struct lan_port *me, const struct pkt *p)
{
	if (is_dhcp(p, DHCP_SERVER_PORT, DHCP_CLIENT_PORT))
		return PKT_DROP_SPOOF;
	if (addr_equal(&p->src, &me->addr4))
		return PKT_OK;
	/* Who has no address yet, or one of another time, asks the server for one. */
	return p->dst_mac[0] & 1 && is_dhcp(p, DHCP_CLIENT_PORT, DHCP_SERVER_PORT) ? PKT_OK : PKT_DROP_SOURCE;
}

/* Whether an option of neighbour discovery tells a MAC that is not the sender's, or there is one of a kind that must not be. */
static enum pkt_drop check_options(const struct pkt *p, bool nameless)
{
	size_t at = NS_LEN;

	while (at < p->payload_len) {
		const uint8_t *o = p->payload + at;

		if (p->payload_len - at < 8 || !o[1] || o[1] * 8u > p->payload_len - at)
			return PKT_DROP_NDP;
		if (o[0] == OPT_SOURCE || o[0] == OPT_TARGET) {
			if (o[1] != 1 || nameless)
				return PKT_DROP_NDP;
			if (memcmp(o + 2, p->src_mac, PKT_MAC))
				return PKT_DROP_SPOOF;
		}
		at += o[1] * 8u;
	}
	return PKT_OK;
}

/* RFC 4861 §7.1, for what guests hear of each other. */
static enum pkt_drop check_ndp(struct lan *l, struct lan_port *me, const struct pkt *p)
{
	struct addr target;
	enum pkt_drop why;

	if (p->ttl != 255 || p->code || p->payload_len < NS_LEN)
		return PKT_DROP_NDP;
	memcpy(target.b, p->payload, 16);
	why = check_options(p, addr_equal(&p->src, &nobody6));
	if (why || p->type == NEIGH_NS)
		return why;
	if (addr_is_v4(&target) || !may_use(l, me, &target))
		return PKT_DROP_SPOOF;
	learn(me, &target);
	return PKT_OK;
}

static bool is_icmp6(const struct pkt *p, uint8_t first, uint8_t last)
{
	return p->kind == PKT_IPV6 && p->proto == PKT_PROTO_ICMP6 && p->type >= first && p->type <= last;
}

static enum pkt_drop check_v6(struct lan *l, struct lan_port *me, const struct pkt *p)
{
	bool ndp = is_icmp6(p, NEIGH_NS, NEIGH_NA);

	if (is_icmp6(p, RA_ADVERTISEMENT, RA_ADVERTISEMENT) || is_icmp6(p, REDIRECT, REDIRECT) ||
	    is_dhcp(p, DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT))
		return PKT_DROP_SPOOF;
	if (addr_equal(&p->src, &nobody6) && is_icmp6(p, NEIGH_NS, NEIGH_NS))
		return check_ndp(l, me, p);
	if (addr_equal(&p->src, &nobody6))
		return p->dst_mac[0] & 1 && is_icmp6(p, RA_SOLICITATION, RA_SOLICITATION) ? PKT_OK : PKT_DROP_SOURCE;
	if (!may_use(l, me, &p->src))
		return PKT_DROP_SOURCE;
	learn(me, &p->src);
	return ndp ? check_ndp(l, me, p) : PKT_OK;
}

static enum pkt_drop check(struct lan *l, unsigned int port, const struct pkt *p)
{
	struct lan_port *me = &l->port[port];

	if (me->pinned ? memcmp(p->src_mac, me->mac, PKT_MAC) : !claim(l, port, p->src_mac))
		return PKT_DROP_SOURCE_MAC;
	if (!(p->kind == PKT_IPV6 ? l->s->v6 : l->s->v4))
		return PKT_DROP_ETHERTYPE;
	if (p->kind == PKT_ARP)
		return check_arp(me, p);
	return p->kind == PKT_IPV4 ? check_v4(me, p) : check_v6(l, me, p);
}

/* -- who hears it -- */

/* A frame for all, or for some group: whether it asks for what only the gateway answers. */
static bool asks_gateway(const struct lan *l, const struct pkt *p)
{
	struct addr target;

	if (p->kind == PKT_ARP) {
		target = addr_v4(p->ip + 24);
		return subnet_is_ours(l->s, &target);
	}
	if (p->kind == PKT_IPV4)
		return is_dhcp(p, DHCP_CLIENT_PORT, DHCP_SERVER_PORT);
	if (is_icmp6(p, NEIGH_NS, NEIGH_NS)) {
		memcpy(target.b, p->payload, 16);
		return subnet_is_ours(l->s, &target);
	}
	return is_icmp6(p, RA_SOLICITATION, RA_SOLICITATION) || is_dhcp(p, DHCP6_CLIENT_PORT, DHCP6_SERVER_PORT);
}

/**
 * lan_frame() - a guest sent a frame
 * @l
 * @port: used
 * @p: parsed
 * @up: set: whether it is for the gateway, and to be judged. Else its guests have it already.
 * Return: PKT_OK, or why nobody gets it.
 */
enum pkt_drop lan_frame(struct lan *l, unsigned int port, const struct pkt *p, bool *up)
{
	bool group = p->dst_mac[0] & 1;
	enum pkt_drop why = check(l, port, p);
	unsigned int i;
	int to;

	*up = false;
	if (why)
		return why;
	*up = group ? asks_gateway(l, p) : !memcmp(p->dst_mac, l->s->mac, PKT_MAC);
	if (*up)
		return PKT_OK;
	if (!group) {
		to = station(l, p->dst_mac);
		if (to < 0 || to == (int)port)
			return PKT_DROP_DEST_MAC;
		l->frames++;
		l->ops->send(l->arg, (unsigned int)to, p->frame, p->len);
		return PKT_OK;
	}
	l->groups++;
	for (i = 0; i < LAN_PORTS; i++)
		if (l->port[i].used && i != port)
			l->ops->send(l->arg, i, p->frame, p->len);
	return PKT_OK;
}

/**
 * lan_target() - whom a frame of the stack is for, or asks about
 * @l
 * @frame, @len: any bytes
 * @asks: set: whether it is a question, of ARP or neighbour discovery
 * Return: the port; -1: nobody.
 */
int lan_target(const struct lan *l, const uint8_t *frame, size_t len, bool *asks)
{
	const uint8_t *ip = frame + PKT_ETH;
	uint16_t type = len < PKT_ETH + 28 ? 0 : get_be16(frame + 2 * PKT_MAC);
	struct addr a;

	*asks = false;
	if (type == PKT_TYPE_IPV4) {
		a = addr_v4(ip + 16);
	} else if (type == PKT_TYPE_ARP) {
		*asks = get_be16(ip + 6) == ARP_REQUEST;
		a = addr_v4(ip + 24);
	} else if (type == PKT_TYPE_IPV6 && len >= PKT_ETH + PKT_IP6) {
		*asks = ip[6] == PKT_PROTO_ICMP6 && len >= PKT_ETH + PKT_IP6 + 8 + NS_LEN && ip[PKT_IP6] == NEIGH_NS;
		memcpy(a.b, *asks ? ip + PKT_IP6 + 8 : ip + 24, 16);
	} else {
		return -1;
	}
	return lan_owner(l, &a);
}

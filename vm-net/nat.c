// SPDX-License-Identifier: ISC
/*
 * nat.c - connections that are carried to another place than the guest asked for, and do not look so: TCP.
 *
 *	guest:4000 -> 1.2.3.4:443	becomes		guest:16384+i -> to:port	on the way to the stack
 *	guest:4000 <- 1.2.3.4:443	is again	guest:16384+i <- to:port	on the way back
 *
 * The port in the guest's name is our number of the connection, so two of one port to different places stay two, and the way
 * back needs no search. Guests have no business with `to` itself: who redirects to an address denies it. Checksums are
 * adjusted (RFC 1624), so a wrong one stays wrong.
 */
#include "nat.h"

#include "sum.h"
#include "util.h"

enum { ETH_TYPE = 12, IP4_SUM = PKT_ETH + 10, TCP_SUM = 16 };

/* Where things are in a frame. */
struct place {
	size_t src, dst, ports;
	size_t addr, skip;              /* bytes of an address; of a struct addr before it */
};

static const struct place v4 = { PKT_ETH + 12, PKT_ETH + 16, PKT_ETH + PKT_IP4, 4, 12 };
static const struct place v6 = { PKT_ETH + 8, PKT_ETH + 24, PKT_ETH + PKT_IP6, 16, 0 };

static const struct place *place_of(const uint8_t *frame)
{
	return get_be16(frame + ETH_TYPE) == PKT_TYPE_IPV6 ? &v6 : &v4;
}

/**
 * nat_open() - begin to carry a connection elsewhere
 * @n: zero at first
 * @key: TCP
 * @v: where to, of the same family
 * Return: its number, which is the guest's port for the stack; 0 when there are as many as may be, which is counted.
 */
uint16_t nat_open(struct nat *n, const struct flow_key *key, const struct flow_verdict *v)
{
	unsigned int i;

	for (i = 0; i < NAT_MAX && n->slot[(n->next + i) % NAT_MAX].used; i++)
		continue;
	if (i == NAT_MAX) {
		n->refused++;
		return 0;
	}
	i = (n->next + i) % NAT_MAX;
	n->next = i + 1;                /* a number is not used again at once: late segments are about */
	n->count++;
	n->slot[i] = (struct nat_slot){
		.used = true, .guest = key->guest, .remote = key->remote, .to = v->to,
		.guest_port = key->guest_port, .remote_port = key->remote_port, .to_port = v->to_port, .place = v->place,
	};
	return (uint16_t)(NAT_PORT + i);
}

/** nat_close() - it has ended. @n. @port: of nat_open(). */
void nat_close(struct nat *n, uint16_t port)
{
	n->slot[port - NAT_PORT].used = false;
	n->count--;
}

/** nat_slot() - who a connection is of. @n. @port: any. Return: it, borrowed; NULL: none has that number. */
const struct nat_slot *nat_slot(const struct nat *n, uint16_t port)
{
	const struct nat_slot *s = &n->slot[(unsigned int)(port - NAT_PORT) % NAT_MAX];

	return port >= NAT_PORT && port < NAT_PORT + NAT_MAX && s->used ? s : NULL;
}

/* Put an address and two ports in place of others. */
static void rewrite(uint8_t *frame, bool src, const struct addr *a, uint16_t sport, uint16_t dport)
{
	const struct place *at = place_of(frame);
	uint8_t now[20], was[20], *addr = frame + (src ? at->src : at->dst), *tcp = frame + at->ports;
	uint32_t sum = (uint16_t)~get_be16(tcp + TCP_SUM);
	uint16_t ip;
	size_t i;

	memcpy(was, addr, at->addr);
	memcpy(was + at->addr, tcp, 4);
	memcpy(now, a->b + at->skip, at->addr);
	put_be16(now + at->addr, sport);
	put_be16(now + at->addr + 2, dport);
	for (i = 0; i < at->addr + 4; i += 2)
		sum += (uint32_t)(uint16_t)~get_be16(was + i) + get_be16(now + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(tcp + TCP_SUM, (uint16_t)~sum);
	memcpy(addr, now, at->addr);
	memcpy(tcp, now + at->addr, 4);
	if (at == &v6)
		return;
	memset(frame + IP4_SUM, 0, 2);
	ip = sum_fold(sum_bytes(0, frame + PKT_ETH, PKT_IP4));
	memcpy(frame + IP4_SUM, &ip, 2);
}

/**
 * nat_out() - a frame as the stack is to see it
 * @n
 * @port: of nat_open()
 * @frame, @len: of the guest, TCP of the family of nat_open(), pkt_parse() was content
 * Return: it, as long, until the next call.
 */
const uint8_t *nat_out(struct nat *n, uint16_t port, const uint8_t *frame, size_t len)
{
	const struct nat_slot *s = &n->slot[port - NAT_PORT];

	memcpy(n->out, frame, len);
	rewrite(n->out, false, &s->to, port, s->to_port);
	return n->out;
}

/**
 * nat_in() - a frame as the guest is to see it
 * @n
 * @p: parsed, of the stack; made that of a copy, which stays until the next call, when it is of a carried connection
 * Return: whether it is.
 */
bool nat_in(struct nat *n, struct pkt *p)
{
	const struct nat_slot *s;

	if (p->kind == PKT_ARP || p->proto != PKT_PROTO_TCP || p->dport < NAT_PORT || p->dport >= NAT_PORT + NAT_MAX)
		return false;
	s = &n->slot[p->dport - NAT_PORT];
	if (!s->used || p->sport != s->to_port || !addr_equal(&p->src, &s->to) || !addr_equal(&p->dst, &s->guest))
		return false;
	memcpy(n->in, p->frame, p->len);
	rewrite(n->in, true, &s->remote, s->remote_port, s->guest_port);
	return pkt_parse(n->in, p->len, p) == PKT_OK;
}

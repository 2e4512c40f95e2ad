// SPDX-License-Identifier: ISC
/*
 * dhcp.c - DHCP for IPv4 (RFC 2131, options of RFC 2132, 4039, 6842): one lease for each MAC.
 *
 * We are the only server there is, so whoever asks for an address that is not its lease is told so (DHCPNAK), known
 * or not. A MAC's lease stays its own until the pool has nothing else to give. A pool of one, the only guest on the
 * wire, is for whoever asks. Clients are known by the MAC that sent the frame; a chaddr that differs is a lie.
 */
#include "dhcp.h"

#include "util.h"

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };

enum {
	OPT_PAD = 0, OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_DOMAIN = 15, OPT_MTU = 26, OPT_WANTED = 50,
	OPT_LEASE = 51, OPT_TYPE = 53, OPT_SERVER = 54, OPT_T1 = 58, OPT_T2 = 59, OPT_CLIENT_ID = 61, OPT_RAPID = 80,
	OPT_END = 255,
};

enum { XID = 4, FLAGS = 10, CIADDR = 12, YIADDR = 16, SIADDR = 20, GIADDR = 24, CHADDR = 28, COOKIE = 236, OPTIONS = 240 };

static const uint8_t cookie[4] = { 99, 130, 83, 99 };

struct request {
	const uint8_t *msg;
	uint8_t type;
	bool has_wanted, has_server, rapid;
	struct addr wanted, server, ciaddr;
	const uint8_t *client_id;       /* the option, as it came */
	size_t client_id_len;
};

/**
 * dhcp_init() - no leases
 * @d: filled in. @s: borrowed for as long. @pool: addresses from s->guest4 on, at most DHCP_POOL_MAX.
 */
void dhcp_init(struct dhcp *d, const struct subnet *s, unsigned int pool)
{
	*d = (struct dhcp){ .s = s, .pool = MIN(pool, (unsigned int)DHCP_POOL_MAX) };
}

static bool is_zero(const struct addr *a)
{
	return !get_be32(a->b + 12);
}

static void take_option(struct request *q, uint8_t kind, const uint8_t *o, size_t len)
{
	if (kind == OPT_TYPE && len == 1)
		q->type = o[0];
	if (kind == OPT_RAPID && !len)
		q->rapid = true;
	if (kind == OPT_WANTED && len == 4) {
		q->has_wanted = true;
		q->wanted = addr_v4(o);
	}
	if (kind == OPT_SERVER && len == 4) {
		q->has_server = true;
		q->server = addr_v4(o);
	}
	if (kind == OPT_CLIENT_ID && len) {
		q->client_id = o;
		q->client_id_len = len;
	}
}

static bool parse(struct request *q, const uint8_t mac[PKT_MAC], const uint8_t *msg, size_t len)
{
	size_t at = OPTIONS;

	*q = (struct request){ .msg = msg };
	if (len < OPTIONS || msg[0] != 1 || msg[1] != 1 || msg[2] != PKT_MAC || memcmp(msg + COOKIE, cookie, 4) ||
	    memcmp(msg + CHADDR, mac, PKT_MAC) || get_be32(msg + GIADDR))
		return false;
	q->ciaddr = addr_v4(msg + CIADDR);
	while (at < len && msg[at] != OPT_END) {
		if (msg[at] == OPT_PAD) {
			at++;
			continue;
		}
		if (len - at < 2 || len - at - 2 < msg[at + 1])
			return false;
		take_option(q, msg[at], msg + at + 2, msg[at + 1]);
		at += 2u + msg[at + 1];
	}
	return true;
}

/* -- leases -- */

static struct addr address(const struct dhcp *d, unsigned int i)
{
	struct addr a = d->s->guest4;

	put_be32(a.b + 12, get_be32(a.b + 12) + i);
	return a;
}

static bool usable(const struct dhcp *d, unsigned int i)
{
	struct addr a = address(d, i);

	return addr_in(&a, &d->s->net4) && !subnet_is_ours(d->s, &a) && !subnet_is_broadcast(d->s, &a);
}

/* The lease of a MAC: its own, a fresh one, one that expired. Return: its index, -1 when there is none. */
static int lease_for(const struct dhcp *d, uint64_t now, const uint8_t mac[PKT_MAC])
{
	int fresh = -1, expired = -1;
	unsigned int i;

	for (i = 0; i < d->pool; i++) {
		const struct dhcp_lease *l = &d->lease[i];

		if (!usable(d, i))
			continue;
		if (l->taken && !memcmp(l->mac, mac, PKT_MAC))
			return (int)i;
		if (!l->taken && fresh < 0)
			fresh = (int)i;
		if (l->taken && (l->until <= now || d->pool == 1) && expired < 0)
			expired = (int)i;
	}
	return fresh >= 0 ? fresh : expired;
}

static void take_lease(struct dhcp *d, uint64_t now, unsigned int i, const uint8_t mac[PKT_MAC])
{
	struct dhcp_lease *l = &d->lease[i];

	l->taken = true;
	l->until = now + (uint64_t)d->s->lease * 1000;
	memcpy(l->mac, mac, PKT_MAC);
}

/** dhcp_owner() - whose an address is. @d. @a: IPv4. @mac: set to its lease's. Return: whether it is leased. */
bool dhcp_owner(const struct dhcp *d, const struct addr *a, uint8_t mac[PKT_MAC])
{
	unsigned int i;

	for (i = 0; i < d->pool; i++) {
		struct addr of = address(d, i);

		if (!d->lease[i].taken || !addr_equal(&of, a))
			continue;
		memcpy(mac, d->lease[i].mac, PKT_MAC);
		return true;
	}
	return false;
}

/* -- replies -- */

static void put(struct dhcp_reply *r, uint8_t kind, const void *data, size_t len)
{
	if (len > 255 || r->len + 2 + len + 1 > sizeof(r->data))
		return;
	r->data[r->len] = kind;
	r->data[r->len + 1] = (uint8_t)len;
	if (len)
		memcpy(r->data + r->len + 2, data, len);
	r->len += 2 + len;
}

static void put_addr(struct dhcp_reply *r, uint8_t kind, const struct addr *a)
{
	put(r, kind, a->b + 12, 4);
}

static void put_u32(struct dhcp_reply *r, uint8_t kind, uint32_t value)
{
	uint8_t b[4];

	put_be32(b, value);
	put(r, kind, b, sizeof(b));
}

static void begin(const struct dhcp *d, const struct request *q, struct dhcp_reply *r, uint8_t type)
{
	*r = (struct dhcp_reply){ .len = OPTIONS };
	r->data[0] = 2;
	r->data[1] = 1;
	r->data[2] = PKT_MAC;
	memcpy(r->data + XID, q->msg + XID, 4);
	memcpy(r->data + FLAGS, q->msg + FLAGS, 2);
	memcpy(r->data + CHADDR, q->msg + CHADDR, 16);
	memcpy(r->data + COOKIE, cookie, 4);
	put(r, OPT_TYPE, &type, 1);
	put_addr(r, OPT_SERVER, &d->s->gateway4);
	if (q->client_id)
		put(r, OPT_CLIENT_ID, q->client_id, q->client_id_len);
}

/* What every client is told, and for how long the address is its own. */
static void put_network(const struct dhcp *d, struct dhcp_reply *r, bool leased)
{
	unsigned int bits = d->s->net4.bits - 96;
	uint8_t mtu[2];

	put_u32(r, OPT_MASK, bits ? 0xffffffffu << (32 - bits) : 0);
	put_addr(r, OPT_ROUTER, &d->s->gateway4);
	put_addr(r, OPT_DNS, &d->s->dns4);
	put_be16(mtu, (uint16_t)d->s->mtu);
	put(r, OPT_MTU, mtu, sizeof(mtu));
	if (leased) {
		put_u32(r, OPT_LEASE, d->s->lease);
		put_u32(r, OPT_T1, d->s->lease / 2);
		put_u32(r, OPT_T2, d->s->lease / 8 * 7);
	}
	if (d->s->domain[0])
		put(r, OPT_DOMAIN, d->s->domain, strlen(d->s->domain));
}

/* §4.1: where to. BOOTP's 300 bytes are the least that some clients take. */
static void finish(const struct request *q, struct dhcp_reply *r, const struct addr *given)
{
	static const uint8_t everybody[4] = { 255, 255, 255, 255 };

	r->data[r->len++] = OPT_END;
	r->len = MAX(r->len, (size_t)300);
	r->dst = !is_zero(&q->ciaddr) ? q->ciaddr : *given;
	r->broadcast = is_zero(&q->ciaddr) && q->msg[FLAGS] & 0x80;
	if (r->broadcast)
		r->dst = addr_v4(everybody);
}

static void nak(struct dhcp *d, const struct request *q, struct dhcp_reply *r)
{
	static const uint8_t everybody[4] = { 255, 255, 255, 255 };

	d->naks++;
	begin(d, q, r, NAK);
	finish(q, r, &q->ciaddr);
	r->dst = addr_v4(everybody);
	r->broadcast = true;
}

static void give(struct dhcp *d, const struct request *q, struct dhcp_reply *r, unsigned int i, uint8_t type)
{
	struct addr a = address(d, i);

	d->acks += type == ACK;
	begin(d, q, r, type);
	memcpy(r->data + YIADDR, a.b + 12, 4);
	put_network(d, r, true);
	if (q->type == DISCOVER && type == ACK)
		put(r, OPT_RAPID, NULL, 0);
	finish(q, r, &a);
}

/* §4.3.2: SELECTING names us, INIT-REBOOT the address that it had, RENEWING and REBINDING the one that it has. */
static bool request(struct dhcp *d, uint64_t now, const struct request *q, const uint8_t mac[PKT_MAC],
		    struct dhcp_reply *r)
{
	int i = lease_for(d, now, mac);
	struct addr mine;

	if (q->has_server && !addr_equal(&q->server, &d->s->gateway4))
		return false;
	if (i < 0 || (!q->has_wanted && is_zero(&q->ciaddr))) {
		nak(d, q, r);
		return true;
	}
	mine = address(d, (unsigned int)i);
	if (!addr_equal(q->has_wanted ? &q->wanted : &q->ciaddr, &mine)) {
		nak(d, q, r);
		return true;
	}
	take_lease(d, now, (unsigned int)i, mac);
	give(d, q, r, (unsigned int)i, ACK);
	return true;
}

static bool discover(struct dhcp *d, uint64_t now, const struct request *q, const uint8_t mac[PKT_MAC],
		     struct dhcp_reply *r)
{
	int i = lease_for(d, now, mac);

	if (i < 0)
		return false;
	if (q->rapid)
		take_lease(d, now, (unsigned int)i, mac);
	give(d, q, r, (unsigned int)i, q->rapid ? ACK : OFFER);
	return true;
}

static void release(struct dhcp *d, uint64_t now, const uint8_t mac[PKT_MAC])
{
	unsigned int i;

	for (i = 0; i < d->pool; i++)
		if (d->lease[i].taken && !memcmp(d->lease[i].mac, mac, PKT_MAC))
			d->lease[i].until = now;
}

/* Somebody else has it, says the client: nobody gets it for a while, unless there is no other. */
static void decline(struct dhcp *d, uint64_t now, const uint8_t mac[PKT_MAC])
{
	unsigned int i;

	for (i = 0; d->pool > 1 && i < d->pool; i++)
		if (d->lease[i].taken && !memcmp(d->lease[i].mac, mac, PKT_MAC)) {
			memset(d->lease[i].mac, 0, PKT_MAC);
			d->lease[i].until = now + 600 * 1000;
		}
}

/**
 * dhcp_answer() - answer a client
 * @d: initialized
 * @now: milliseconds, never going back
 * @mac: who sent the frame
 * @msg, @len: what came on port 67; any bytes
 * @r: filled in when there is an answer, from port 67 to port 68
 * Return: whether there is.
 */
bool dhcp_answer(struct dhcp *d, uint64_t now, const uint8_t mac[PKT_MAC], const uint8_t *msg, size_t len,
		 struct dhcp_reply *r)
{
	struct request q;

	if (!parse(&q, mac, msg, len))
		return false;
	switch (q.type) {
	case DISCOVER:
		return discover(d, now, &q, mac, r);
	case REQUEST:
		return request(d, now, &q, mac, r);
	case INFORM:
		if (is_zero(&q.ciaddr))
			return false;
		begin(d, &q, r, ACK);
		memcpy(r->data + CIADDR, q.msg + CIADDR, 4);
		put_network(d, r, false);
		finish(&q, r, &q.ciaddr);
		return true;
	case RELEASE:
		release(d, now, mac);
		return false;
	case DECLINE:
		decline(d, now, mac);
		return false;
	default:
		return false;
	}
}

// SPDX-License-Identifier: ISC
/*
 * dhcp6.c - DHCPv6 (RFC 8415, DNS of RFC 3646): one address, and the DNS server's.
 *
 * Nothing is remembered: a client's address follows from who it is, so a lease is granted, renewed and confirmed by
 * looking at it. An address that is not the client's comes back with lifetimes of 0 (§18.3.4); a second identity
 * association has none to get, and nobody gets a prefix.
 */
#include "dhcp6.h"

#include "util.h"

enum { SOLICIT = 1, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, INFORMATION_REQUEST = 11 };

enum {
	OPT_CLIENTID = 1, OPT_SERVERID = 2, OPT_IA_NA = 3, OPT_IA_TA = 4, OPT_IAADDR = 5, OPT_STATUS = 13,
	OPT_RAPID_COMMIT = 14, OPT_DNS = 23, OPT_DOMAINS = 24, OPT_IA_PD = 25,
};

enum { SUCCESS = 0, NO_ADDRS = 2, NOT_ON_LINK = 4, NO_PREFIX = 6 };

enum { DUID_LEN = 4 + PKT_MAC, DUID_MAX = 130, IAS_MAX = 4, HEAD = 4, IA_HEAD = 12, IAADDR_LEN = 24 };

struct option {
	unsigned int kind;
	const uint8_t *data;
	size_t len;
};

struct message {
	uint8_t type;
	struct option client, server, ia[IAS_MAX];
	unsigned int ias;
	bool rapid;
};

/* Walk options. Return: 1; 0 at the end; -1 when they do not add up. */
static int next(const uint8_t **p, const uint8_t *end, struct option *o)
{
	if (*p == end)
		return 0;
	if (end - *p < 4 || end - *p - 4 < get_be16(*p + 2))
		return -1;
	*o = (struct option){ get_be16(*p), *p + 4, get_be16(*p + 2) };
	*p += 4 + o->len;
	return 1;
}

static bool parse(struct message *m, const uint8_t *msg, size_t len)
{
	const uint8_t *p = msg + HEAD, *end = msg + len;
	struct option o;
	int more = 0;

	*m = (struct message){ 0 };
	if (len < HEAD)
		return false;
	m->type = msg[0];
	while ((more = next(&p, end, &o)) > 0) {
		if (o.kind == OPT_CLIENTID)
			m->client = o;
		if (o.kind == OPT_SERVERID)
			m->server = o;
		if (o.kind == OPT_RAPID_COMMIT)
			m->rapid = true;
		if ((o.kind == OPT_IA_NA || o.kind == OPT_IA_PD) && o.len < IA_HEAD)
			return false;
		if ((o.kind == OPT_IA_NA || o.kind == OPT_IA_PD || o.kind == OPT_IA_TA) && m->ias < IAS_MAX)
			m->ia[m->ias++] = o;
	}
	return !more && m->client.len <= DUID_MAX;
}

/* DUID-LL (RFC 8415 §11.4). */
static void duid(const struct subnet *s, uint8_t out[DUID_LEN])
{
	put_be16(out, 3);
	put_be16(out + 2, 1);
	memcpy(out + 4, s->mac, PKT_MAC);
}

static bool names_us(const struct subnet *s, const struct message *m)
{
	uint8_t us[DUID_LEN];

	duid(s, us);
	return m->server.len == DUID_LEN && !memcmp(m->server.data, us, DUID_LEN);
}

/* §16: which messages have to be discarded. */
static bool is_valid(const struct subnet *s, const struct message *m)
{
	switch (m->type) {
	case SOLICIT:
	case CONFIRM:
	case REBIND:
		return m->client.len && !m->server.data;
	case REQUEST:
	case RENEW:
	case RELEASE:
	case DECLINE:
		return m->client.len && names_us(s, m);
	case INFORMATION_REQUEST:
		return !m->ias && (!m->server.data || names_us(s, m));
	default:
		return false;
	}
}

/* -- writing -- */

static uint8_t *put(struct dhcp6_reply *r, unsigned int kind, const void *data, size_t len)
{
	uint8_t *at = r->data + r->len;

	if (r->len + 4 + len > sizeof(r->data)) {
		r->failed = true;
		return r->data;
	}
	put_be16(at, (uint16_t)kind);
	put_be16(at + 2, (uint16_t)len);
	if (len)
		memcpy(at + 4, data, len);
	r->len += 4 + len;
	return at;
}

static void put_status(struct dhcp6_reply *r, uint16_t status)
{
	uint8_t b[2];

	put_be16(b, status);
	put(r, OPT_STATUS, b, sizeof(b));
}

static void put_address(struct dhcp6_reply *r, const struct addr *a, uint32_t lifetime)
{
	uint8_t b[IAADDR_LEN];

	memcpy(b, a->b, 16);
	put_be32(b + 16, lifetime / 2);
	put_be32(b + 20, lifetime);
	put(r, OPT_IAADDR, b, sizeof(b));
}

/* The addresses in an association that are not the client's. */
static void put_others(struct dhcp6_reply *r, const struct option *ia, const struct addr *mine)
{
	const uint8_t *p = ia->data + IA_HEAD, *end = ia->data + ia->len;
	struct option o;
	struct addr a;

	while (next(&p, end, &o) > 0) {
		if (o.kind != OPT_IAADDR || o.len < IAADDR_LEN)
			continue;
		memcpy(a.b, o.data, 16);
		if (!mine || !addr_equal(&a, mine))
			put_address(r, &a, 0);
	}
}

static void put_associations(const struct subnet *s, const struct message *m, const struct addr *address,
			     struct dhcp6_reply *r)
{
	bool given = false;
	unsigned int i;

	for (i = 0; i < m->ias; i++) {
		const struct option *ia = &m->ia[i];
		uint8_t head[IA_HEAD] = { 0 }, *at;
		size_t begin = r->len;

		if (ia->kind == OPT_IA_TA)
			continue;
		memcpy(head, ia->data, 4);
		put_be32(head + 4, s->lease / 4);       /* T1, T2: of the preferred lifetime, half of the lease */
		put_be32(head + 8, s->lease / 5 * 2);
		at = put(r, ia->kind, head, sizeof(head));
		if (ia->kind == OPT_IA_NA && !given)
			put_address(r, address, s->lease);
		else
			put_status(r, ia->kind == OPT_IA_NA ? NO_ADDRS : NO_PREFIX);
		if (ia->kind == OPT_IA_NA && (m->type == RENEW || m->type == REBIND))
			put_others(r, ia, given ? NULL : address);
		given |= ia->kind == OPT_IA_NA;
		if (!r->failed)
			put_be16(at + 2, (uint16_t)(r->len - begin - 4));
	}
}

/* §18.3.3. Return: false when there is nothing to confirm. */
static bool confirm(const struct subnet *s, const struct message *m, struct dhcp6_reply *r)
{
	bool any = false, all = true;
	unsigned int i;

	for (i = 0; i < m->ias; i++) {
		const uint8_t *p = m->ia[i].data + IA_HEAD, *end = m->ia[i].data + m->ia[i].len;
		struct option o;
		struct addr a;

		while (m->ia[i].kind == OPT_IA_NA && next(&p, end, &o) > 0) {
			if (o.kind != OPT_IAADDR || o.len < IAADDR_LEN)
				continue;
			memcpy(a.b, o.data, 16);
			any = true;
			all &= addr_in(&a, &s->net6);
		}
	}
	put_status(r, all ? SUCCESS : NOT_ON_LINK);
	return any;
}

/* RFC 1035 §3.1. */
static void put_domain(const struct subnet *s, struct dhcp6_reply *r)
{
	const char *p = s->domain;
	uint8_t name[SUBNET_DOMAIN + 2];
	size_t len = 0;

	while (*p) {
		size_t n = strcspn(p, ".");

		if (!n || n > 63)
			return;
		name[len++] = (uint8_t)n;
		memcpy(name + len, p, n);
		len += n;
		p += n + (p[n] == '.');
	}
	name[len++] = 0;
	if (len > 1)
		put(r, OPT_DOMAINS, name, len);
}

/**
 * dhcp6_answer() - answer a client
 * @s: network
 * @address: the client's
 * @msg, @len: what came on port 547; any bytes
 * @r: filled in when there is an answer, from port 547 to port 546
 * Return: whether there is.
 */
bool dhcp6_answer(const struct subnet *s, const struct addr *address, const uint8_t *msg, size_t len,
		  struct dhcp6_reply *r)
{
	struct message m;
	uint8_t us[DUID_LEN];

	if (!parse(&m, msg, len) || !is_valid(s, &m))
		return false;
	*r = (struct dhcp6_reply){ .len = HEAD };
	memcpy(r->data, msg, HEAD);
	r->data[0] = m.type == SOLICIT && !m.rapid ? ADVERTISE : REPLY;
	duid(s, us);
	put(r, OPT_SERVERID, us, sizeof(us));
	if (m.client.len)
		put(r, OPT_CLIENTID, m.client.data, m.client.len);
	if (m.type == SOLICIT && m.rapid)
		put(r, OPT_RAPID_COMMIT, NULL, 0);
	if (m.type == CONFIRM)
		return confirm(s, &m, r) && !r->failed;
	if (m.type == RELEASE || m.type == DECLINE) {
		put_status(r, SUCCESS);
		return !r->failed;
	}
	if (m.type != INFORMATION_REQUEST)
		put_associations(s, &m, address, r);
	put(r, OPT_DNS, s->dns6.b, 16);
	put_domain(s, r);
	return !r->failed;
}

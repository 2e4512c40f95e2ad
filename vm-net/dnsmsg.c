// SPDX-License-Identifier: ISC
/*
 * dnsmsg.c - DNS messages (RFC 1035 §4, EDNS of RFC 6891).
 *
 * Nothing that a guest sent is passed on as it came. A query is read whole, and what is asked upstream is written anew
 * from its question: no option, no second record, no byte behind the end gets out. A reply is written
 * anew as well, in one pass: header, the question with the client's own id and case, records, OPT if the client had one.
 */
#include "dnsmsg.h"

#include <errno.h>
#include <string.h>

#include "util.h"

enum {
	FLAG_QR = 0x8000,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	FLAG_RA = 0x0080,
	POINTER = 0xc000,
	POINTED = 0x3fff,               /* the last place that a pointer can lead to */
};

/* An OPT record at @at, its owner read. Return: 0, or the rcode to answer with. */
static int read_opt(struct dns_question *q, const uint8_t *fixed)
{
	if (q->edns)
		return DNS_FORMERR;             /* RFC 6891 §6.1.1: one at most */
	q->edns = true;
	q->udp = MAX(dns_get16(fixed + 2), DNS_UDP_LEAST);
	return fixed[5] ? DNS_BADVERS : 0;
}

/* The additional section, which must end where the message does. */
static int read_additional(struct dns_question *q, const uint8_t *msg, size_t len, size_t at)
{
	unsigned int n = dns_get16(msg + 10);
	uint8_t owner[DNSNAME_MAX];
	int e = 0;

	for (; n; n--) {
		const uint8_t *fixed;

		if (dnsname_read(msg, len, &at, owner) || len - at < 10)
			return DNS_FORMERR;
		fixed = msg + at;
		if (len - at - 10 < dns_get16(fixed + 8))
			return DNS_FORMERR;
		at += 10 + (size_t)dns_get16(fixed + 8);
		if (dns_get16(fixed) != DNS_OPT_TYPE)
			continue;
		e = *owner ? DNS_FORMERR : read_opt(q, fixed);
		if (e == DNS_FORMERR)
			return e;
	}
	return at == len ? e : DNS_FORMERR;
}

/**
 * dnsmsg_read() - read a client's query
 * @q: filled in, as far as it could be read
 * @msg, @len: hostile
 * Return: 0; an rcode to answer with (dnsmsg_begin() takes @q); -EBADMSG for what must not be answered at all,
 * because it is a response or no message.
 */
int dnsmsg_read(struct dns_question *q, const uint8_t *msg, size_t len)
{
	size_t at = DNS_HEADER;
	unsigned int flags;

	*q = (struct dns_question){ .udp = DNS_UDP_LEAST };
	if (len < DNS_HEADER || dns_get16(msg + 2) & FLAG_QR)
		return -EBADMSG;
	flags = dns_get16(msg + 2);
	q->id = dns_get16(msg);
	q->opcode = flags >> 11 & 15;
	q->recurse = flags & FLAG_RD;
	if (q->opcode)
		return DNS_NOTIMP;
	if (flags & FLAG_TC || dns_get16(msg + 4) != 1 || dns_get16(msg + 6) || dns_get16(msg + 8))
		return DNS_FORMERR;
	if (dnsname_read(msg, len, &at, q->name) || at - DNS_HEADER != dnsname_length(q->name) || len - at < 4)
		return DNS_FORMERR;
	q->type = dns_get16(msg + at);
	q->class = dns_get16(msg + at + 2);
	q->asked = true;
	return read_additional(q, msg, len, at + 4);
}

static size_t put_question(uint8_t *at, const struct dns_question *q)
{
	size_t n = dnsname_length(q->name);

	memcpy(at, q->name, n);
	dns_set16(at + n, q->type);
	dns_set16(at + n + 2, q->class);
	return n + 4;
}

static size_t put_opt(uint8_t *at, unsigned int rcode)
{
	memset(at, 0, DNS_OPT);
	dns_set16(at + 1, DNS_OPT_TYPE);
	dns_set16(at + 3, DNS_UDP_ASKED);
	at[5] = (uint8_t)(rcode >> 4);
	return DNS_OPT;
}

/**
 * dnsmsg_ask() - write the query that goes to a server
 * @q: what is asked, whose id, flags and options stay here
 * @id: fresh
 * @edns: whether to say that we take DNS_UDP_ASKED bytes
 * @out: filled in
 * Return: its bytes.
 */
size_t dnsmsg_ask(const struct dns_question *q, uint16_t id, bool edns, uint8_t out[DNS_ASK])
{
	size_t n = DNS_HEADER;

	memset(out, 0, DNS_HEADER);
	dns_set16(out, id);
	dns_set16(out + 2, FLAG_RD);
	dns_set16(out + 4, 1);
	dns_set16(out + 10, edns);
	n += put_question(out + n, q);
	return edns ? n + put_opt(out + n, 0) : n;
}

/**
 * dnsmsg_answers() - whether a message is the answer to what dnsmsg_ask() wrote
 * @q, @id: what was asked
 * @msg, @len: from the network, hostile
 *
 * Case does not count, for there are servers that change it. FORMERR may come without the question.
 * Return: so; its records may still be anything.
 */
bool dnsmsg_answers(const struct dns_question *q, uint16_t id, const uint8_t *msg, size_t len)
{
	uint8_t name[DNSNAME_MAX];
	size_t at = DNS_HEADER;
	unsigned int flags;

	if (len < DNS_HEADER || dns_get16(msg) != id)
		return false;
	flags = dns_get16(msg + 2);
	if (!(flags & FLAG_QR) || flags >> 11 & 15)
		return false;
	if (len == DNS_HEADER && (flags & 15) == DNS_FORMERR)
		return true;
	return dns_get16(msg + 4) == 1 && !dnsname_read(msg, len, &at, name) && len - at >= 4 &&
	       dns_get16(msg + at) == q->type && dns_get16(msg + at + 2) == q->class &&
	       dnsname_equal(name, q->name);
}

/**
 * dnsmsg_begin() - begin a reply
 * @o: filled in
 * @q: what it replies to; used until dnsmsg_end()
 * @data: where it goes
 * @limit: bytes that it may have, DNS_UDP_LEAST to DNS_LARGEST
 */
void dnsmsg_begin(struct dns_out *o, const struct dns_question *q, uint8_t *data, size_t limit)
{
	*o = (struct dns_out){ .q = q, .data = data, .len = DNS_HEADER };
	o->limit = limit - (q->edns ? DNS_OPT : 0);
	memset(data, 0, DNS_HEADER);
	if (q->asked)
		o->len += put_question(data + o->len, q);
}

/* Return: where the record's data lies in the reply; 0 when there is no room for the record. */
static size_t put(struct dns_out *o, const struct dns_put *r)
{
	size_t owner = r->owner ? dnsname_length(r->owner) : 2;
	uint8_t *at = o->data + o->len;

	if (r->len > DNS_LARGEST || owner + 10 + r->len > o->limit - o->len || (!r->owner && r->owner_at > POINTED))
		return 0;
	if (r->owner)
		memcpy(at, r->owner, owner);
	else
		dns_set16(at, POINTER | (unsigned int)r->owner_at);
	at += owner;
	dns_set16(at, r->type);
	dns_set16(at + 2, DNS_IN);
	dns_set32(at + 4, r->ttl);
	dns_set16(at + 8, (unsigned int)r->len);
	memcpy(at + 10, r->data, r->len);
	o->len += owner + 10 + r->len;
	return o->len - r->len;
}

/**
 * dnsmsg_put() - add a record to the answer section
 * @o: begun; no authority yet
 * @r: the record
 *
 * The first that finds no room truncates the reply, and none gets in any more.
 * Return: where its data lies in the reply, for owners of further records; 0 when it is not there.
 */
size_t dnsmsg_put(struct dns_out *o, const struct dns_put *r)
{
	size_t at = o->truncated ? 0 : put(o, r);

	if (at)
		o->answers++;
	else
		o->truncated = true;
	return at;
}

/** dnsmsg_put_authority() - add a record to the authority section, if there is room. @o. @r. */
void dnsmsg_put_authority(struct dns_out *o, const struct dns_put *r)
{
	if (!o->truncated && put(o, r))
		o->authorities++;
}

/** dnsmsg_end() - finish a reply. @o: begun. @rcode: BADVERS only to a client with EDNS. Return: its bytes. */
size_t dnsmsg_end(struct dns_out *o, enum dns_rcode rcode)
{
	const struct dns_question *q = o->q;
	uint8_t *d = o->data;

	dns_set16(d, q->id);
	dns_set16(d + 2, FLAG_QR | (unsigned int)q->opcode << 11 | (o->truncated ? FLAG_TC : 0) |
		  (q->recurse ? FLAG_RD : 0) | FLAG_RA | (rcode & 15));
	dns_set16(d + 4, q->asked);
	dns_set16(d + 6, o->answers);
	dns_set16(d + 8, o->authorities);
	dns_set16(d + 10, q->edns);
	if (q->edns)
		o->len += put_opt(d + o->len, rcode);
	return o->len;
}

// SPDX-License-Identifier: ISC
/*
 * dnsanswer.c - a server's answer: judged, and told to the client as a new message.
 *
 * Only what answers the question is told: the aliases that lead from its name, in order, and the records of its type at
 * their end; for a negative answer the zone's SOA, without which nobody may remember it (RFC 2308). What belongs to other names,
 * glue, signatures and options is left out: an address that is told is one that policy was told of, too. For the
 * same reason HTTPS and SVCB records lose their address hints (RFC 9460 §7.3); clients ask for A and AAAA then.
 *
 * Types pass that we can write anew: the five with names inside that may be compressed (RFC 3597 §4), SRV, and those
 * whose data has no names to compress. A type that is not in the table is not asked for at all: ANY (RFC 8482),
 * zone transfers, and what may one day carry addresses.
 *
 * A chain is as good as its least TTL. An address stays valid for that, or DNSANSWER_VALID seconds if
 * that is more, and no record of the answer is told with a longer TTL, so no client uses an address that has run out.
 */
#include "dnsanswer.h"

#include <errno.h>
#include <string.h>

#include "util.h"

enum { HINT4 = 4, HINT6 = 6, MANDATORY = 0 };

/* How a type's data is written: @fixed bytes, @names names, @tail bytes; ANY_TAIL: whatever is left. */
enum { ANY_TAIL = -1 };
struct form {
	uint16_t type;
	int fixed, names, tail;
};

static const struct form forms[] = {
	{ DNS_A, 4, 0, 0 },
	{ DNS_AAAA, 16, 0, 0 },
	{ DNS_CNAME, 0, 1, 0 },
	{ DNS_PTR, 0, 1, 0 },
	{ DNS_NS, 0, 1, 0 },
	{ DNS_MX, 2, 1, 0 },
	{ DNS_SRV, 6, 1, 0 },
	{ DNS_SOA, 0, 2, 20 },
	{ DNS_TXT, 0, 0, ANY_TAIL },
	{ DNS_HTTPS, 2, 1, ANY_TAIL },
	{ DNS_SVCB, 2, 1, ANY_TAIL },
	{ DNS_CAA, 0, 0, ANY_TAIL },
	{ 35, 0, 0, ANY_TAIL },         /* NAPTR: its name is never compressed */
	{ 43, 0, 0, ANY_TAIL },         /* DS */
	{ 44, 0, 0, ANY_TAIL },         /* SSHFP */
	{ 48, 0, 0, ANY_TAIL },         /* DNSKEY */
	{ 52, 0, 0, ANY_TAIL },         /* TLSA */
	{ 61, 0, 0, ANY_TAIL },         /* OPENPGPKEY */
	{ 256, 0, 0, ANY_TAIL },        /* URI */
};

static const struct form *form_of(uint16_t type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(forms); i++)
		if (forms[i].type == type)
			return &forms[i];
	return NULL;
}

/** dnsanswer_passes() - whether records of a type can be told, so that it may be asked for. @type. Return: so. */
bool dnsanswer_passes(uint16_t type)
{
	return form_of(type) != NULL;
}

/** dnsanswer_name() - the names that lead to the answer. @i: 0 is the question's, up to @a->links. Return: it. */
const uint8_t *dnsanswer_name(const struct dnsanswer *a, unsigned int i)
{
	return i ? a->link[i - 1].target : a->q->name;
}

/* -- reading -- */

/* The record at *@at, which moves on. A class that is not IN makes type 0 of it. */
static int read_record(const struct dnsanswer *a, size_t *at, struct dnsanswer_record *r)
{
	uint8_t owner[DNSNAME_MAX];
	const uint8_t *fixed;

	*r = (struct dnsanswer_record){ .owner = *at };
	if (dnsname_read(a->msg, a->len, at, owner) || a->len - *at < 10)
		return -EBADMSG;
	fixed = a->msg + *at;
	r->type = dns_get16(fixed + 2) == DNS_IN ? dns_get16(fixed) : 0;
	r->ttl = dns_get32(fixed + 4);
	/* RFC 2181 §8: one that looks negative is 0. */
	r->ttl = r->ttl >> 31 ? 0 : MIN(r->ttl, (uint32_t)DNSANSWER_TTL_MAX);
	r->len = dns_get16(fixed + 8);
	r->at = *at + 10;
	if (a->len - r->at < r->len)
		return -EBADMSG;
	*at = r->at + r->len;
	return 0;
}

static bool owned_by(const struct dnsanswer *a, const struct dnsanswer_record *r, const uint8_t *name)
{
	uint8_t owner[DNSNAME_MAX];
	size_t at = r->owner;

	return !dnsname_read(a->msg, a->len, &at, owner) && dnsname_equal(owner, name);
}

/* Follow aliases from the question's name; each must lead to a name that was not there yet. */
static int follow(struct dnsanswer *a)
{
	const uint8_t *name = a->q->name;
	unsigned int i, j;

	for (i = 0; i < a->count; i++) {
		const struct dnsanswer_record *r = &a->record[i];
		uint8_t *target = a->link[a->links < DNSANSWER_LINKS ? a->links : 0].target;
		size_t at = r->at;

		if (r->type != DNS_CNAME || !owned_by(a, r, name))
			continue;
		if (a->links == DNSANSWER_LINKS)
			return -ELOOP;
		if (dnsname_read(a->msg, a->len, &at, target) || at != r->at + r->len)
			return -EBADMSG;
		for (j = 0; j <= a->links; j++)
			if (dnsname_equal(dnsanswer_name(a, j), target))
				return -ELOOP;
		a->link[a->links++].ttl = r->ttl;
		name = target;
		i = (unsigned int)-1;   /* the next alias may stand anywhere */
	}
	return 0;
}

/* Keep what answers the question. Its records stay in the server's order. */
static int select_records(struct dnsanswer *a)
{
	const uint8_t *name = dnsanswer_name(a, a->links);
	unsigned int i, n = 0, all = a->count;

	for (i = 0; i < all; i++) {
		struct dnsanswer_record r = a->record[i];

		if (r.type != a->q->type || a->rcode != DNS_NOERROR || !owned_by(a, &r, name))
			continue;
		if (r.type == DNS_A || r.type == DNS_AAAA) {
			if (r.len != (r.type == DNS_A ? 4 : 16))
				return -EBADMSG;
			if (r.type == DNS_A)
				r.addr = addr_v4(a->msg + r.at);
			else
				memcpy(r.addr.b, a->msg + r.at, sizeof(r.addr.b));
		}
		a->record[n++] = r;
	}
	a->count = n;
	a->dropped += all - n - a->links;
	return 0;
}

static void judge_ttl(struct dnsanswer *a)
{
	uint32_t least = DNSANSWER_TTL_MAX;
	unsigned int i;

	for (i = 0; i < a->links; i++)
		least = MIN(least, a->link[i].ttl);
	for (i = 0; i < a->count; i++)
		least = MIN(least, a->record[i].ttl);
	a->valid = MAX(least, (uint32_t)DNSANSWER_VALID);
}

/**
 * dnsanswer_read() - read and judge an answer
 * @a: filled in; refers to @q and @msg
 * @q: what was asked, of a type that passes
 * @msg, @len: dnsmsg_answers() took it
 * Return: 0, then an rcode beyond NXDOMAIN or @a->truncated says that there is nothing in it; -EBADMSG;
 * -ELOOP for aliases that lead in a circle or too far.
 */
int dnsanswer_read(struct dnsanswer *a, const struct dns_question *q, const uint8_t *msg, size_t len)
{
	unsigned int n = dns_get16(msg + 6), authorities = dns_get16(msg + 8);
	uint8_t name[DNSNAME_MAX];
	struct dnsanswer_record r;
	size_t at = DNS_HEADER;
	int e;

	memset(a, 0, offsetof(struct dnsanswer, scratch));
	a->q = q;
	a->msg = msg;
	a->len = len;
	a->rcode = msg[3] & 15;
	a->truncated = msg[2] & 2;
	if (a->truncated || (a->rcode != DNS_NOERROR && a->rcode != DNS_NXDOMAIN))
		return 0;
	if (dnsname_read(msg, len, &at, name) || len - at < 4)
		return -EBADMSG;
	for (at += 4; n; n--) {
		if (read_record(a, &at, &r))
			return -EBADMSG;
		if (a->count < DNSANSWER_RECORDS)
			a->record[a->count++] = r;
		else
			a->dropped++;
	}
	for (; authorities; authorities--) {
		if (read_record(a, &at, &r))
			return -EBADMSG;
		if (r.type == DNS_SOA && !a->soa.type)
			a->soa = r;
	}
	/* Who asks for an alias wants just that. */
	e = q->type == DNS_CNAME ? 0 : follow(a);
	if (!e)
		e = select_records(a);
	judge_ttl(a);
	return e;
}

/* -- writing -- */

/* Whether a list of mandatory keys (RFC 9460 §8) has a hint in it. */
static bool needs_hint(const uint8_t *key, size_t len)
{
	for (; len >= 2; key += 2, len -= 2)
		if (dns_get16(key) == HINT4 || dns_get16(key) == HINT6)
			return true;
	return false;
}

/* Copy the parameters of HTTPS and SVCB without hints. Return: bytes; -EBADMSG. */
static int copy_parameters(uint8_t *out, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (len) {
		unsigned int key;
		size_t size;

		if (len < 4 || len - 4 < dns_get16(p + 2))
			return -EBADMSG;
		key = dns_get16(p);
		size = 4 + (size_t)dns_get16(p + 2);
		if (key == MANDATORY && needs_hint(p + 4, size - 4))
			return -EBADMSG;
		if (key != HINT4 && key != HINT6) {
			memcpy(out + n, p, size);
			n += size;
		}
		p += size;
		len -= size;
	}
	return (int)n;
}

/* Write a record's data anew into @a->scratch. Return: bytes; -EBADMSG. */
static int rewrite(struct dnsanswer *a, const struct dnsanswer_record *r)
{
	const struct form *f = form_of(r->type);
	size_t at = r->at + (size_t)f->fixed, end = r->at + r->len, n = (size_t)f->fixed;
	int i;

	if (r->len < f->fixed)
		return -EBADMSG;
	memcpy(a->scratch, a->msg + r->at, n);
	for (i = 0; i < f->names; i++) {
		/* What a name needs beyond the record's end is not in it. */
		if (dnsname_read(a->msg, end, &at, a->scratch + n))
			return -EBADMSG;
		n += dnsname_length(a->scratch + n);
	}
	if (f->tail != ANY_TAIL && end - at != (size_t)f->tail)
		return -EBADMSG;
	if (r->type == DNS_HTTPS || r->type == DNS_SVCB) {
		i = copy_parameters(a->scratch + n, a->msg + at, end - at);
		return i < 0 ? i : (int)n + i;
	}
	memcpy(a->scratch + n, a->msg + at, end - at);
	return (int)(n + end - at);
}

static void write_soa(struct dnsanswer *a, struct dns_out *o)
{
	uint8_t owner[DNSNAME_MAX];
	size_t at = a->soa.owner;
	int n = a->soa.type ? rewrite(a, &a->soa) : -1;

	if (n < 0 || dnsname_read(a->msg, a->len, &at, owner))
		return;
	dnsmsg_put_authority(o, &(struct dns_put){ owner, 0, DNS_SOA, a->soa.ttl, a->scratch, (size_t)n });
}

/**
 * dnsanswer_write() - write the reply for the client
 * @a: read; records with drop set are left out, those that got in have told set
 * @out: where it goes
 * @limit: as dnsmsg_begin()
 * Return: its bytes.
 */
size_t dnsanswer_write(struct dnsanswer *a, uint8_t *out, size_t limit)
{
	size_t owner = DNS_HEADER;
	unsigned int i, put = 0;
	struct dns_out o;

	dnsmsg_begin(&o, a->q, out, limit);
	for (i = 0; i < a->links && owner; i++)
		owner = dnsmsg_put(&o, &(struct dns_put){ NULL, owner, DNS_CNAME, MIN(a->link[i].ttl, a->valid),
				   a->link[i].target, dnsname_length(a->link[i].target) });
	for (i = 0; i < a->count && owner; i++) {
		struct dnsanswer_record *r = &a->record[i];
		int n = r->drop ? -1 : rewrite(a, r);

		if (n >= 0 && dnsmsg_put(&o, &(struct dns_put){ NULL, owner, r->type, MIN(r->ttl, a->valid),
					 a->scratch, (size_t)n })) {
			r->told = true;
			put++;
		}
		a->dropped += n < 0;
	}
	if (!put)
		write_soa(a, &o);
	return dnsmsg_end(&o, a->rcode);
}

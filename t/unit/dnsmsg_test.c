// SPDX-License-Identifier: ISC
/* dnsmsg_test.c - queries, replies, answers and names by option, well-formed and hostile. */
#include <errno.h>
#include <stdlib.h>

#include "dnsanswer.h"
#include "dnshosts.h"
#include "dns_build.h"
#include "tap.h"
#include "util.h"

static struct build m;
static struct dns_question q;
static struct dnsanswer a;
static uint8_t out[DNS_LARGEST];

static bool is(const char *text, const char *want)
{
	return text && !strcmp(text, want);
}

/* -- queries -- */

static int read_query(void)
{
	return dnsmsg_read(&q, m.b, m.n);
}

static void test_queries(void)
{
	bheader(&m, 7, RD, "wWw.example.com", DNS_A);
	CHECK(read_query() == 0 && q.id == 7 && q.type == DNS_A && q.recurse && !q.edns && q.udp == 512 &&
	      !memcmp(q.name, "\3wWw", 4), "a query, in its case");
	b8(&m, 0);
	CHECK(read_query() == DNS_FORMERR, "a byte behind its end");
	m.n -= 2;
	CHECK(read_query() == DNS_FORMERR && !q.asked, "one that is cut off");
	bheader(&m, 7, RD, "a", DNS_A);
	bopt(&m, 4096, 0);
	CHECK(read_query() == 0 && q.edns && q.udp == 4096, "EDNS");
	bopt(&m, 4096, 0);
	CHECK(read_query() == DNS_FORMERR, "... twice");
	bheader(&m, 7, RD, "a", DNS_A);
	bopt(&m, 100, 1);
	CHECK(read_query() == DNS_BADVERS && q.udp == 512, "... of another version, and with less than the least");
	bheader(&m, 7, QR, "a", DNS_A);
	CHECK(read_query() == -EBADMSG && dnsmsg_read(&q, m.b, 11) == -EBADMSG,
	      "a response and a fragment are not answered");
	bheader(&m, 7, 2 << 11, "a", DNS_A);
	CHECK(read_query() == DNS_NOTIMP && q.opcode == 2, "another operation");
	bheader(&m, 7, TC, "a", DNS_A);
	CHECK(read_query() == DNS_FORMERR, "a truncated query");
	bheader(&m, 7, 0, "a", DNS_A);
	m.b[5] = 2;
	CHECK(read_query() == DNS_FORMERR, "two questions");
	m.b[5] = 0;
	CHECK(read_query() == DNS_FORMERR, "none");
	bheader(&m, 7, 0, "a", DNS_A);
	ba(&m, "a", 1, "\1\2\3\4");
	CHECK(read_query() == DNS_FORMERR, "a query that answers itself");
	bheader(&m, 7, 0, "a.@0", DNS_A);
	CHECK(read_query() == DNS_FORMERR, "a compressed question");
	bheader(&m, 7, 0, "a", DNS_A);
	brr(&m, 3, "@12", 250, 0, "sig", 3);
	CHECK(read_query() == 0, "an additional record that we do not know");
	m.b[m.n - 4] = 9;
	CHECK(read_query() == DNS_FORMERR, "... that is longer than the message");
}

static void test_asking(void)
{
	static const uint8_t want[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1\1X\0\0\34\0\1\0\0\x29\4\xd0\0\0\0\0\0\0";
	uint8_t ask[DNS_ASK];
	struct build r;
	size_t n;

	bheader(&m, 0x9999, RD | 0x30, "X", DNS_AAAA);
	bopt(&m, 4096, 0);
	read_query();
	n = dnsmsg_ask(&q, 0x1234, true, ask);
	CHECK(n == sizeof(want) - 1 && !memcmp(ask, want, n), "what is asked: the question, our id, our options");
	CHECK(dnsmsg_ask(&q, 1, false, ask) == n - DNS_OPT && !ask[11], "... without options");

	bheader(&r, 0x1234, QR | RD | RA, "x", DNS_AAAA);
	CHECK(dnsmsg_answers(&q, 0x1234, r.b, r.n), "an answer, in another case");
	CHECK(!dnsmsg_answers(&q, 0x1235, r.b, r.n), "another id");
	CHECK(!dnsmsg_answers(&q, 0x1234, r.b, r.n - 1) && !dnsmsg_answers(&q, 0x1234, r.b, 3), "a fragment");
	r.b[2] &= 0x7f;
	CHECK(!dnsmsg_answers(&q, 0x1234, r.b, r.n), "a query");
	bheader(&r, 0x1234, QR | 2 << 11, "x", DNS_AAAA);
	CHECK(!dnsmsg_answers(&q, 0x1234, r.b, r.n), "of another operation");
	bheader(&r, 0x1234, QR, "y", DNS_AAAA);
	CHECK(!dnsmsg_answers(&q, 0x1234, r.b, r.n), "another name");
	bheader(&r, 0x1234, QR, "x", DNS_A);
	CHECK(!dnsmsg_answers(&q, 0x1234, r.b, r.n), "another type");
	bheader(&r, 0x1234, QR, "x", DNS_AAAA);
	r.b[r.n - 1] = 3;
	CHECK(!dnsmsg_answers(&q, 0x1234, r.b, r.n), "another class");
	bheader(&r, 0x1234, QR, "x", DNS_AAAA);
	r.b[5] = 0;
	CHECK(!dnsmsg_answers(&q, 0x1234, r.b, DNS_HEADER), "no question");
	r.b[3] = DNS_FORMERR;
	CHECK(dnsmsg_answers(&q, 0x1234, r.b, DNS_HEADER), "... is what some say FORMERR with");
}

/* -- answers -- */

static void question(const char *name, unsigned int type, unsigned int edns)
{
	bheader(&m, 7, RD, name, type);
	if (edns)
		bopt(&m, edns, 0);
	if (read_query())
		abort();
	bheader(&m, 1, QR | RA, name, type);
}

static int read_answer(void)
{
	return dnsanswer_read(&a, &q, m.b, m.n);
}

/* Write what was read, and read that: @a is what the client sees. Return: bytes. */
static size_t told(size_t limit)
{
	static uint8_t copy[DNS_LARGEST];
	size_t n = dnsanswer_write(&a, out, limit);

	memcpy(copy, out, n);
	return dnsmsg_answers(&q, q.id, copy, n) && (dns_get16(copy + 2) & TC || !dnsanswer_read(&a, &q, copy, n)) ? n : 0;
}

static bool has(unsigned int i, const char *address, uint32_t ttl)
{
	char text[ADDR_TEXT];

	return i < a.count && !strcmp(addr_format(&a.record[i].addr, text), address) && a.record[i].ttl == ttl;
}

static bool leads(unsigned int i, const char *name)
{
	char text[DNSNAME_TEXT];

	return i <= a.links && is(dnsname_text(dnsanswer_name(&a, i), text), name);
}

static void test_answers(void)
{
	question("www.x", DNS_A, 0);
	ba(&m, "@12", 60, "\1\2\3\4");
	ba(&m, "WWW.x", 3600, "\1\2\3\5");
	CHECK(read_answer() == 0 && a.count == 2 && has(0, "1.2.3.4", 60) && has(1, "1.2.3.5", 3600) && a.valid == 300,
	      "addresses, valid for 300 s at least");
	CHECK(told(512) && has(0, "1.2.3.4", 60) && has(1, "1.2.3.5", 300), "no TTL is told that is longer than that");

	question("www.x", DNS_A, 0);
	ba(&m, "cdn.z", 3600, "\1\2\3\4");
	ba(&m, "evil", 3600, "\6\6\6\6");
	brn(&m, 1, "b.y", DNS_CNAME, 700, "cdn.z");
	brn(&m, 1, "www.x", DNS_CNAME, 3600, "b.y");
	brn(&m, 1, "www.x", DNS_CNAME, 3600, "evil");
	brr(&m, 2, "x", DNS_NS, 5, "\0", 1);
	brr(&m, 3, "evil", DNS_A, 5, "\6\6\6\6", 4);
	CHECK(read_answer() == 0 && a.links == 2 && leads(1, "b.y") && leads(2, "cdn.z") && a.count == 1 && a.dropped == 2,
	      "aliases in any order; what is not in their chain does not count");
	CHECK(a.valid == 700 && told(512) && a.links == 2 && leads(2, "cdn.z") && a.count == 1 &&
	      has(0, "1.2.3.4", 700) && !a.dropped && !memmem(out, 512, "evil", 4), "... and is not told; a chain is as good as its least TTL");

	question("www.x", DNS_A, 0);
	brn(&m, 1, "www.x", DNS_CNAME, 60, "b");
	brn(&m, 1, "b", DNS_CNAME, 60, "WWW.x");
	ba(&m, "b", 60, "\1\2\3\4");
	CHECK(read_answer() == -ELOOP, "aliases in a circle");
	question("www.x", DNS_A, 0);
	brn(&m, 1, "www.x", DNS_CNAME, 60, "@12");
	CHECK(read_answer() == -ELOOP, "an alias of itself");

}

static void test_odd_answers(void)
{
	question("www.x", DNS_A, 0);
	ba(&m, "www.x", 0x80000000, "\1\2\3\4");
	ba(&m, "www.x", 0x7fffffff, "\1\2\3\5");
	CHECK(read_answer() == 0 && has(0, "1.2.3.4", 0) && has(1, "1.2.3.5", DNSANSWER_TTL_MAX),
	      "TTLs that cannot be");
	question("www.x", DNS_A, 0);
	ba(&m, "www.x", 60, "\1\2\3\4");
	m.b[3] |= DNS_NXDOMAIN;
	CHECK(read_answer() == 0 && !a.count && a.rcode == DNS_NXDOMAIN, "a name that does not exist has no address");
	question("www.x", DNS_A, 0);
	ba(&m, "www.x", 60, "\1\2\3\4");
	m.b[m.n - 11] = 3;
	CHECK(read_answer() == 0 && !a.count, "an address of another class is none");
	question("www.x", DNS_AAAA, 0);
	brr(&m, 1, "www.x", DNS_AAAA, 60, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	CHECK(read_answer() == 0 && has(0, "127.0.0.1", 60), "IPv4 in IPv6 is IPv4");
}

static void test_chain_length(void)
{
	char from[16], to[16];
	int i;

	question("n0", DNS_A, 0);
	for (i = 0; i < DNSANSWER_LINKS; i++) {
		snprintf(from, sizeof(from), "n%d", i);
		snprintf(to, sizeof(to), "n%d", i + 1);
		brn(&m, 1, from, DNS_CNAME, 60, to);
	}
	ba(&m, to, 60, "\1\2\3\4");
	CHECK(read_answer() == 0 && a.links == DNSANSWER_LINKS && a.count == 1, "a long chain");
	CHECK(told(512) && a.count == 1 && a.links == DNSANSWER_LINKS, "... told");
	brn(&m, 1, to, DNS_CNAME, 60, "end");
	CHECK(read_answer() == -ELOOP, "... and no longer one");
}

static void test_bad_answers(void)
{
	unsigned int i;

	question("x", DNS_A, 0);
	brr(&m, 1, "x", DNS_A, 60, "\1\2\3\4\5", 5);
	CHECK(read_answer() == -EBADMSG, "an address of five bytes");
	question("x", DNS_A, 0);
	ba(&m, "x", 60, "\1\2\3\4");
	m.n--;
	CHECK(read_answer() == -EBADMSG, "a record that is cut off");
	bcount(&m, 1);
	m.n++;
	CHECK(read_answer() == -EBADMSG, "fewer records than announced");
	question("x", DNS_A, 0);
	ba(&m, "@40", 60, "\1\2\3\4");
	CHECK(read_answer() == -EBADMSG, "an owner that points forward");
	question("x", DNS_A, 0);
	brn(&m, 1, "x", DNS_CNAME, 60, "@200");
	CHECK(read_answer() == -EBADMSG, "an alias that points forward");
	question("x", DNS_A, 0);
	brr(&m, 1, "x", DNS_CNAME, 60, "\1a\0z", 4);
	CHECK(read_answer() == -EBADMSG, "an alias with more than a name");
	question("x", DNS_A, 0);
	for (i = 0; i < 1000; i++)
		ba(&m, "@12", 60, "\1\2\3\4");
	CHECK(read_answer() == 0 && a.count == DNSANSWER_RECORDS && a.dropped == 1000 - DNSANSWER_RECORDS,
	      "a thousand addresses");
}

static void test_truncation(void)
{
	unsigned int i, tc;
	size_t n;

	question("x", DNS_A, 0);
	for (i = 0; i < 100; i++)
		ba(&m, "@12", 60, "\1\2\3\4");
	read_answer();
	n = dnsanswer_write(&a, out, 512);
	tc = dns_get16(out + 2) & TC;
	CHECK(n > 490 && n <= 512 && tc && dns_get16(out + 6) == (512 - 19) / 16,
	      "what does not fit is told to be there");
	for (i = 0, n = 0; i < a.count; i++)
		n += a.record[i].told;
	CHECK(n == (512 - 19) / 16, "... and what got in is known");
	read_answer();
	n = dnsanswer_write(&a, out, 19 + 100 * 16);
	CHECK(n == 19 + 100 * 16 && !(dns_get16(out + 2) & TC), "just enough room");
	question("x", DNS_A, 1232);
	for (i = 0; i < 100; i++)
		ba(&m, "@12", 60, "\1\2\3\4");
	read_answer();
	n = dnsanswer_write(&a, out, 1224);
	CHECK(n <= 1224 && dns_get16(out + 6) == (1224 - 19 - 11) / 16 && out[n - 11] == 0 && out[n - 9] == DNS_OPT_TYPE &&
	      out[11] == 1, "EDNS has its place in it");
}

/* A small record behind a large one: who sees TC must not take what is there for all but the last. */
static void test_truncation_is_an_end(void)
{
	static uint8_t text[600];

	question("x", DNS_TXT, 0);
	brr(&m, 1, "x", DNS_TXT, 60, "\5first", 6);
	brr(&m, 1, "x", DNS_TXT, 60, text, sizeof(text));
	brr(&m, 1, "x", DNS_TXT, 60, "\4last", 5);
	CHECK(read_answer() == 0 && a.count == 3 && dnsanswer_write(&a, out, 512) && dns_get16(out + 6) == 1 &&
	      dns_get16(out + 2) & TC && a.record[0].told && !a.record[1].told && !a.record[2].told, "nothing follows what did not fit");
}

static void test_types(void)
{
	static const char soa[] = "\2ns\1x\0\4root\1x\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
	/* Priority 1, target ".", alpn h2, ipv4hint, ech, ipv6hint. */
	static const char https[] = "\0\1\0" "\0\1\0\3\2h2" "\0\4\0\4\6\6\6\6" "\0\5\0\1e" "\0\6\0\2zz";
	static const char mandatory[] = "\0\1\0" "\0\0\0\2\0\4" "\0\4\0\4\6\6\6\6";
	static const char broken[] = "\0\1\0" "\0\4\0\7\6\6\6\6";

	question("nx.x", DNS_A, 0);
	m.b[3] |= DNS_NXDOMAIN;
	brr(&m, 2, "x", DNS_SOA, 900, soa, sizeof(soa) - 1);
	CHECK(read_answer() == 0 && told(512) && a.soa.type == DNS_SOA && a.soa.ttl == 900 && a.rcode == DNS_NXDOMAIN,
	      "a negative answer keeps its SOA");

	question("x", DNS_HTTPS, 0);
	brr(&m, 1, "x", DNS_HTTPS, 60, https, sizeof(https) - 1);
	brr(&m, 1, "x", DNS_HTTPS, 60, mandatory, sizeof(mandatory) - 1);
	brr(&m, 1, "x", DNS_HTTPS, 60, broken, sizeof(broken) - 1);
	CHECK(read_answer() == 0 && a.count == 3 && told(512) && a.count == 1 && a.record[0].len == 15 &&
	      !memmem(out, 200, "\6\6\6\6", 4) && !memmem(out, 200, "zz", 2) && memmem(out, 200, "\2h2", 3),
	      "HTTPS without its addresses");

	question("x.example", DNS_MX, 0);
	brr(&m, 1, "@12", DNS_MX, 60, "\0\5\4mail\xc0\14", 9);
	brr(&m, 1, "@12", DNS_MX, 60, "\0", 1);
	CHECK(read_answer() == 0 && told(512) && a.count == 1 && a.record[0].len == 18 &&
	      !memcmp(out + a.record[0].at, "\0\5\4mail\1x\7example", 18), "names within data are written out");

	question("x", DNS_CNAME, 0);
	brn(&m, 1, "x", DNS_CNAME, 60, "y");
	brn(&m, 1, "y", DNS_CNAME, 60, "z");
	CHECK(read_answer() == 0 && !a.links && a.count == 1 && told(512) && a.count == 1,
	      "who asks for an alias gets that");
	question("x", DNS_TXT, 0);
	brr(&m, 1, "x", DNS_TXT, 60, "\5hello", 6);
	brr(&m, 1, "x", 46, 60, "\0\1\5signature", 12);
	CHECK(read_answer() == 0 && told(512) && a.count == 1 && a.record[0].len == 6, "text, without signatures");
	CHECK(!dnsanswer_passes(DNS_ANY) && !dnsanswer_passes(252) && !dnsanswer_passes(DNS_OPT_TYPE) && !dnsanswer_passes(0) &&
	      !dnsanswer_passes(10) && dnsanswer_passes(DNS_SRV) && dnsanswer_passes(DNS_PTR), "which types pass");
}

/* -- hosts -- */

static bool host(struct dnshosts *h, const char *name, unsigned int type)
{
	size_t n;

	question(name, type, 0);
	n = dnshosts_answer(h, &q, m.b, 512);
	return n && dnsmsg_answers(&q, q.id, m.b, n) && !dnsanswer_read(&a, &q, m.b, n);
}

static void test_hosts(void)
{
	struct dnshosts *h = dnshosts_new();
	struct addr v4, v6;

	addr_parse("10.0.0.9", &v4);
	addr_parse("fd00::9", &v6);
	CHECK(!dnshosts_add(h, "db.lan", &v4) && !dnshosts_add(h, "DB.lan", &v6) && !dnshosts_add(h, "db", &v4),
	      "names by option");
	CHECK(dnshosts_add(h, "a b", &v4) == -EINVAL && dnshosts_add(h, "", &v4) == -EINVAL, "... must be names");
	CHECK(host(h, "dB.Lan", DNS_A) && a.count == 1 && has(0, "10.0.0.9", DNSHOSTS_TTL), "IPv4, in any case");
	CHECK(!memcmp(m.b + DNS_HEADER, "\2dB\3Lan", 7), "... told in the case that it was asked in");
	CHECK(host(h, "db.lan", DNS_AAAA) && a.count == 1 && has(0, "fd00::9", DNSHOSTS_TTL), "IPv6");
	CHECK(host(h, "db", DNS_AAAA) && !a.count && a.rcode == 0 && host(h, "db", DNS_TXT) && !a.count,
	      "what it has not is empty");
	CHECK(!host(h, "x.db", DNS_A) && !host(h, "lan", DNS_A), "other names are others'");
	CHECK(host(h, "9.0.0.10.in-addr.arpa", DNS_PTR) && a.count == 2, "the other direction: all names");
	CHECK(host(h, "9.0.0.10.in-addr.arpa", DNS_A) && !a.count && !host(h, "8.0.0.10.in-addr.arpa", DNS_PTR),
	      "... and nothing else");
	dnshosts_remove(h, "db.LAN");
	CHECK(!host(h, "db.lan", DNS_A) && host(h, "db", DNS_A) && host(h, "9.0.0.10.in-addr.arpa", DNS_PTR) && a.count == 1,
	      "forgotten");
	dnshosts_free(h);
}

int main(void)
{
	test_queries();
	test_asking();
	test_answers();
	test_odd_answers();
	test_chain_length();
	test_bad_answers();
	test_truncation();
	test_truncation_is_an_end();
	test_types();
	test_hosts();
	return tap_done();
}

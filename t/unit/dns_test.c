// SPDX-License-Identifier: ISC
/* dns_test.c - the forwarder against servers of the test's own: what is asked, told, learned and refused. */
#include <errno.h>

#include "dns_world.h"

static const struct dns_config plain;
static struct build m;

/* -- how servers behave -- */

static void answer(struct heard *h)
{
	server_answer(h, &m, DNS_NOERROR);
	ba(&m, "@12", 60, "\1\2\3\4");
	server_say(h, m.b, m.n);
}

static void other_answer(struct heard *h)
{
	server_answer(h, &m, DNS_NOERROR);
	ba(&m, "@12", 60, "\5\6\7\x8");
	server_say(h, m.b, m.n);
}

static void silent(struct heard *h)
{
	(void)h;
}

static void servfail(struct heard *h)
{
	server_answer(h, &m, DNS_SERVFAIL);
	server_say(h, m.b, m.n);
}

static void refuse(struct heard *h)
{
	server_answer(h, &m, DNS_REFUSED);
	server_say(h, m.b, m.n);
}

/* Everything that is no answer, then one. */
static void after_strays(struct heard *h)
{
	struct server impostor;
	struct heard as = *h;

	server_answer(h, &m, DNS_NOERROR);
	ba(&m, "@12", 60, "\6\6\6\6");
	m.b[1] ^= 1;
	server_say(h, m.b, m.n);                        /* 1: another id */
	m.b[1] ^= 1;
	m.b[2] &= 0x7f;
	server_say(h, m.b, m.n);                        /* 2: no response */
	m.b[2] |= 0x80;
	m.b[DNS_HEADER + 1] ^= 1;
	server_say(h, m.b, m.n);                        /* 3: another name */
	m.b[DNS_HEADER + 1] ^= 1;
	server_say(h, m.b, 11);                         /* 4: a fragment */
	server_say(h, m.b, 0);                          /* 5: nothing */
	server_say(h, (const uint8_t *)"garbage", 7);   /* 6 */
	/* All is right but where it comes from. */
	server_start(&impostor, h->s->loop, AF_INET, false, silent);
	as.s = &impostor;
	server_say(&as, m.b, m.n);
	server_stop(&impostor);
	answer(h);
}

/* Over TCP: another id first, and the answer right behind it. */
static void stray_stream(struct heard *h)
{
	server_answer(h, &m, DNS_NOERROR);
	m.b[0] ^= 1;
	server_say(h, m.b, m.n);
	answer(h);
}

static void flood(struct heard *h)
{
	int i;

	if (h->tcp) {
		answer(h);
		return;
	}
	server_answer(h, &m, DNS_NOERROR);
	for (i = 0; i < 20; i++) {
		m.b[0] ^= 0x55;
		m.b[1] += 3;
		server_say(h, m.b, m.n);
	}
}

static void chain(struct heard *h)
{
	server_answer(h, &m, DNS_NOERROR);
	brn(&m, 1, "@12", DNS_CNAME, 400, "cdn.example.net");
	brn(&m, 1, "cdn.example.net", DNS_CNAME, 1000, "edge.example.org");
	ba(&m, "edge.example.org", 5000, "\1\2\3\4");
	ba(&m, "bank.example", 5000, "\6\6\6\6");
	brr(&m, 3, "bank.example", DNS_A, 5000, "\6\6\6\6", 4);
	server_say(h, m.b, m.n);
}

static void circle(struct heard *h)
{
	server_answer(h, &m, DNS_NOERROR);
	brn(&m, 1, "@12", DNS_CNAME, 60, "other");
	brn(&m, 1, "other", DNS_CNAME, 60, "@12");
	ba(&m, "@12", 60, "\6\6\6\6");
	server_say(h, m.b, m.n);
}

/* A record whose owner is a name that points at itself. */
static void loop_name(struct heard *h)
{
	char self[8];

	server_answer(h, &m, DNS_NOERROR);
	snprintf(self, sizeof(self), "@%zu", m.n);
	ba(&m, self, 60, "\6\6\6\6");
	server_say(h, m.b, m.n);
}

static void rebind(struct heard *h)
{
	server_answer(h, &m, DNS_NOERROR);
	ba(&m, "@12", 60, "\x0a\0\0\1");
	if (dns_get16(h->msg + h->len - DNS_OPT - 4) == DNS_AAAA) {
		server_answer(h, &m, DNS_NOERROR);
		brr(&m, 1, "@12", DNS_AAAA, 60, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	}
	if (h->msg[DNS_HEADER + 1] == 'h')
		ba(&m, "@12", 60, "\1\2\3\4");
	server_say(h, m.b, m.n);
}

/* 4,000 addresses over TCP; over UDP only that there is more. */
static void huge(struct heard *h)
{
	unsigned int i;

	server_answer(h, &m, DNS_NOERROR);
	for (i = 0; i < 4000 && h->tcp; i++)
		ba(&m, "@12", 60, "\1\2\3\4");
	m.b[2] |= h->tcp ? 0 : TC >> 8;
	server_say(h, m.b, m.n);
}

static void forty(struct heard *h)
{
	unsigned int i;

	if (!h->tcp) {
		huge(h);
		return;
	}
	server_answer(h, &m, DNS_NOERROR);
	for (i = 0; i < 40; i++)
		ba(&m, "@12", 60, "\1\2\3\4");
	server_say(h, m.b, m.n);
}

static void no_edns(struct heard *h)
{
	if (!h->msg[11]) {
		answer(h);
		return;
	}
	server_answer(h, &m, DNS_FORMERR);
	m.b[5] = 0;
	server_say(h, m.b, DNS_HEADER);
}

/* -- tests -- */

static void test_answer(void)
{
	struct heard *h;
	unsigned int i, ids = 0, ports = 0, before;

	w_start(answer, NULL, &plain);
	w_ask("wWw.Example.COM", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.a.record[0].ttl == 60, "an answer, under the client's id");
	CHECK(!memcmp(w.msg + DNS_HEADER, "\3wWw\7Example\3COM", 17), "... and in its case");
	CHECK(!strcmp(w.learned, "www.example.com 1.2.3.4 300\n"), "policy learns the address, for 300 s at least");
	h = server_last(&w.one, 0);
	CHECK(h->len == 17 + 16 + DNS_OPT && dns_get16(h->msg + 2) == RD,
	      "the server sees the question and nothing else");
	for (i = 0; i < 32; i++)
		w_ask("www.example.com", DNS_A);
	for (i = 0; i < 31; i++) {
		ids += dns_get16(server_last(&w.one, i)->msg) != dns_get16(server_last(&w.one, i + 1)->msg) + 1;
		ids -= dns_get16(server_last(&w.one, i)->msg) == dns_get16(server_last(&w.one, i + 1)->msg);
		ports += server_last(&w.one, i)->from.sin6_port != server_last(&w.one, i + 1)->from.sin6_port;
	}
	CHECK(w.one.heard == 33 && ids >= 29 && ports >= 29, "each question has a new id and a new port");
	before = w.one.heard;
	w_ask("www.denied.com", DNS_A);
	CHECK(w_says(DNS_REFUSED, 0) && !*w.learned && w.one.heard == before && !server_has_mail(&w.one),
	      "what policy does not allow is refused, and no packet leaves");
	w_ask("www.example.com", DNS_ANY);
	CHECK(w_says(DNS_REFUSED, 0) && w.one.heard == before && !server_has_mail(&w.one), "so is ANY");
	bheader(&m, 0xab01, RD, "version.bind", DNS_TXT);
	m.b[m.n - 1] = 3;
	dns_query(w.dns, &(struct dns_client){ .ref = { 1 } }, m.b, m.n);
	CHECK((w.msg[3] & 15) == DNS_REFUSED && !server_has_mail(&w.one), "and another class");
	CHECK(dns_stats(w.dns)->refused == 3, "all are counted");
	w_ask("localhost", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && !server_has_mail(&w.one), "localhost is the guest's own");
	dnshosts_add(dns_hosts(w.dns), "db.denied", &(struct addr){ { 0xfd, [15] = 9 } });
	w_ask("DB.denied", DNS_AAAA);
	CHECK(w_says(DNS_NOERROR, 1) && w.a.record[0].addr.b[15] == 9 && !server_has_mail(&w.one),
	      "a name by option is answered here");
	CHECK(dns_query(w.dns, &(struct dns_client){ .tcp = 0 }, m.b, 5) == -EBADMSG,
	      "what is no message has no answer");
	m.b[4] = 9;
	before = w.answers;
	CHECK(!dns_query(w.dns, &(struct dns_client){ .tcp = 0 }, m.b, m.n) && w.answers == before + 1 &&
	      (w.msg[3] & 15) == DNS_FORMERR && w.len == DNS_HEADER, "what is none of ours is an error");
	w_end();
}

static void test_content(void)
{
	w_start(chain, NULL, &plain);
	w_ask("www.example.com", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.a.links == 2 && !memmem(w.msg, w.len, "bank", 4), "a chain of aliases");
	CHECK(!strcmp(w.learned, "www.example.com 1.2.3.4 400\ncdn.example.net 1.2.3.4 400\nedge.example.org 1.2.3.4 400\n"),
	      "policy learns the address under each, and no other");
	CHECK(w.a.record[0].ttl == 400, "... and the guest keeps it no longer than policy");
	w.one.behave = circle;
	w_ask("www.example.com", DNS_A);
	CHECK(w_says(DNS_SERVFAIL, 0) && !*w.learned, "aliases in a circle");
	w.one.behave = loop_name;
	w_ask("www.example.com", DNS_A);
	CHECK(w_says(DNS_SERVFAIL, 0) && !*w.learned && dns_stats(w.dns)->bad_answers == 2,
	      "a name that points at itself");
	w.one.behave = rebind;
	w_ask("rebind", DNS_A);
	CHECK(w_says(DNS_NOERROR, 0) && !*w.learned, "a protected address is not told and not learned");
	w_ask("rebind", DNS_AAAA);
	CHECK(w_says(DNS_NOERROR, 0) && !*w.learned, "... nor is it as IPv6");
	w_ask("half", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && !strcmp(w.learned, "half 1.2.3.4 300\n") && dns_stats(w.dns)->protected == 3,
	      "... the others are");
	w_end();
}

static void test_hostile(void)
{
	w_start(after_strays, NULL, &plain);
	w_ask("www.example.com", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.a.record[0].addr.b[15] == 4 && !strcmp(w.learned, "www.example.com 1.2.3.4 300\n"),
	      "what is no answer is not taken for one, and the one after it is");
	CHECK(dns_stats(w.dns)->strays == 6 && w.one.heard == 1, "... nor does it make us ask again; it is counted");
	w.one.behave = stray_stream;
	w_send(1, true, "x", DNS_A, 0);
	w_run(2);
	CHECK(w_says(DNS_NOERROR, 1) && dns_stats(w.dns)->strays == 7 && w.one.heard == 2, "... the same over TCP");
	w.one.behave = flood;
	w_ask("www.example.com", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard_tcp == 2, "who guesses many times is left for TCP");
	w_end();
}

static void test_tcp(void)
{
	w_start(huge, NULL, &plain);
	w_send(1, false, "x", DNS_A, 0);
	w_run(1);
	CHECK(w.one.heard == 2 && w.one.heard_tcp == 1, "what is truncated is asked over TCP");
	CHECK(w.len <= 512 && w.len > 490 && dns_get16(w.msg + 2) & TC, "... and cut to what the client takes");
	CHECK(strlen(w.learned) / strlen("x 1.2.3.4 300\n") == dns_get16(w.msg + 6), "... of which policy learns");
	w_send(1, true, "x", DNS_A, 0);
	w_run(2);
	CHECK(w_says(DNS_NOERROR, DNSANSWER_RECORDS) && w.one.heard == 3 && w.one.heard_tcp == 2,
	      "what comes over TCP is asked so");
	w.one.behave = forty;
	w_send(2, false, "x", DNS_A, 1000);
	w_run(3);
	CHECK(w_says(DNS_NOERROR, 40), "a client with EDNS gets more in a datagram");
	w_end();

	/* A server that has no TCP. */
	w_start(huge, NULL, &plain);
	loop_del(w.loop, &w.one.tcp_watch);
	close(w.one.tcp);
	w.one.tcp = -1;
	w_send(1, false, "x", DNS_A, 0);
	w_run(1);
	CHECK(dns_get16(w.msg + 2) & TC && !(w.msg[3] & 15) && !dns_get16(w.msg + 6),
	      "no TCP upstream: the client hears that there is more");
	w_send(1, true, "x", DNS_A, 0);
	w_run(2);
	CHECK(w_says(DNS_SERVFAIL, 0), "... or, over TCP, that there is no answer");
	w_end();
}

static void test_edns(void)
{
	w_start(no_edns, NULL, &(struct dns_config){ .try_msec = 60000, .total_msec = 60000 });
	w_ask("x", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 2, "a server without EDNS is asked without");
	w_ask("y", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 3, "... from then on");
	w_end();
	w_start(servfail, other_answer, &(struct dns_config){ .try_msec = 60000, .total_msec = 60000 });
	w_ask("x", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 1 && w.two.heard == 1,
	      "who has no answer makes the next one's turn (IPv6)");
	w.two.behave = refuse;
	w_ask("x", DNS_A);
	CHECK(w_says(DNS_SERVFAIL, 0) && w.two.heard == 2, "servers that refuse are no policy");
	w_end();
}

int main(void)
{
	alarm(60);
	test_answer();
	test_content();
	test_hostile();
	test_tcp();
	test_edns();
	return tap_done();
}

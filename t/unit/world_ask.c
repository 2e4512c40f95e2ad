// SPDX-License-Identifier: ISC
/*
 * world_ask.c - asks a name server, and says what it answered, in one line. It reads with the C library's parser and
 * none of ours, so that what ours write is seen by another.
 *
 *	world_ask [-t] [-e BYTES] [-i ID] [-p PORT] SERVER NAME TYPE
 *
 *	-t	over TCP		-e	with EDNS, taking so many bytes
 *	-i	with this id		-p	not port 53
 *
 * It prints the rcode, `tc` if the answer was cut short, and each record of the answer, `NAME TTL TYPE DATA`, after a
 * semicolon: `NOERROR; www.example.test 300 A 203.0.113.9`. Types other than A, AAAA and CNAME are TYPEn. Exit: 0 for
 * any answer; 1 for none in $PATIENCE milliseconds, 10000, or a wrong one; 2 for usage.
 */
#include <arpa/nameser.h>
#include <poll.h>
#include <resolv.h>

/* <sys/param.h>'s, which those include. */
#undef MIN
#undef MAX

#include "dns_build.h"
#include "world.h"

static int patience = 10000;
static bool tcp;
static unsigned int edns, id = 0x1234;
static const char *port = "53";

static void failed(const char *what)
{
	puts(what);
	exit(1);
}

/* Read @len bytes, or a datagram. Return: bytes. */
static size_t take(int fd, uint8_t *p, size_t len, bool whole)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };
	size_t have = 0;
	ssize_t n;

	do {
		if (poll(&f, 1, patience) != 1)
			failed("timeout");
		n = recv(fd, p + have, len - have, 0);
		if (n < 0)
			failed(errstr(errno));
		if (!n)
			failed("closed");
		have += (size_t)n;
	} while (whole && have < len);
	return have;
}

static size_t exchange(const char *server, const struct build *m, uint8_t *answer, size_t size)
{
	struct sockaddr_in6 sa = world_address(server, port);
	int fd = world_socket(tcp ? SOCK_STREAM : SOCK_DGRAM);
	uint8_t head[2];

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		failed(errstr(errno));
	dns_set16(head, (unsigned int)m->n);
	if ((tcp && send(fd, head, 2, MSG_MORE | MSG_NOSIGNAL) < 0) || send(fd, m->b, m->n, MSG_NOSIGNAL) < 0)
		failed(errstr(errno));
	if (!tcp)
		return take(fd, answer, size, false);
	take(fd, head, 2, true);
	return take(fd, answer, dns_get16(head), true);
}

static void print_record(ns_msg *msg, const ns_rr *rr)
{
	char text[NS_MAXDNAME];
	const uint8_t *data = ns_rr_rdata(*rr);
	unsigned int type = ns_rr_type(*rr), len = ns_rr_rdlen(*rr), i;

	printf("; %s %u ", ns_rr_name(*rr), ns_rr_ttl(*rr));
	if (type == ns_t_a && len == 4) {
		printf("A %s", inet_ntop(AF_INET, data, text, sizeof(text)));
	} else if (type == ns_t_aaaa && len == 16) {
		printf("AAAA %s", inet_ntop(AF_INET6, data, text, sizeof(text)));
	} else if (type == ns_t_cname &&
		   ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data, text, sizeof(text)) > 0) {
		printf("CNAME %s", text);
	} else {
		printf("TYPE%u ", type);
		for (i = 0; i < len; i++)
			printf("%02x", data[i]);
	}
}

static void print(const uint8_t *answer, size_t len)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" };
	ns_msg msg;
	ns_rr rr;
	unsigned int rcode;
	int i;

	if (ns_initparse(answer, (int)len, &msg) < 0)
		failed("no message");
	if (ns_msg_id(msg) != id || !ns_msg_getflag(msg, ns_f_qr))
		failed("no answer to that");
	rcode = (unsigned int)ns_msg_getflag(msg, ns_f_rcode);
	printf("%s%s", rcode < ARRAY_SIZE(names) ? names[rcode] : "?", ns_msg_getflag(msg, ns_f_tc) ? " tc" : "");
	for (i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
			failed("; a record that is none");
		print_record(&msg, &rr);
	}
	puts("");
}

static unsigned int type_of(const char *word)
{
	return !strcmp(word, "A") ? DNS_A : !strcmp(word, "AAAA") ? DNS_AAAA : !strcmp(word, "CNAME") ? DNS_CNAME :
	       (unsigned int)strtoul(strncmp(word, "TYPE", 4) ? word : word + 4, NULL, 10);
}

int main(int argc, char *argv[])
{
	static struct build m;
	static uint8_t answer[DNS_LARGEST];
	int c;

	log_init("world_ask", false);
	while ((c = getopt(argc, argv, "te:i:p:")) >= 0) {
		if (c == '?')
			return 2;
		tcp |= c == 't';
		edns = c == 'e' ? (unsigned int)strtoul(optarg, NULL, 0) : edns;
		id = c == 'i' ? (unsigned int)strtoul(optarg, NULL, 0) & 0xffff : id;
		port = c == 'p' ? optarg : port;
	}
	if (argc - optind != 3)
		die(2, "usage: world_ask [-t] [-e BYTES] [-i ID] [-p PORT] SERVER NAME TYPE");
	if (getenv("PATIENCE"))
		patience = atoi(getenv("PATIENCE"));
	bheader(&m, id, RD, argv[optind + 1], type_of(argv[optind + 2]));
	if (edns)
		bopt(&m, edns, 0);
	print(answer, exchange(argv[optind], &m, answer, sizeof(answer)));
	return 0;
}

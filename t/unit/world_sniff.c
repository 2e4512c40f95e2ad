// SPDX-License-Identifier: ISC
/*
 * world_sniff.c - what arrives at an interface, into the log: also what no server is there for.
 *
 *	world_sniff LOG TAG INTERFACE [all]	prints `ready`, and works until it is killed, or the interface goes
 *
 *	syn FROM TO		a TCP connection begins
 *	udp FROM TO		a datagram; its first fragment
 *	icmp TYPE.CODE FROM TO
 *	fragment PROTO FROM TO	a later one
 *	proto N FROM TO		any other, extension headers of IPv6 among them
 *
 * With `all`, TCP segments of other kinds, too (rst, fin, or tcp), neighbour discovery and the like as icmp, and
 * `arp OP SENDER TARGET`. A line is written once, and once more after SIGHUP.
 */
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>

#include "world.h"

enum { SNAP = 128, SEEN = 1 << 16 };

static bool all;
static volatile sig_atomic_t forget;
static uint64_t seen[SEEN];
static unsigned int seen_count;

/* What is not of interest stays in the kernel: what we send, and, unless all is wanted, segments that are no SYN. */
static void set_filter(int fd)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 16, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 12),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),                  /* IPv6: next header */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 10),
		BPF_JUMP(BPF_JMP | BPF_JA, 6, 0, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),                  /* IPv4: protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 7),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 5, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 40),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SNAP),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { ARRAY_SIZE(f), f };

	if (all)
		f[2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SNAP);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		die(1, "filter: %s", errstr(errno));
}

static void on_hangup(int sig)
{
	(void)sig;
	forget = 1;
}

/* Return: whether a line is new since SIGHUP. */
static bool is_new(const char *line)
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned int i;

	for (; *line; line++)
		hash = (hash ^ (uint8_t)*line) * 0x100000001b3;
	if (forget) {
		forget = 0;
		memset(seen, 0, sizeof(seen));
		seen_count = 0;
	}
	for (i = (unsigned int)(hash % SEEN); seen[i]; i = (i + 1) % SEEN)
		if (seen[i] == hash)
			return false;
	if (seen_count == SEEN / 2)
		return true;
	seen[i] = hash;
	seen_count++;
	return true;
}

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
	char line[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (is_new(line))
		world_say("%s", line);
}

static struct sockaddr_in6 endpoint(const uint8_t *addr, bool v4, const uint8_t *port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
	struct addr a;

	if (v4) {
		a = addr_v4(addr);
		addr = a.b;
	}
	memcpy(&sa.sin6_addr, addr, 16);
	if (port)
		memcpy(&sa.sin6_port, port, 2);
	return sa;
}

static void saw_transport(unsigned int proto, const uint8_t *src, const uint8_t *dst, bool v4, const uint8_t *p,
			  size_t len)
{
	bool ports = (proto == IPPROTO_TCP && len >= 14) || (proto == IPPROTO_UDP && len >= 8);
	bool icmp = proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && len >= 8;
	struct sockaddr_in6 from = endpoint(src, v4, ports ? p : NULL), to = endpoint(dst, v4, ports ? p + 2 : NULL);
	char a[WORLD_NAME], b[WORLD_NAME];

	world_name(&from, a);
	world_name(&to, b);
	if (icmp && !v4 && p[0] >= 130 && p[0] != 128 && !all)
		return;
	if (icmp)
		note("icmp %u.%u %s %s", p[0], p[1], a, b);
	else if (!ports)
		note("proto %u %s %s", proto, a, b);
	else if (proto == IPPROTO_UDP)
		note("udp %s %s", a, b);
	else
		note("%s %s %s", p[13] & 4 ? "rst" : (p[13] & 0x12) == 2 ? "syn" : p[13] & 1 ? "fin" : "tcp", a, b);
}

static void saw_fragment(unsigned int proto, const uint8_t *src, const uint8_t *dst, bool v4)
{
	struct sockaddr_in6 from = endpoint(src, v4, NULL), to = endpoint(dst, v4, NULL);
	char a[WORLD_NAME], b[WORLD_NAME];

	note("fragment %u %s %s", proto, world_name(&from, a), world_name(&to, b));
}

static void saw_v4(const uint8_t *p, size_t len)
{
	size_t header = len < 20 ? 20 : 4U * (p[0] & 15);

	if (len < header)
		return;
	if (((unsigned int)p[6] << 8 | p[7]) & 0x1fff)
		saw_fragment(p[9], p + 12, p + 16, true);
	else
		saw_transport(p[9], p + 12, p + 16, true, p + header, len - header);
}

static void saw_v6(const uint8_t *p, size_t len)
{
	const uint8_t *frag = p + 40;

	if (len < 48)
		return;
	if (p[6] != IPPROTO_FRAGMENT)
		saw_transport(p[6], p + 8, p + 24, false, p + 40, len - 40);
	else if (((unsigned int)frag[2] << 8 | frag[3]) & 0xfff8)
		saw_fragment(frag[0], p + 8, p + 24, false);
	else
		saw_transport(frag[0], p + 8, p + 24, false, p + 48, len - 48);
}

static void saw_arp(const uint8_t *p, size_t len)
{
	char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];

	if (all && len >= 28)
		note("arp %u %s %s", p[7], inet_ntop(AF_INET, p + 14, a, sizeof(a)),
		     inet_ntop(AF_INET, p + 24, b, sizeof(b)));
}

int main(int argc, char *argv[])
{
	struct sockaddr_ll from = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	socklen_t len = sizeof(from);
	int fd, room = 8 << 20;
	uint8_t p[SNAP];
	ssize_t n;

	log_init("world_sniff", false);
	if (argc < 4)
		die(2, "usage: world_sniff LOG TAG INTERFACE [all]");
	all = argc > 4;
	signal(SIGHUP, on_hangup);
	world_log(argv[1], argv[2]);
	from.sll_ifindex = (int)if_nametoindex(argv[3]);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !from.sll_ifindex)
		die(1, "%s: %s", argv[3], errstr(errno));
	set_filter(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die(1, "%s: %s", argv[3], errstr(errno));
	world_ready();
	while ((n = recvfrom(fd, p, sizeof(p), 0, (struct sockaddr *)&from, &len)) >= 0 || errno == EINTR) {
		if (ntohs(from.sll_protocol) == ETH_P_IP)
			saw_v4(p, (size_t)n);
		else if (ntohs(from.sll_protocol) == ETH_P_IPV6)
			saw_v6(p, (size_t)n);
		else if (ntohs(from.sll_protocol) == ETH_P_ARP)
			saw_arp(p, (size_t)n);
		len = sizeof(from);
	}
	if (errno != ENETDOWN)          /* the interface has gone, which is no fault */
		die(1, "%s: %s", argv[3], errstr(errno));
	return 0;
}

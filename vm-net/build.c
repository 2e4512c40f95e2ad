// SPDX-License-Identifier: ISC
/*
 * build.c - frames that we send ourselves: ARP, UDP, TCP, ICMP of both families.
 *
 * Hop limits are 255 for ICMPv6, which neighbour discovery asks for (RFC 4861 §7.1), and 64 for the rest. Nothing is
 * ever fragmented.
 */
#include "build.h"

#include <errno.h>

#include "sum.h"
#include "util.h"

enum { UDP_LEN = 8, TCP_LEN = 20, ICMP_LEN = 8, DONT_FRAGMENT = 0x4000 };

static size_t ethernet(struct built *b, const struct build_path *path, uint16_t type)
{
	memcpy(b->head, path->dst_mac, PKT_MAC);
	memcpy(b->head + PKT_MAC, path->src_mac, PKT_MAC);
	put_be16(b->head + 2 * PKT_MAC, type);
	return PKT_ETH;
}

static void finish(struct built *b, size_t head, const void *data, size_t len)
{
	b->iov[0] = (struct iovec){ b->head, head };
	b->iov[1] = (struct iovec){ (void *)(uintptr_t)data, len };
	b->n = len ? 2 : 1;
}

/* Ethernet and IP. Return: bytes of both. */
static size_t network(struct built *b, const struct build_path *path, uint8_t proto, size_t len)
{
	bool v4 = addr_is_v4(&path->src);
	size_t at = ethernet(b, path, v4 ? PKT_TYPE_IPV4 : PKT_TYPE_IPV6);
	uint8_t *ip = b->head + at;
	uint16_t sum;

	memset(ip, 0, PKT_IP6);
	if (!v4) {
		ip[0] = 0x60;
		put_be16(ip + 4, (uint16_t)len);
		ip[6] = proto;
		ip[7] = proto == PKT_PROTO_ICMP6 ? 255 : 64;
		memcpy(ip + 8, path->src.b, 16);
		memcpy(ip + 24, path->dst.b, 16);
		return at + PKT_IP6;
	}
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(PKT_IP4 + len));
	put_be16(ip + 6, DONT_FRAGMENT);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, path->src.b + 12, 4);
	memcpy(ip + 16, path->dst.b + 12, 4);
	sum = sum_fold(sum_bytes(0, ip, PKT_IP4));
	memcpy(ip + 10, &sum, 2);
	return at + PKT_IP4;
}

static uint16_t checksum(const struct build_path *path, uint8_t proto, const uint8_t *l4, size_t header,
			 const void *data, size_t len)
{
	uint64_t sum = proto == PKT_PROTO_ICMP ? 0 : sum_pseudo(&path->src, &path->dst, proto, header + len);

	return sum_fold(sum_bytes(sum_bytes(sum, l4, header), data, len));
}

/**
 * build_arp() - a request or a reply (RFC 826)
 * @b: filled in
 * @path: IPv4; who speaks, and to whom
 * @op: BUILD_ARP_REQUEST asks for path->dst, of whom dst_mac is only where the frame goes; BUILD_ARP_REPLY
 */
void build_arp(struct built *b, const struct build_path *path, unsigned int op)
{
	static const uint8_t head[6] = { 0, 1, 8, 0, 6, 4 };
	uint8_t *p = b->head + ethernet(b, path, PKT_TYPE_ARP);

	memcpy(p, head, sizeof(head));
	put_be16(p + 6, (uint16_t)op);
	memcpy(p + 8, path->src_mac, PKT_MAC);
	memcpy(p + 14, path->src.b + 12, 4);
	memset(p + 18, 0, PKT_MAC);
	if (op == BUILD_ARP_REPLY)
		memcpy(p + 18, path->dst_mac, PKT_MAC);
	memcpy(p + 24, path->dst.b + 12, 4);
	finish(b, PKT_ETH + 28, NULL, 0);
}

/**
 * build_udp() - a datagram
 * @b: filled in
 * @path, @sport, @dport: between whom
 * @data, @len: borrowed as long as @b is used
 * Return: 0; -EMSGSIZE when no packet holds so much.
 */
int build_udp(struct built *b, const struct build_path *path, uint16_t sport, uint16_t dport,
	      const void *data, size_t len)
{
	uint8_t *udp;
	uint16_t sum;
	size_t at;

	if (len > 65535 - UDP_LEN - (addr_is_v4(&path->src) ? PKT_IP4 : 0))
		return -EMSGSIZE;
	at = network(b, path, PKT_PROTO_UDP, UDP_LEN + len);
	udp = b->head + at;
	put_be16(udp, sport);
	put_be16(udp + 2, dport);
	put_be16(udp + 4, (uint16_t)(UDP_LEN + len));
	put_be16(udp + 6, 0);
	sum = checksum(path, PKT_PROTO_UDP, udp, UDP_LEN, data, len);
	if (!sum)
		sum = 0xffff;
	memcpy(udp + 6, &sum, 2);
	finish(b, at + UDP_LEN, data, len);
	return 0;
}

/**
 * build_tcp() - a segment
 * @b: filled in
 * @path: between whom
 * @tcp: ports, seq, ack, flags, window and payload are taken from it; the payload, which must fit into a packet, is
 * borrowed as long as @b is used
 */
void build_tcp(struct built *b, const struct build_path *path, const struct pkt *tcp)
{
	size_t at = network(b, path, PKT_PROTO_TCP, TCP_LEN + tcp->payload_len);
	uint8_t *p = b->head + at;
	uint16_t sum;

	memset(p, 0, TCP_LEN);
	put_be16(p, tcp->sport);
	put_be16(p + 2, tcp->dport);
	put_be32(p + 4, tcp->seq);
	put_be32(p + 8, tcp->ack);
	p[12] = TCP_LEN / 4 << 4;
	p[13] = tcp->flags;
	put_be16(p + 14, tcp->window);
	sum = checksum(path, PKT_PROTO_TCP, p, TCP_LEN, tcp->payload, tcp->payload_len);
	memcpy(p + 16, &sum, 2);
	finish(b, at + TCP_LEN, tcp->payload, tcp->payload_len);
}

/**
 * build_icmp() - an ICMP message, ICMPv6 when @path is IPv6
 * @b: filled in
 * @path: between whom
 * @type, @code, @rest: its first 8 bytes, but for the checksum
 * @data, @len: what follows, borrowed as long as @b is used
 * Return: 0; -EMSGSIZE when no packet holds so much.
 */
int build_icmp(struct built *b, const struct build_path *path, unsigned int type, unsigned int code, uint32_t rest,
	       const void *data, size_t len)
{
	uint8_t proto = addr_is_v4(&path->src) ? PKT_PROTO_ICMP : PKT_PROTO_ICMP6, *p;
	uint16_t sum;
	size_t at;

	if (len > 65535u - ICMP_LEN - PKT_IP4)
		return -EMSGSIZE;
	at = network(b, path, proto, ICMP_LEN + len);
	p = b->head + at;
	p[0] = (uint8_t)type;
	p[1] = (uint8_t)code;
	put_be16(p + 2, 0);
	put_be32(p + 4, rest);
	sum = checksum(path, proto, p, ICMP_LEN, data, len);
	memcpy(p + 2, &sum, 2);
	finish(b, at + ICMP_LEN, data, len);
	return 0;
}

/** build_len() - a frame's length. @b: built. Return: bytes. */
size_t build_len(const struct built *b)
{
	return b->iov[0].iov_len + (b->n > 1 ? b->iov[1].iov_len : 0);
}

/** build_copy() - a frame in one piece. @b: built. @frame, @size: where. Return: its length; 0 when it does not fit. */
size_t build_copy(const struct built *b, void *frame, size_t size)
{
	if (build_len(b) > size)
		return 0;
	memcpy(frame, b->head, b->iov[0].iov_len);
	if (b->n > 1)
		memcpy((uint8_t *)frame + b->iov[0].iov_len, b->iov[1].iov_base, b->iov[1].iov_len);
	return build_len(b);
}

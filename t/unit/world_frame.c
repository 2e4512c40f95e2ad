// SPDX-License-Identifier: ISC
/*
 * world_frame.c - sends a frame that no honest stack would send, made of words, layer by layer.
 *
 *	world_frame INTERFACE WORD...	a packet socket; `-`: standard output, behind its length, as frames travel
 *
 *	to=MAC from=MAC type=N		Ethernet: if not, broadcast, the interface's own, the next layer's
 *	vlan=ID				a tag
 *	v4=SRC,DST			of this header: id=N ttl=N tos=N frag=OFFSET more df ihl=N version=N
 *	v6=SRC,DST			then ttl=N version=N
 *	hop dest route			an extension header of 8 bytes; frag6=OFFSET,MORE,ID: a fragment's
 *	udp=SPORT,DPORT  tcp=SPORT,DPORT,FLAGS (of FSRPAU)  icmp=TYPE,CODE
 *	arp=OP,MAC,SENDER,TARGET  ns=TARGET  na=TARGET,MAC
 *	data=N  text=WORD  hex=DIGITS	what follows: the pattern, or that
 *
 *	proto=N		the next layer's number, whatever it is		sum=bad|none	the last layer's checksum
 *	len=N		the last layer's length field			cut=N		so many bytes of it all
 *	count=N		as often				next		the last layer's destination port is the next one each time
 *
 * Lengths, numbers of protocols and checksums are right unless a word says otherwise.
 */
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sys/ioctl.h>

#include "world_layers.h"

static size_t cut = SIZE_MAX;
static unsigned int count = 1;
static struct layer *stepped;           /* whose destination port is another in each frame; NULL: none is */

static void mac(uint8_t *p, const char *text)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", p, p + 1, p + 2, p + 3, p + 4, p + 5) != 6)
		die(2, "%s: is no MAC address", text);
}

static void ip(int family, const char *text, uint8_t *p)
{
	if (inet_pton(family, text, p) != 1)
		die(2, "%s: is no address", text);
}

/* Split at commas. Return: how many; the rest are "". */
static int split(char *value, const char *part[4])
{
	int n = 0;

	part[0] = part[1] = part[2] = part[3] = "";
	while (value && n < 4)
		part[n++] = strsep(&value, ",");
	return n;
}

static unsigned int number(const char *s)
{
	return (unsigned int)strtoul(s, NULL, 0);
}

static void put_v4(unsigned int unused, const char *const part[4])
{
	uint8_t *p;

	(void)unused;
	announce(ETHERTYPE_IP, IPPROTO_IPIP);
	p = begin(V4, 20);
	p[0] = 0x45;
	p[8] = 64;
	ip(AF_INET, part[0], p + 12);
	ip(AF_INET, part[1], p + 16);
	next_in(used - 11, false);
}

static void put_v6(unsigned int unused, const char *const part[4])
{
	uint8_t *p;

	(void)unused;
	announce(ETHERTYPE_IPV6, IPPROTO_IPV6);
	p = begin(V6, 40);
	p[0] = 0x60;
	p[7] = 255;
	ip(AF_INET6, part[0], p + 8);
	ip(AF_INET6, part[1], p + 24);
	next_in(used - 34, false);
}

static void put_extension(unsigned int proto, const char *const part[4])
{
	uint8_t *p;

	announce(0, proto);
	p = begin(EXTENSION, 8);
	next_in(used - 8, false);
	if (proto == IPPROTO_FRAGMENT) {
		put16(p + 2, (number(part[0]) & 0xfff8) | (number(part[1]) & 1));
		put16(p + 6, number(part[2]));
	} else if (proto != IPPROTO_ROUTING) {
		p[2] = 1;                       /* PadN */
		p[3] = 4;
	}
}

static void put_tcp(unsigned int unused, const char *const part[4])
{
	static const char flags[] = "FSRPAU";
	uint8_t *p;
	const char *c;

	(void)unused;
	announce(0, IPPROTO_TCP);
	p = begin(TCP, 20);
	put16(p, number(part[0]));
	put16(p + 2, number(part[1]));
	p[7] = 1;
	p[12] = 5 << 4;
	for (c = part[2]; *c; c++)
		p[13] |= strchr(flags, *c) ? (uint8_t)(1 << (strchr(flags, *c) - flags)) : 0;
	put16(p + 14, 65535);
}

static void put_udp(unsigned int unused, const char *const part[4])
{
	uint8_t *p;

	(void)unused;
	announce(0, IPPROTO_UDP);
	p = begin(UDP, 8);
	put16(p, number(part[0]));
	put16(p + 2, number(part[1]));
}

static void put_icmp_header(unsigned int type, unsigned int code)
{
	bool v6 = find_ip(last())->kind == V6;
	uint8_t *p;

	announce(0, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	p = begin(ICMP, 8);
	p[0] = (uint8_t)type;
	p[1] = (uint8_t)code;
}

static void put_icmp(unsigned int unused, const char *const part[4])
{
	(void)unused;
	put_icmp_header(number(part[0]), number(part[1]));
}

/* ns and na (RFC 4861 §4.3, §4.4): an option with a MAC is there if one is given. */
static void put_neighbour(unsigned int type, const char *const part[4])
{
	uint8_t *p;

	put_icmp_header(type, 0);
	p = f + used;
	f[used - 4] = type == ND_NEIGHBOR_ADVERT ? 0x60 : 0;
	ip(AF_INET6, part[0], p);
	used += 16;
	if (*part[1]) {
		p[16] = type == ND_NEIGHBOR_ADVERT ? 2 : 1;
		p[17] = 1;
		mac(p + 18, part[1]);
		used += 8;
	}
}

static void put_arp(unsigned int unused, const char *const part[4])
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4 };
	uint8_t *p;

	(void)unused;
	announce(ETHERTYPE_ARP, 0);
	p = begin(OTHER, 28);
	memcpy(p, head, sizeof(head));
	put16(p + 6, number(part[0]));
	mac(p + 8, part[1]);
	ip(AF_INET, part[2], p + 14);
	ip(AF_INET, part[3], p + 24);
}

static void put_vlan(unsigned int unused, const char *const part[4])
{
	(void)unused;
	announce(ETHERTYPE_VLAN, 0);
	put16(begin(OTHER, 4), number(part[0]));
	next_in(used - 2, true);
}

static void put_data(const char *key, const char *value)
{
	size_t n = *key == 'd' ? number(value) : strlen(value) / (*key == 'h' ? 2 : 1), i;
	unsigned int byte;

	if (used + n > ROOM)
		die(2, "too much");
	if (*key == 'd')
		world_fill(f + used, 0, n);
	else if (*key == 't')
		memcpy(f + used, value, n);
	else
		for (i = 0; i < n; i++)
			f[used + i] = sscanf(value + 2 * i, "%2x", &byte) == 1 ? (uint8_t)byte : 0;
	used += n;
}

/* What changes the header that is there. Return: whether it was such a word. */
static bool change(const char *key, const char *value)
{
	uint8_t *p = f + last()->at;
	unsigned int n = number(value);
	bool v4 = last()->kind == V4;

	if (!strcmp(key, "id"))
		put16(p + 4, n);
	else if (!strcmp(key, "ttl"))
		p[v4 ? 8 : 7] = (uint8_t)n;
	else if (!strcmp(key, "tos"))
		p[1] = (uint8_t)n;
	else if (!strcmp(key, "frag"))
		put16(p + 6, (p[6] & 0xe0U) << 8 | n / 8);
	else if (!strcmp(key, "more") || !strcmp(key, "df"))
		p[6] |= *key == 'm' ? 0x20 : 0x40;
	else if (!strcmp(key, "ihl"))
		p[0] = (uint8_t)((p[0] & 0xf0) | (n & 15));
	else if (!strcmp(key, "version"))
		p[0] = (uint8_t)((p[0] & 0x0f) | n << 4);
	else if (!strcmp(key, "proto"))
		announce(n, n);
	else if (!strcmp(key, "sum"))
		last()->sum = !strcmp(value, "bad") ? SUM_BAD : SUM_NONE;
	else if (!strcmp(key, "len"))
		last()->len = (int)n;
	else if (!strcmp(key, "cut"))
		cut = n;
	else if (!strcmp(key, "count"))
		count = n;
	else if (!strcmp(key, "next"))
		stepped = last();
	else
		return false;
	return true;
}

static bool ethernet(const char *key, const char *value)
{
	if (!strcmp(key, "to"))
		mac(f, value);
	else if (!strcmp(key, "from"))
		mac(f + 6, value);
	else if (!strcmp(key, "type"))
		announce(number(value), 0);
	else
		return false;
	return true;
}

static const struct {
	const char *name;
	void (*put)(unsigned int number, const char *const part[4]);
	unsigned int number;
} words[] = {
	{ "vlan", put_vlan, 0 }, { "v4", put_v4, 0 }, { "v6", put_v6, 0 }, { "arp", put_arp, 0 },
	{ "hop", put_extension, IPPROTO_HOPOPTS }, { "dest", put_extension, IPPROTO_DSTOPTS },
	{ "route", put_extension, IPPROTO_ROUTING }, { "frag6", put_extension, IPPROTO_FRAGMENT },
	{ "udp", put_udp, 0 }, { "tcp", put_tcp, 0 }, { "icmp", put_icmp, 0 },
	{ "ns", put_neighbour, ND_NEIGHBOR_SOLICIT }, { "na", put_neighbour, ND_NEIGHBOR_ADVERT },
};

static void take_word(char *word)
{
	char *value = strchr(word, '='), none[1] = "";
	const char *part[4];
	size_t i;

	if (value)
		*value++ = 0;
	else
		value = none;
	if (!strcmp(word, "data") || !strcmp(word, "text") || !strcmp(word, "hex")) {
		put_data(word, value);
		return;
	}
	if (ethernet(word, value) || change(word, value))
		return;
	split(value, part);
	for (i = 0; i < ARRAY_SIZE(words) && strcmp(words[i].name, word); i++)
		continue;
	if (i == ARRAY_SIZE(words))
		die(2, "%s: is no word", word);
	words[i].put(words[i].number, part);
}

static void step(uint8_t *p)
{
	put16(p + 2, (size_t)(p[2] << 8 | p[3]) + 1);
	finish(stepped);
}

static void send_frames(int fd, size_t len, int ifindex)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_halen = 6 };
	uint8_t head[4] = { 0, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };

	while (count--) {
		if (fd < 0 ? write(1, head, 4) != 4 || write(1, f, len) != (ssize_t)len :
			     sendto(fd, f, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			die(1, "send: %s", errstr(errno));
		if (stepped)
			step(f + stepped->at);
	}
}

int main(int argc, char *argv[])
{
	struct ifreq r = { .ifr_name = "" };
	int fd = -1, index = 0, i;

	log_init("world_frame", false);
	if (argc < 3)
		die(2, "usage: world_frame INTERFACE|- WORD...");
	begin(ETHER, 14);
	memset(f, 0xff, 6);
	next_in(12, true);
	if (strcmp(argv[1], "-")) {
		fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", argv[1]);
		index = (int)if_nametoindex(argv[1]);
		if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &r) < 0)
			die(1, "%s: %s", argv[1], errstr(errno));
		memcpy(f + 6, r.ifr_hwaddr.sa_data, 6);
	}
	for (i = 2; i < argc; i++)
		take_word(argv[i]);
	while (count_layers)
		finish(&layers[--count_layers]);
	send_frames(fd, MIN(used, cut), index);
	return 0;
}

// SPDX-License-Identifier: ISC
/*
 * lan_fuzz.c - guests on a switch that send anything. The input is records: who, and how; a length; bytes, which are a
 * frame as they are, or are laid over one that is good. Guests come and go. Whatever is sent: what another guest hears is
 * from the MAC of who sent it, and says to be nobody else's, by packet, ARP or neighbour discovery.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#include "net_frames.h"

enum { GUESTS = 4, RA = 134, NA = 136, REDIRECT = 137 };

static struct lan l;
static struct subnet s;
static unsigned int sender;

static void sane(bool ok)
{
	if (!ok)
		abort();
}

static bool anothers(const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < LAN_PORTS; i++)
		if (i != sender && l.port[i].used && (addr_equal(a, &l.port[i].addr4) || addr_equal(a, &l.port[i].addr6)))
			return true;
	return subnet_is_ours(&s, a);
}

static void honest(const struct pkt *p)
{
	struct addr a;

	sane(!memcmp(p->src_mac, l.port[sender].mac, PKT_MAC) && memcmp(p->src_mac, s.mac, PKT_MAC));
	if (p->kind == PKT_ARP) {
		a = addr_v4(p->ip + 14);
		sane(!anothers(&a) && !memcmp(p->ip + 8, p->src_mac, PKT_MAC));
		return;
	}
	sane(!anothers(&p->src));
	if (p->kind != PKT_IPV6 || p->proto != PKT_PROTO_ICMP6)
		return;
	sane(p->type != RA && p->type != REDIRECT);
	if (p->type == NA) {
		memcpy(a.b, p->payload, 16);
		sane(!anothers(&a));
	}
}

static void on_send(void *arg, unsigned int port, const uint8_t *frame, size_t len)
{
	struct pkt p;

	(void)arg;
	sane(port != sender && l.port[port].used && pkt_parse(frame, len, &p) == PKT_OK);
	honest(&p);
}

static void on_moved(void *arg, unsigned int port)
{
	(void)arg;
	sane(port == sender && !l.port[port].pinned);
}

static const struct lan_ops ops = { on_send, on_moved };

static void good(struct fr *f, unsigned int kind)
{
	uint8_t body[24] = { 0xfd, [15] = 16, 2, 1, 0x52, 0x56, 10, 0, 2, 15 };

	switch (kind) {
	case 0:
		arp_frame(f, 1, l.port[sender].mac, "10.0.2.15", "10.0.2.16");
		break;
	case 1:
		udp_frame(f, "10.0.2.15", 68, "10.0.2.16", 67, "x", 1);
		break;
	case 2:
		udp_frame(f, "fd00::10", 9, "fd00::f", 9, "x", 1);
		break;
	case 3:
		icmp_frame(f, "fd00::10", "ff02::1", 136, 0, 0, body, sizeof(body));
		break;
	default:
		icmp_frame(f, "fe80::1", "ff02::1", 135, 0, 0, body, sizeof(body));
	}
	memcpy(f->b, kind & 1 ? l.port[0].mac : (const uint8_t *)ALL_MAC, 6);
	memcpy(f->b + 6, l.port[sender].mac, 6);
}

static void record(unsigned int how, const uint8_t *data, size_t len)
{
	static struct fr f;
	uint8_t *exact;
	struct pkt p;
	bool up, asks;

	f.len = len;
	if (how & 4) {
		good(&f, how >> 3 & 7);
		if (len)        /* where, and what */
			for (size_t i = 1; i < len; i++)
				f.b[(data[0] + i - 1) % f.len] ^= data[i];
		if (how & 64 && f.b[12] != 8)
			seal(&f);
	} else {
		memcpy(f.b, data, len);
	}
	exact = malloc(f.len ? f.len : 1);
	sane(exact);
	memcpy(exact, f.b, f.len);
	if (pkt_parse(exact, f.len, &p) == PKT_OK && lan_frame(&l, sender, &p, &up) == PKT_OK && up)
		sane(!memcmp(p.src_mac, l.port[sender].mac, PKT_MAC));
	lan_target(&l, exact, f.len, &asks);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int i;

	subnet_default(&s);
	lan_init(&l, &s, &ops, NULL);
	for (i = 0; i < GUESTS; i++)
		lan_join(&l, NULL);
	while (size >= 2) {
		unsigned int how = data[0];
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		sender = how & (GUESTS - 1);
		if (how & 128) {
			lan_leave(&l, sender);
			sane(lan_join(&l, how & 64 ? "x" : NULL) == (int)sender);
		} else {
			record(how, data + 2, len);
		}
		data += 2 + len;
		size -= 2 + len;
	}
	return 0;
}

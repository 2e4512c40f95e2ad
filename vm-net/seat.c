// SPDX-License-Identifier: ISC
/*
 * seat.c - the addresses of a network of several guests, and who had which.
 *
 *	NEW --take--> TAKEN --leave--> FREE, but remembered --take--> TAKEN
 *
 * A guest that comes back under its name gets what it had, as long as nobody else needed it: those that never had
 * anybody go first, then the one that was left the longest ago. Each seat has a MAC for whoever has none of its own,
 * which is nobody else's: 52:56 and its IPv4 address.
 */
#include "seat.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "util.h"

/** seats_v4() - a seat's IPv4 address. @t. @i: which. Return: it. */
struct addr seats_v4(const struct seats *t, unsigned int i)
{
	struct addr a = t->s->guest4;

	put_be32(a.b + 12, get_be32(a.b + 12) + i);
	return a;
}

/** seats_v6() - a seat's IPv6 address. @t. @i: which. Return: it. */
struct addr seats_v6(const struct seats *t, unsigned int i)
{
	struct addr a = t->s->guest6;

	put_be32(a.b + 12, get_be32(a.b + 12) + i);
	return a;
}

/** seats_mac() - the MAC of whoever has no other. @t. @i: which. @mac: filled in. */
void seats_mac(const struct seats *t, unsigned int i, uint8_t mac[PKT_MAC])
{
	struct addr a = seats_v4(t, i);

	mac[0] = 0x52;
	mac[1] = 0x56;
	memcpy(mac + 2, a.b + 12, 4);
}

/** seat_name_ok() - whether a guest can be called so: one label of a host name (RFC 1123 §2.1). @name. Return: so. */
bool seat_name_ok(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t len = strlen(name);

	return len && len < SEAT_NAME && strspn(name, letters) == len && *name != '-' && name[len - 1] != '-';
}

/** seats_init() - nobody was here. @t: filled in. @s: borrowed for as long. */
void seats_init(struct seats *t, const struct subnet *s)
{
	unsigned int i;

	*t = (struct seats){ .s = s };
	for (i = 0; i < SEATS; i++) {
		struct addr a = seats_v4(t, i), b = seats_v6(t, i);

		t->seat[i].barred = (s->v4 && (!addr_in(&a, &s->net4) || subnet_is_ours(s, &a) || subnet_is_broadcast(s, &a))) ||
				    (s->v6 && subnet_is_ours(s, &b));
	}
}

/** seats_bar() - an address is for another use. @t: nobody has it. @a: any. */
void seats_bar(struct seats *t, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < SEATS; i++) {
		struct addr v4 = seats_v4(t, i), v6 = seats_v6(t, i);

		t->seat[i].barred |= addr_equal(a, &v4) || addr_equal(a, &v6);
	}
}

/**
 * seats_take() - a guest is there
 * @t
 * @name: that it says; NULL or "": none
 * Return: its seat; -ENOSPC: all are taken.
 */
int seats_take(struct seats *t, const char *name)
{
	int best = -1, i;

	for (i = 0; i < SEATS; i++) {
		struct seat *s = &t->seat[i];

		if (s->taken || s->barred)
			continue;
		if (name && *name && !strcasecmp(s->name, name)) {
			best = i;
			break;
		}
		if (best < 0 || s->left < t->seat[best].left)
			best = i;
	}
	if (best < 0)
		return -ENOSPC;
	t->seat[best].taken = true;
	if (strcasecmp(t->seat[best].name, name ? name : ""))
		t->seat[best].has_mac = false;          /* another guest's */
	snprintf(t->seat[best].name, SEAT_NAME, "%s", name ? name : "");
	return best;
}

/** seats_keep() - remember whose a seat is. @t. @i: taken. @mac: its guest's. */
void seats_keep(struct seats *t, unsigned int i, const uint8_t mac[PKT_MAC])
{
	t->seat[i].has_mac = true;
	memcpy(t->seat[i].mac, mac, PKT_MAC);
}

/** seats_leave() - its guest is gone. @t. @i: taken. */
void seats_leave(struct seats *t, unsigned int i)
{
	assert(t->seat[i].taken);
	t->seat[i].taken = false;
	t->seat[i].left = ++t->leaves;
}

/** seats_move() - a guest has the seat that was its own before, not the one it was given. @t. @from: taken. @to: free. */
void seats_move(struct seats *t, unsigned int from, unsigned int to)
{
	assert(t->seat[from].taken && !t->seat[to].taken && !t->seat[to].barred);
	t->seat[to].taken = true;
	memcpy(t->seat[to].name, t->seat[from].name, SEAT_NAME);
	t->seat[from].taken = false;
	t->seat[from].name[0] = '\0';
}

/** seats_of() - whose a MAC is, or was. @t, @mac. Return: its seat; -1: of none. */
int seats_of(const struct seats *t, const uint8_t mac[PKT_MAC])
{
	uint8_t own[PKT_MAC];
	int i;

	for (i = 0; i < SEATS; i++) {
		seats_mac(t, (unsigned int)i, own);
		if (!t->seat[i].barred && !memcmp(own, mac, PKT_MAC))
			return i;
	}
	for (i = 0; i < SEATS; i++)
		if (t->seat[i].has_mac && !memcmp(t->seat[i].mac, mac, PKT_MAC))
			return i;
	return -1;
}

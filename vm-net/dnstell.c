// SPDX-License-Identifier: ISC
/* dnstell.c - an answer is told to policy, and then to the guest: no address can be used that was not learned. */
#include "dnstell.h"

#include "dns.h"
#include "dnsanswer.h"

static void keep_or_drop(const struct dns_config *c, struct dns_stats *s, struct dnsanswer *a)
{
	unsigned int i;

	for (i = 0; i < a->count; i++)
		if (!c->keep(c->arg, &a->record[i].addr)) {
			a->record[i].drop = true;
			s->protected++;
		}
}

static void learn(const struct dns_config *c, const struct dnsanswer *a)
{
	char text[DNSNAME_TEXT];
	unsigned int i, j;

	for (i = 0; i <= a->links; i++) {
		dnsname_text(dnsanswer_name(a, i), text);
		for (j = 0; j < a->count; j++)
			if (a->record[j].told)
				c->learned(c->arg, text, &a->record[j].addr, a->valid);
	}
}

/**
 * dnstell() - write the reply with an answer, and call keep() and learned() for its addresses
 * @c: whose calls
 * @s: counted up
 * @a: read
 * @limit: bytes of the largest reply that the client takes
 * @out: where it goes
 * Return: its bytes.
 */
size_t dnstell(const struct dns_config *c, struct dns_stats *s, struct dnsanswer *a, size_t limit, uint8_t *out)
{
	bool addresses = a->q->type == DNS_A || a->q->type == DNS_AAAA;
	size_t len;

	if (addresses && c->keep)
		keep_or_drop(c, s, a);
	len = dnsanswer_write(a, out, limit);
	if (addresses)
		learn(c, a);
	s->dropped += a->dropped;
	s->answered++;
	return len;
}

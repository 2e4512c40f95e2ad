/* SPDX-License-Identifier: ISC */
/*
 * world_zone.h - what world_dns.c serves: a text file, a line of words each.
 *
 *	NAME TYPE TTL DATA...	a record for each DATA: A, AAAA, CNAME, TXT (a word), TYPEn (hexadecimal digits)
 *	NAME MODE [NUMBER]	how queries for this name are answered
 *
 * NAME may be *.NAME: one or more labels before it. Lines may be empty, or begin with #.
 */
#ifndef WORLD_ZONE_H
#define WORLD_ZONE_H

#include "dnsmsg.h"
#include "world.h"

enum { ZONE_DATA = 512, ZONE_MAX = 20000 };

enum zone_mode { MODE_NONE, DELAY, DROP, TRUNCATE, WRONG_ID, FORGE, GARBAGE, FAIL, REFUSE, ZONE_MODES };

static const char *const zone_modes[ZONE_MODES] = {
	"", "delay", "drop", "truncate", "wrongid", "forge", "garbage", "servfail", "refuse",
};

struct zone_entry {
	uint8_t name[DNSNAME_MAX];
	bool wild;
	enum zone_mode mode;            /* MODE_NONE: it is a record */
	unsigned int number;
	uint16_t type;
	uint32_t ttl;
	size_t len;
	uint8_t data[ZONE_DATA];
};

static struct zone_entry *zone;
static unsigned int zone_count;

/* Return: whether an entry is about @name. */
static inline bool zone_is(const struct zone_entry *e, const uint8_t *name)
{
	if (!e->wild)
		return dnsname_equal(e->name, name);
	while (*name) {
		name += 1 + *name;
		if (dnsname_equal(e->name, name))
			return true;
	}
	return false;
}

/* Return: a type's number; 0: it is none. */
static inline uint16_t zone_type(const char *word)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = { { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "CNAME", DNS_CNAME }, { "TXT", DNS_TXT } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(word, types[i].name))
			return types[i].type;
	return strncmp(word, "TYPE", 4) ? 0 : (uint16_t)strtoul(word + 4, NULL, 10);
}

static inline size_t zone_hex(uint8_t *out, const char *word)
{
	size_t n = 0;
	unsigned int byte;

	for (; n < ZONE_DATA && sscanf(word, "%2x", &byte) == 1; word += strlen(word) > 1 ? 2 : 1)
		out[n++] = (uint8_t)byte;
	return n;
}

static inline bool zone_data(struct zone_entry *e, const char *word)
{
	struct addr a;

	if (e->type == DNS_A || e->type == DNS_AAAA) {
		e->len = e->type == DNS_A ? 4 : 16;
		if (addr_parse(word, &a))
			return false;
		memcpy(e->data, a.b + 16 - e->len, e->len);
	} else if (e->type == DNS_CNAME) {
		if (dnsname_parse(word, e->data))
			return false;
		e->len = dnsname_length(e->data);
	} else if (e->type == DNS_TXT) {
		e->data[0] = (uint8_t)MIN(strlen(word), (size_t)255);
		memcpy(e->data + 1, word, e->data[0]);
		e->len = 1 + (size_t)e->data[0];
	} else {
		e->len = zone_hex(e->data, word);
	}
	return true;
}

/* The words of a line after its name. Return: whether they are right. */
static inline bool zone_words(struct zone_entry *e, char *words)
{
	char *save, *word = strtok_r(words, " \t\n", &save), *next;
	struct zone_entry first = *e;
	unsigned int mode;

	for (mode = 1; word && mode < ZONE_MODES; mode++) {
		if (strcmp(word, zone_modes[mode]))
			continue;
		next = strtok_r(NULL, " \t\n", &save);
		e->mode = (enum zone_mode)mode;
		e->number = next ? (unsigned int)strtoul(next, NULL, 10) : 0;
		zone_count++;
		return true;
	}
	first.type = word ? zone_type(word) : 0;
	next = strtok_r(NULL, " \t\n", &save);
	first.ttl = next ? (uint32_t)strtoul(next, NULL, 10) : 0;
	while ((word = strtok_r(NULL, " \t\n", &save)) && zone_count < ZONE_MAX) {
		zone[zone_count] = first;
		if (!zone_data(&zone[zone_count], word))
			return false;
		zone_count++;
	}
	return first.type && next;
}

static inline void zone_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[8192];

	zone = zone ? zone : calloc(ZONE_MAX + 1, sizeof(*zone));
	if (!f || !zone)
		die(1, "%s: %s", path, errstr(errno));
	zone_count = 0;
	while (fgets(line, sizeof(line), f) && zone_count < ZONE_MAX) {
		struct zone_entry *e = &zone[zone_count];
		size_t len = strcspn(line, " \t\n");

		if (!len || *line == '#')
			continue;
		*e = (struct zone_entry){ .wild = !strncmp(line, "*.", 2) };
		if (line[len])
			line[len++] = 0;
		if (dnsname_parse(line + (e->wild ? 2 : 0), e->name) || !zone_words(e, line + len))
			die(1, "%s: %s: is no entry", path, line);
	}
	fclose(f);
}

#endif

/* SPDX-License-Identifier: ISC */
/*
 * world.h - what the programs of the tests' world share: one log, one pattern of bytes, one way to write an address.
 *
 * Every program appends whole lines to one log, so that what was heard, and what was not, is asked in one place. Bytes
 * that travel are a function of their place in the stream: what is lost, doubled or out of order is found, without
 * either end being told what to expect.
 */
#ifndef WORLD_H
#define WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "log.h"
#include "util.h"

/* The period is a prime, so that a lost block of any usual size changes what follows. */
enum { WORLD_PERIOD = 65521, WORLD_CHUNK = 256 * 1024, WORLD_NAME = ADDR_TEXT + 8, WORLD_GREETING = 1000 };

/* Fletcher's sum of words of 8 bytes, which order changes; @part is the word that is not whole. */
struct world_sum {
	uint64_t a, b, part, bytes;
};

static inline void world_sum_word(struct world_sum *s, uint64_t word)
{
	s->a += word;
	s->b += s->a;
}

static inline void world_sum(struct world_sum *s, const uint8_t *p, size_t len)
{
	while (len) {
		if (!(s->bytes % 8) && len >= 8) {
			world_sum_word(s, get_le64(p));
			s->bytes += 8;
			p += 8;
			len -= 8;
			continue;
		}
		s->part |= (uint64_t)*p++ << s->bytes++ % 8 * 8;
		len--;
		if (!(s->bytes % 8)) {
			world_sum_word(s, s->part);
			s->part = 0;
		}
	}
}

static inline unsigned long long world_sum_value(const struct world_sum *s)
{
	return s->b ^ s->a << 1 ^ s->part * 31;
}

static inline const uint8_t *world_table(void)
{
	static uint8_t table[2 * WORLD_PERIOD];
	uint32_t seed = 1;
	size_t i;

	if (!table[0]) {
		for (i = 0; i < WORLD_PERIOD; i++) {
			seed = seed * 1664525 + 1013904223;
			table[i] = table[i + WORLD_PERIOD] = (uint8_t)(seed >> 24 | !i);
		}
	}
	return table;
}

/* The stream's bytes from @at on. */
static inline void world_fill(uint8_t *p, uint64_t at, size_t len)
{
	while (len) {
		size_t n = MIN(len, (size_t)WORLD_PERIOD);

		memcpy(p, world_table() + at % WORLD_PERIOD, n);
		p += n;
		at += n;
		len -= n;
	}
}

static inline bool world_same(const uint8_t *p, uint64_t at, size_t len)
{
	while (len) {
		size_t n = MIN(len, (size_t)WORLD_PERIOD);

		if (memcmp(p, world_table() + at % WORLD_PERIOD, n))
			return false;
		p += n;
		at += n;
		len -= n;
	}
	return true;
}

/* Sockets are of IPv6 and take both families. Return: "192.0.2.1:7" or "[2001:db8::1]:7". */
static inline const char *world_name(const struct sockaddr_in6 *sa, char text[WORLD_NAME])
{
	char plain[ADDR_TEXT];
	struct addr a;

	memcpy(a.b, &sa->sin6_addr, sizeof(a.b));
	addr_format(&a, plain);
	snprintf(text, WORLD_NAME, strchr(plain, ':') ? "[%s]:%u" : "%s:%u", plain, ntohs(sa->sin6_port));
	return text;
}

static inline struct sockaddr_in6 world_address(const char *host, const char *port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
	char *end;
	unsigned long n = strtoul(port, &end, 10);
	struct addr a;

	if (addr_parse(host, &a) || *end || n > 65535)
		die(2, "%s %s: no address and port", host, port);
	memcpy(&sa.sin6_addr, a.b, sizeof(a.b));
	sa.sin6_port = htons((uint16_t)n);
	return sa;
}

/* Return: a socket of both families. What is local by a route alone is no address of ours to IPv6: so it is free. */
static inline int world_socket(int type)
{
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), no = 0, yes = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof(yes)) < 0)
		die(1, "socket: %s", errstr(errno));
	return fd;
}

/* Where lines go, and what they begin with. */
static int world_fd = -1;
static const char *world_tag = "";

static inline void world_log(const char *path, const char *tag)
{
	world_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	world_tag = tag;
	if (world_fd < 0)
		die(1, "%s: %s", path, errstr(errno));
}

/* One write a line, so that programs do not mix theirs. */
static inline void world_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void world_say(const char *fmt, ...)
{
	char line[1200];
	size_t n;
	va_list ap;

	snprintf(line, sizeof(line), "%s ", world_tag);
	n = strlen(line);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	if (write(world_fd, line, strlen(line)) < 0)
		die(1, "log: %s", errstr(errno));
}

/* What a script reads before it goes on. */
static inline void world_ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

#endif

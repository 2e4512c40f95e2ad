/* SPDX-License-Identifier: ISC */
/*
 * policy_world.h - a world to judge in: a virtual network, a host with addresses, names that DNS told; and judgements
 * as text.
 */
#ifndef POLICY_WORLD_H
#define POLICY_WORLD_H

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <stdlib.h>
#include <string.h>

#include "hostaddr.h"
#include "names.h"
#include "policy.h"
#include "policy_parse.h"
#include "space.h"
#include "tap.h"

static struct { struct space space; struct names *names; struct policy_view view; } world;

static inline struct addr address(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

/* RTM_NEWADDR of one address. */
static inline void add_host(struct hostaddr *h, const char *text)
{
	struct addr a = address(text);
	bool v4 = addr_is_v4(&a);
	size_t len = v4 ? 4 : 16;
	struct { struct nlmsghdr head; struct ifaddrmsg m; struct rtattr attr; uint8_t data[16]; } msg = {
		.head = { .nlmsg_type = RTM_NEWADDR },
		.m = { .ifa_family = v4 ? AF_INET : AF_INET6, .ifa_index = 1 },
		.attr = { .rta_type = IFA_ADDRESS, .rta_len = (unsigned short)(sizeof(struct rtattr) + len) },
	};

	memcpy(msg.data, a.b + 16 - len, len);
	msg.head.nlmsg_len = (uint32_t)(sizeof(msg) - 16 + len);
	hostaddr_feed(h, &msg, msg.head.nlmsg_len);
}

static inline void know(const char *name, const char *text)
{
	struct addr a = address(text);

	if (names_learn(world.names, name, &a, 0, 0))
		abort();
}

static inline void world_new(void)
{
	static const char *const virtual[] = { "10.0.2.0/24", "fd00::/64" };
	struct hostaddr *h = hostaddr_new();
	struct addr_range r;
	struct addr a;
	int i;

	space_init(&world.space);
	for (i = 0; i < 2; i++)
		if (addr_parse_range(virtual[i], &r) || space_add_virtual(&world.space, &r))
			abort();
	a = address("10.0.2.2");
	space_add_router(&world.space, &a, SPACE_GATEWAY);
	a = address("fd00::2");
	space_add_router(&world.space, &a, SPACE_GATEWAY);
	a = address("10.0.2.3");
	space_add_router(&world.space, &a, SPACE_DNS);
	a = address("fd00::3");
	space_add_router(&world.space, &a, SPACE_DNS);
	add_host(h, "127.0.0.1");
	add_host(h, "::1");
	add_host(h, "192.168.7.5");
	add_host(h, "2001:db8:7::5");
	add_host(h, "fe80::7");
	world.space.host = h;
	world.names = names_new(1000);
	world.view = (struct policy_view){ &world.space, world.names, 1000 };
}

static inline void world_free(void)
{
	hostaddr_free((struct hostaddr *)world.space.host);
	names_free(world.names);
}

/* Return: a policy; NULL with what is wrong in @error. */
static inline struct policy *policy(const char *text, char error[POLICY_ERROR])
{
	size_t len = strlen(text);
	char *copy = malloc(len + 1);
	struct policy *p = NULL;

	memcpy(copy, text, len);
	if (policy_parse(copy, len, "p", &p, error))
		p = NULL;
	free(copy);
	return p;
}

static inline struct policy_flow flow(const char *text)
{
	char proto[8] = "", to[64] = "";
	unsigned int port = 0;

	if (sscanf(text, "%7s %63s %u", proto, to, &port) < 2)
		abort();
	return (struct policy_flow){ *proto == 't' ? POLICY_TCP : *proto == 'u' ? POLICY_UDP : POLICY_ICMP, address(to),
				     (uint16_t)port };
}

static inline const char *verdict_text(const struct policy_verdict *v)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s %u%s%s%s%s%s%s", v->allow ? "allow" : "deny", v->line, v->protected ? " protected" : "",
		 v->sni ? " sni" : "", *v->name ? " " : "", v->name, v->log_line ? " logged" : "",
		 v->redirect ? " redirected" : "");
	return text;
}

/* Judge `PROTO ADDRESS [PORT]`, or `NAME` to be resolved. @as: for policy_judge_as(), or NULL. */
static inline const char *judged(const char *text, const char *what, const char *as)
{
	char error[POLICY_ERROR];
	struct policy *p = text ? policy(text, error) : policy_open();
	struct policy_verdict v;
	struct policy_flow f;

	if (!p)
		return printf("# %s\n", error), "not a policy";
	if (!strchr(what, ' ')) {
		policy_judge_name(p, what, &world.space, &v);
	} else {
		f = flow(what);
		if (as)
			policy_judge_as(p, &f, &world.view, as, &v);
		else
			policy_judge(p, &f, &world.view, &v);
	}
	what = verdict_text(&v);
	policy_unref(p);
	return what;
}

static inline void judge_at(const char *text, const char *what, const char *as, const char *want, const char *name,
			    const char *file, int line)
{
	const char *got = judged(text, what, as);

	check_at(!strcmp(got, want), name, file, line);
	if (strcmp(got, want) != 0)
		printf("# %s: %s, not %s\n", what, got, want);
}

#define JUDGE(text, what, want, name) judge_at((text), (what), NULL, (want), (name), __FILE__, __LINE__)
#define JUDGE_AS(text, what, as, want, name) judge_at((text), (what), (as), (want), (name), __FILE__, __LINE__)

#endif

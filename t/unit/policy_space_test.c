// SPDX-License-Identifier: ISC
/* policy_space_test.c - protected space: denied in every notation, opened by what says so and by nothing else. */
#include "policy_world.h"

#include <errno.h>

/* All of these are protected. */
static const char *const shut[] = {
	"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.255.255.250",
	"240.0.0.1", "255.255.255.255", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:169.254.169.254", "::127.0.0.1",
	"::7f00:1", "::ffff:a9fe:a9fe", "fe80::1", "febf::1", "ff02::1", "ff0e::1", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200",
	"168.63.129.16", "192.0.0.192", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.2.2", "2002:7f00:1::1",
	"2002:c0a8:705::", "::ffff:0:127.0.0.1", "10.0.2.15", "10.0.2.0", "10.0.2.255", "10.0.2.77", "fd00::15",
	"fd00::ffff:1", "192.168.7.5", "::ffff:192.168.7.5", "64:ff9b::c0a8:705", "2001:db8:7::5", "::ffff:10.0.2.2", "10.0.2.2", "fd00::2",
	"10.0.2.3", "fd00::3",
};

/* These are not, though next to them. */
static const char *const open_[] = {
	"126.255.255.255", "128.0.0.1", "1.0.0.0", "169.253.255.255", "169.255.0.0", "223.255.255.255", "10.0.1.255", "10.0.3.0",
	"192.168.7.4", "192.168.7.6", "2001:db8:7::6", "fd00:0:0:1::1", "fec0::1", "64:ff9b::192.0.2.1", "2002:c000:201::1", "fe00::1",
	"100.100.100.201", "::1:0:0:1", "fd00:ec2::253",
};

/* Whether a flow to each is denied as protected, or each is allowed. */
static bool all(const char *text, const char *proto, unsigned int port, const char *const *list, size_t n, const char *want)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < n; i++) {
		const char *got;
		char what[100];

		snprintf(what, sizeof(what), "%s %s %u", proto, list[i], port);
		got = judged(text, what, NULL);
		if (strcmp(got, want) != 0)
			printf("# %s: %s\n", what, got);
		ok &= !strcmp(got, want);
	}
	return ok;
}

#define ALL(text, proto, port, list, want) all((text), (proto), (port), (list), sizeof(list) / sizeof(*(list)), (want))

static void test_shut(void)
{
	static const char *const routers[] = { "10.0.2.2", "10.0.2.3", "fd00::2", "fd00::3" };
	const size_t but_routers = sizeof(shut) / sizeof(*shut) - 5;

	CHECK(ALL(NULL, "tcp", 80, shut, "deny 0 protected"), "protected space is denied without a policy, in every notation");
	CHECK(ALL(NULL, "udp", 4000, shut, "deny 0 protected"), "... for udp, too");
	CHECK(all(NULL, "icmp", 0, shut, but_routers, "deny 0 protected"), "... and icmp");
	CHECK(ALL(NULL, "icmp", 0, routers, "allow 0"), "... but the virtual router's answer echo");
	CHECK(ALL("default deny", "icmp", 0, routers, "deny 0"), "... unless nothing is allowed");
	CHECK(ALL("default allow", "tcp", 80, shut, "deny 0 protected"), "default allow does not open it");
	CHECK(ALL("allow any *\n", "tcp", 80, shut, "deny 0 protected"), "nor does a star");
	CHECK(ALL("allow any 0.0.0.0/0,::/0\n", "tcp", 80, shut, "deny 0 protected"), "nor a prefix of no bits");
	CHECK(ALL("allow any 0.0.0.0-255.255.255.255,::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n", "tcp", 80, shut,
	      "deny 0 protected"), "... or as a range");
	CHECK(ALL("allow any evil.example,*.example\ndefault allow\n", "tcp", 80, shut, "deny 0 protected"),
	      "nor a name, whatever DNS says");
	CHECK(ALL("allow tcp evil.example sni\n", "tcp", 80, shut, "deny 0 protected"), "... one that is checked neither");
	CHECK(ALL("redirect tcp evil.example port 80 to 127.0.0.1:1\n", "tcp", 80, shut, "deny 0 protected"), "nor a redirect of one");
	CHECK(ALL("deny tcp evil.example\n", "tcp", 80, shut, "deny 1 evil.example"), "... a rule that denies it says so");
	CHECK(ALL("log tcp *\ndefault allow", "tcp", 80, shut, "deny 0 protected logged"), "... and one that logs");
	CHECK(ALL(NULL, "tcp", 80, open_, "allow 0"), "what is next to it is open");
	JUDGE(NULL, "tcp 10.0.2.3 53", "allow 0", "our DNS");
	JUDGE("deny any *\n", "udp fd00::3 53", "allow 0", "... which judges names itself");
	JUDGE(NULL, "tcp 10.0.2.2 53", "deny 0 protected", "... the gateway is none");
}

static void test_opened(void)
{
	JUDGE("allow tcp 127.0.0.1\n", "tcp 127.0.0.1 80", "allow 1", "an address opens");
	JUDGE("allow tcp 127.0.0.1\n", "tcp ::ffff:127.0.0.1 80", "allow 1", "... in both notations");
	JUDGE("allow tcp 127.0.0.1\n", "tcp ::1 80", "deny 0 protected", "... that one alone");
	JUDGE("allow tcp 127.0.0.1 port 80\n", "tcp 127.0.0.1 81", "deny 0 protected", "... that port alone");
	JUDGE("allow tcp 169.254.169.254 port 80\n", "tcp 169.254.169.254 80", "allow 1", "metadata");
	JUDGE("allow tcp 169.254.0.0/16\n", "tcp 169.254.169.254 80", "allow 1", "a prefix opens");
	JUDGE("allow tcp fe80::/10\n", "tcp fe80::1 80", "allow 1", "... of IPv6");
	JUDGE("allow tcp 192.168.7.0/24\n", "tcp 192.168.7.5 80", "allow 1", "... this host's addresses in it, too");
	JUDGE("deny any host\nallow tcp 192.168.7.0/24\n", "tcp 192.168.7.5 80", "deny 1", "... unless host is denied before");
	JUDGE("allow tcp 127.0.0.1-127.0.0.9\n", "tcp 127.0.0.9 80", "allow 1", "a range opens");
	JUDGE("allow tcp 10.0.0.0/8\n", "tcp 10.9.9.9 80", "allow 1", "a prefix that has the virtual network in it");
	JUDGE("allow tcp 10.0.0.0/8\n", "tcp 10.0.2.2 80", "deny 0 protected", "... does not open the gateway");
	JUDGE("allow tcp 10.0.0.0/8\n", "tcp 10.0.2.99 80", "deny 0 protected", "... nor what is beside it");
	JUDGE("allow tcp 10.0.2.1-10.0.3.1\n", "tcp 10.0.2.2 80", "deny 0 protected", "... nor does a range that goes beyond");
	JUDGE("allow tcp 10.0.1.9-10.0.2.9\n", "tcp 10.0.2.2 80", "deny 0 protected", "... or begins before");
	JUDGE("allow tcp 10.0.2.0/24\n", "tcp 10.0.2.2 80", "allow 1", "... the virtual network itself does");
	JUDGE("deny tcp 10.0.0.0/8\n", "tcp 10.0.2.2 80", "deny 1", "... and denying it denies it");
	JUDGE("allow tcp host port 8080\n", "tcp 10.0.2.2 8080", "allow 1", "host is the gateway");
	JUDGE("allow tcp host port 8080\n", "tcp fd00::2 8080", "allow 1", "... in both families");
	JUDGE("allow tcp host port 8080\n", "tcp 10.0.2.2 8081", "deny 0 protected", "... that port alone");
	JUDGE("allow tcp host\n", "tcp 192.168.7.5 80", "allow 1", "... and this host's addresses");
	JUDGE("allow tcp host\n", "tcp 2001:db8:7::5 80", "allow 1", "... of IPv6, too");
	JUDGE("allow tcp host\n", "tcp 127.0.0.1 80", "deny 0 protected", "... not loopback on the wire");
	JUDGE("allow tcp host\n", "tcp fe80::7 80", "deny 0 protected", "... nor link-local");
	JUDGE("allow tcp host\n", "tcp 10.0.2.3 80", "deny 0 protected", "... nor our DNS");
	JUDGE("allow tcp host\n", "tcp 192.0.2.1 80", "deny 0", "... nor others");
	JUDGE("deny tcp host\ndefault allow\n", "tcp 192.168.7.5 80", "deny 1", "deny host");
	JUDGE("deny icmp host\ndefault allow\n", "icmp 10.0.2.2", "deny 1", "... also to echo");
}

static void test_mapped(void)
{
	static const char *const bad[] = { "", "a.example", "a.example=", "=127.0.0.1", "a..b=127.0.0.1", "a=127.0.0.1/8", "a=b",
		"a b=127.0.0.1" };
	bool refused = true;
	unsigned int i;
	int err = 0;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused &= space_map(&world.space, bad[i]) == -EINVAL;
	CHECK(refused && !world.space.maps, "what is not NAME=ADDRESS maps nothing");
	CHECK(!space_map(&world.space, "Meta.Internal=169.254.169.254") && !space_map(&world.space, "db.internal=192.0.2.9"),
	      "a name for an address");
	JUDGE(NULL, "tcp 169.254.169.254 80", "allow 0", "opens it");
	JUDGE(NULL, "tcp ::ffff:169.254.169.254 80", "allow 0", "... in both notations");
	JUDGE(NULL, "tcp 169.254.169.253 80", "deny 0 protected", "... alone");
	JUDGE("default deny", "tcp 169.254.169.254 80", "deny 0", "... not against the policy");
	JUDGE("allow tcp meta.internal port 80\n", "tcp 169.254.169.254 80", "allow 1 meta.internal", "... to its name");
	JUDGE("allow tcp *.internal\n", "tcp 169.254.169.254 80", "allow 1 meta.internal", "... to a wildcard");
	JUDGE("allow tcp *\n", "tcp 169.254.169.254 80", "allow 1", "... to a star");
	JUDGE("allow tcp 0.0.0.0/0\n", "tcp 169.254.169.254 80", "allow 1", "... to a prefix of no bits");
	JUDGE("allow tcp evil.example\ndeny tcp meta.internal\n", "tcp 169.254.169.254 80", "deny 2 meta.internal",
	      "... not to a name that DNS told");
	JUDGE("allow tcp evil.example\n", "tcp 169.254.169.254 80", "deny 0", "... even if no other matches");
	JUDGE("allow tcp db.internal\n", "tcp 192.0.2.9 80", "allow 1 db.internal", "an address that is not protected, likewise");
	JUDGE_AS("allow tcp *.internal sni\n", "tcp 169.254.169.254 80", "meta.internal", "allow 1 sni meta.internal", "... checked");
	JUDGE_AS("allow tcp *.internal sni\n", "tcp 169.254.169.254 80", "db.example", "deny 0", "... and found another");
	JUDGE_AS("allow tcp evil.example\n", "tcp 169.254.169.254 80", "evil.example", "deny 0", "... that does not open it");
	JUDGE("default deny", "meta.internal", "allow 0 meta.internal", "it is resolved");
	JUDGE("deny dns *.internal\n", "meta.internal", "deny 1 meta.internal", "... unless a rule denies it");
	for (i = 0; i < SPACE_MAPS && !err; i++)
		err = space_map(&world.space, "x=192.0.2.1");
	CHECK(err == -ENOSPC && world.space.maps == SPACE_MAPS, "names are counted");
}

static void test_room(void)
{
	struct addr_range r = { .bits = 128 };
	struct space s;
	unsigned int i;
	int err = 0;

	space_init(&s);
	for (i = 0; i < SPACE_RANGES && !err; i++)
		err = space_add_virtual(&s, &r);
	CHECK(err == -ENOSPC && s.ranges == SPACE_RANGES, "prefixes are counted");
	for (i = 0, err = 0; i <= SPACE_ROUTERS && !err; i++)
		err = space_add_router(&s, &r.addr, SPACE_DNS);
	CHECK(err == -ENOSPC && s.routers == SPACE_ROUTERS, "... and routers");
}

int main(void)
{
	size_t i;

	world_new();
	for (i = 0; i < sizeof(shut) / sizeof(*shut); i++)
		know("evil.example", shut[i]);
	test_shut();
	test_opened();
	test_mapped();
	test_room();
	world_free();
	return tap_done();
}

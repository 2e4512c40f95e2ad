// SPDX-License-Identifier: ISC
/* policy_test.c - every form of rule, allowed and denied. */
#include "policy_world.h"

#include <time.h>

static void test_destinations(void)
{
	JUDGE("allow tcp 192.0.2.1\n", "tcp 192.0.2.1 80", "allow 1", "an address");
	JUDGE("allow tcp 192.0.2.1\n", "tcp 192.0.2.2 80", "deny 0", "... and no other");
	JUDGE("allow tcp 2001:db8::1\n", "tcp 2001:db8::1 80", "allow 1", "an IPv6 address");
	JUDGE("allow tcp 2001:db8::1\n", "tcp 2001:db8::2 80", "deny 0", "... and no other");
	JUDGE("allow tcp ::ffff:192.0.2.1\n", "tcp 192.0.2.1 80", "allow 1", "one in the other notation");
	JUDGE("allow tcp 192.0.2.0/25\n", "tcp 192.0.2.127 80", "allow 1", "a prefix");
	JUDGE("allow tcp 192.0.2.0/25\n", "tcp 192.0.2.128 80", "deny 0", "... ends");
	JUDGE("allow tcp 192.0.2.0/25\n", "tcp 192.0.1.255 80", "deny 0", "... and begins");
	JUDGE("allow tcp 2001:db8:0:8000::/49\n", "tcp 2001:db8:0:ffff::1 80", "allow 1", "an IPv6 prefix");
	JUDGE("allow tcp 2001:db8:0:8000::/49\n", "tcp 2001:db8:0:7fff::1 80", "deny 0", "... begins");
	JUDGE("allow tcp 192.0.2.7-192.0.2.9\n", "tcp 192.0.2.9 80", "allow 1", "a range");
	JUDGE("allow tcp 192.0.2.7-192.0.2.9\n", "tcp 192.0.2.10 80", "deny 0", "... ends");
	JUDGE("allow tcp 192.0.2.7-192.0.2.9\n", "tcp 192.0.2.6 80", "deny 0", "... and begins");
	JUDGE("allow tcp 2001:db8::1-2001:db8::f\n", "tcp 2001:db8::e 80", "allow 1", "a range of IPv6");
	JUDGE("allow tcp a.example\n", "tcp 198.51.100.1 80", "allow 1 a.example", "a name");
	JUDGE("allow tcp a.example\n", "tcp 198.51.100.2 80", "deny 0", "... that the address has not");
	JUDGE("allow tcp A.Example.\n", "tcp 198.51.100.1 80", "allow 1 a.example", "a name in capitals, with a dot at its end");
	JUDGE("allow tcp *.c.example\n", "tcp 198.51.100.2 80", "allow 1 www.c.example", "a wildcard");
	JUDGE("allow tcp *.c.example\n", "tcp 198.51.100.3 80", "deny 0", "... is not its base");
	JUDGE("allow tcp *.example\n", "tcp 198.51.100.2 80", "allow 1 www.c.example", "... is any number of labels");
	JUDGE("allow tcp *.xample\n", "tcp 198.51.100.2 80", "deny 0", "... and whole ones");
	JUDGE("allow tcp www.c.example\n", "tcp 198.51.100.3 80", "deny 0", "a name is not its base");
	JUDGE("allow tcp c.example\n", "tcp 198.51.100.2 80", "deny 0", "... nor what is below it");
	JUDGE("allow tcp alias.example\n", "tcp 198.51.100.4 80", "allow 1 alias.example", "the name that was asked for, of an alias");
	JUDGE("allow tcp cdn.example\n", "tcp 198.51.100.4 80", "allow 1 cdn.example", "... and the one it stands for");
	JUDGE("allow tcp b.example\n", "tcp 198.51.100.1 80", "allow 1 b.example", "an address has every name that was told");
	JUDGE("allow tcp *\n", "tcp 192.0.2.1 80", "allow 1", "a star");
	JUDGE("allow tcp 192.0.2.1,a.example,2001:db8::/32\n", "tcp 198.51.100.1 80", "allow 1 a.example", "a list");
	JUDGE("allow tcp 192.0.2.1,a.example,2001:db8::/32\n", "tcp 2001:db8::1 80", "allow 1", "... and its end");
	JUDGE("allow tcp 192.0.2.1,a.example,2001:db8::/32\n", "tcp 192.0.2.2 80", "deny 0", "... and nothing else");
	JUDGE("allow tcp 0.0.0.0/0\n", "tcp 2001:db8::1 80", "deny 0", "all of IPv4 is not IPv6");
	JUDGE("allow tcp ::/0\n", "tcp 192.0.2.1 80", "deny 0", "all of IPv6 is not IPv4");
	JUDGE("allow tcp ::/0\n", "tcp 2001:db8::1 80", "allow 1", "all of IPv6 is IPv6");
	JUDGE("deny tcp 192.0.2.1\ndefault allow\n", "tcp 192.0.2.1 80", "deny 1", "deny an address");
	JUDGE("deny tcp 192.0.2.0/24\ndefault allow\n", "tcp 192.0.3.1 80", "allow 0", "deny a prefix, and no more");
	JUDGE("deny tcp *.c.example\ndefault allow\n", "tcp 198.51.100.2 80", "deny 1 www.c.example", "deny a wildcard");
	JUDGE("deny tcp *\ndefault allow\n", "tcp 192.0.2.1 80", "deny 1", "deny a star");
	JUDGE("deny udp 192.0.2.7-192.0.2.9\ndefault allow\n", "udp 192.0.2.8 80", "deny 1", "deny a range");
	JUDGE("deny udp a.example\ndefault allow\n", "udp 198.51.100.1 80", "deny 1 a.example", "deny a name");
}

static void test_ports_and_protocols(void)
{
	JUDGE("allow tcp * port 80\n", "tcp 192.0.2.1 80", "allow 1", "a port");
	JUDGE("allow tcp * port 80\n", "tcp 192.0.2.1 81", "deny 0", "... and no other");
	JUDGE("allow tcp * port 80\n", "udp 192.0.2.1 80", "deny 0", "... of no other protocol");
	JUDGE("allow tcp * port 80-90,443\n", "tcp 192.0.2.1 90", "allow 1", "a range of ports");
	JUDGE("allow tcp * port 80-90,443\n", "tcp 192.0.2.1 91", "deny 0", "... ends");
	JUDGE("allow tcp * port 80-90,443\n", "tcp 192.0.2.1 79", "deny 0", "... and begins");
	JUDGE("allow tcp * port 80-90,443\n", "tcp 192.0.2.1 443", "allow 1", "a list of ports");
	JUDGE("allow udp * port 1-65535\n", "udp 192.0.2.1 65535", "allow 1", "all ports");
	JUDGE("allow tcp a.example port 443\n", "tcp 198.51.100.1 443", "allow 1 a.example", "a name and a port");
	JUDGE("allow tcp a.example port 443\n", "tcp 198.51.100.1 80", "deny 0", "... and no other port");
	JUDGE("allow icmp 192.0.2.1\n", "icmp 192.0.2.1", "allow 1", "icmp");
	JUDGE("allow icmp 192.0.2.1\n", "tcp 192.0.2.1 7", "deny 0", "... alone");
	JUDGE("deny icmp *\ndefault allow\n", "icmp 192.0.2.1", "deny 1", "deny icmp");
	JUDGE("allow any 192.0.2.1\n", "icmp 192.0.2.1", "allow 1", "any is icmp");
	JUDGE("allow any 192.0.2.1\n", "udp 192.0.2.1 9", "allow 1", "... and udp");
	JUDGE("allow any 192.0.2.1 port 9\n", "tcp 192.0.2.1 9", "allow 1", "any with a port is tcp");
	JUDGE("allow any 192.0.2.1 port 9\n", "udp 192.0.2.1 9", "allow 1", "... and udp");
	JUDGE("allow any 192.0.2.1 port 9\n", "icmp 192.0.2.1", "deny 0", "... not icmp");
	JUDGE("deny any 192.0.2.1\ndefault allow\n", "tcp 192.0.2.1 9", "deny 1", "deny any");
	JUDGE("allow dns *\n", "udp 192.0.2.1 53", "deny 0", "a rule for dns is for names, not for other servers");
}

static void test_order(void)
{
	JUDGE("deny tcp a.example\nallow tcp *\n", "tcp 198.51.100.1 80", "deny 1 a.example", "the first rule decides");
	JUDGE("allow tcp *\ndeny tcp a.example\n", "tcp 198.51.100.1 80", "allow 1", "... whichever it is");
	JUDGE("deny tcp b.example\nallow tcp a.example\n", "tcp 198.51.100.1 80", "deny 1 b.example",
	      "a shared address has all its names, also to be denied");
	JUDGE("log tcp *\nallow tcp *\n", "tcp 192.0.2.1 80", "allow 2 logged", "log goes on");
	JUDGE("log tcp *\n", "tcp 192.0.2.1 80", "deny 0 logged", "... to the default, too");
	JUDGE("allow tcp *\nlog tcp *\n", "tcp 192.0.2.1 80", "allow 1", "... not after the decision");
	JUDGE("log tcp 192.0.2.1\nallow tcp *\n", "tcp 192.0.2.2 80", "allow 2", "... nor what it does not match");
	JUDGE("log tcp a.example port 80\nallow tcp *\n", "tcp 198.51.100.1 81", "allow 2", "... nor other ports");
	JUDGE("# a comment\n\n\t allow\ttcp  * # of all\r\n", "tcp 192.0.2.1 80", "allow 3", "blanks and comments");
	JUDGE("", "tcp 192.0.2.1 80", "deny 0", "nothing in a policy denies");
	JUDGE("default deny", "tcp 192.0.2.1 80", "deny 0", "default deny");
	JUDGE("default allow", "tcp 192.0.2.1 80", "allow 0", "default allow");
	JUDGE(NULL, "tcp 192.0.2.1 80", "allow 0", "without a policy all is allowed");
	JUDGE(NULL, "any.example", "allow 0 any.example", "... and resolved");
}

static void test_names(void)
{
	JUDGE("allow tcp a.example\n", "a.example", "allow 1 a.example", "a name of an allow rule is resolved");
	JUDGE("allow tcp a.example port 443\n", "A.EXAMPLE.", "allow 1 a.example", "... in any case, whatever the port");
	JUDGE("allow icmp a.example\n", "a.example", "allow 1 a.example", "... of any protocol");
	JUDGE("allow tcp a.example\n", "secret.a.example", "deny 0 secret.a.example", "others are not: nothing is told by asking");
	JUDGE("allow tcp *.c.example\n", "x.y.c.example", "allow 1 x.y.c.example", "a wildcard resolves");
	JUDGE("allow tcp *.c.example\n", "c.example", "deny 0 c.example", "... not its base");
	JUDGE("redirect tcp a.example port 443 to unix:/s\n", "a.example", "allow 1 a.example", "so does a redirect");
	JUDGE("log tcp a.example\n", "a.example", "deny 0 a.example", "log does not");
	JUDGE("log dns *\nallow tcp a.example\n", "a.example", "allow 2 a.example logged", "... it is said for dns");
	JUDGE("log tcp *\nallow tcp a.example\n", "a.example", "allow 2 a.example", "... not for tcp");
	JUDGE("deny dns a.example\nallow tcp *.example,a.example\n", "a.example", "deny 1 a.example", "an earlier deny dns");
	JUDGE("allow tcp a.example\ndeny dns a.example\n", "a.example", "allow 1 a.example", "... not a later one");
	JUDGE("deny any a.example\ndefault allow\n", "a.example", "deny 1 a.example", "deny any denies it");
	JUDGE("deny any a.example port 80\ndefault allow\n", "a.example", "allow 0 a.example", "... not of some ports");
	JUDGE("deny tcp a.example\ndefault allow\n", "a.example", "allow 0 a.example", "deny tcp does not");
	JUDGE("allow tcp *\n", "a.example", "deny 0 a.example", "a star for tcp is no name");
	JUDGE("allow dns *\n", "a.example", "allow 1 a.example", "... for dns it is all");
	JUDGE("allow any *\n", "a.example", "allow 1 a.example", "... for any, too");
	JUDGE("allow dns a.example\n", "tcp 198.51.100.1 80", "deny 0", "what is resolved is not reached for that");
	JUDGE("allow dns *.example\n", "a.example", "allow 1 a.example", "allow dns");
	JUDGE("allow dns *.example\n", "b.test", "deny 0 b.test", "... and no more");
	JUDGE("default allow\n", "a..example", "deny 0", "what is no name is denied");
	JUDGE("default allow\n", "a\001b.example", "deny 0", "... whatever it is");
	JUDGE("default allow\n", ".", "allow 0", "the root by default");
	JUDGE("deny dns *\ndefault allow\n", ".", "deny 1", "... or by a star");
}

static void test_sni(void)
{
	static const char text[] = "allow tcp a.example port 443 sni\nallow tcp b.example port 443 sni\nallow tcp c.example\n";

	JUDGE(text, "tcp 198.51.100.1 443", "allow 1 sni a.example", "a name to be checked");
	JUDGE(text, "tcp 198.51.100.3 443", "allow 3 c.example", "... or not");
	JUDGE_AS(text, "tcp 198.51.100.1 443", "a.example", "allow 1 sni a.example", "the name that was asked for");
	JUDGE_AS(text, "tcp 198.51.100.1 443", "B.example", "allow 2 sni b.example", "another that is allowed");
	JUDGE_AS(text, "tcp 198.51.100.1 443", "evil.example", "deny 0", "one that is not");
	JUDGE_AS(text, "tcp 198.51.100.1 443", "\xff", "deny 0", "none");
	JUDGE(text, "udp 198.51.100.1 443", "deny 1 a.example", "QUIC is denied by such a rule");
	JUDGE("allow tcp a.example sni\ndefault allow\n", "udp 198.51.100.1 443", "deny 1 a.example", "... whatever the default");
	JUDGE("allow tcp a.example sni\ndefault allow\n", "udp 198.51.100.1 444", "allow 0", "... other ports are not");
	JUDGE("allow tcp a.example port 80 sni\ndefault allow\n", "udp 198.51.100.1 443", "allow 0", "... nor where it is not about 443");
	JUDGE_AS("allow tcp a.example\n", "tcp 192.0.2.99 80", "a.example", "allow 1 a.example", "a name that has expired, of a live flow");
	JUDGE_AS("allow tcp a.example\n", "tcp 192.168.7.5 80", "a.example", "deny 0 protected", "... does not open this host");
}

static void test_redirect(void)
{
	char error[POLICY_ERROR];
	struct policy *p = policy("redirect tcp a.example port 443 to unix:/run/proxy proxy-v2\n"
				  "redirect tcp *,host port 80-81 to [::1]:8080\nredirect tcp 192.0.2.1 port 9 to 127.0.0.1:9\n", error);
	struct policy_flow f = flow("tcp 198.51.100.1 443");
	const struct policy_target *t;
	struct policy_verdict v;
	struct addr a = address("::1");
	size_t n;

	policy_ref(p);
	policy_unref(p);
	policy_judge(p, &f, &world.view, &v);
	CHECK(v.allow && v.line == 1 && v.redirect && !strcmp(v.redirect->path, "/run/proxy") && v.redirect->proxy_v2,
	      "a redirect to a socket");
	f.port = 81;
	policy_judge(p, &f, &world.view, &v);
	CHECK(v.line == 2 && v.redirect && !*v.redirect->path && addr_equal(&v.redirect->addr, &a) && v.redirect->port == 8080 &&
	      !v.redirect->proxy_v2, "... and to an address");
	f.port = 9;
	policy_judge(p, &f, &world.view, &v);
	CHECK(!v.allow && !v.line && !v.redirect, "... nothing else");
	f = flow("udp 198.51.100.1 443");
	policy_judge(p, &f, &world.view, &v);
	CHECK(!v.allow && !v.redirect, "... tcp only");
	f = flow("tcp 127.0.0.1 80");
	policy_judge(p, &f, &world.view, &v);
	CHECK(!v.allow && v.protected && !v.redirect, "a star redirects nothing that is protected");
	f = flow("tcp 10.0.2.2 80");
	policy_judge(p, &f, &world.view, &v);
	CHECK(v.redirect && v.line == 2, "... host does");
	t = policy_targets(p, &n);
	CHECK(n == 3 && t[2].port == 9 && !strcmp(t->path, "/run/proxy"), "all targets can be seen beforehand");
	policy_unref(p);
	policy_unref(NULL);
}

static void test_expiry(void)
{
	JUDGE("allow tcp a.example\n", "tcp 198.51.100.1 80", "allow 1 a.example", "a name that lives");
	world.view.now_ms = 300000;
	JUDGE("allow tcp a.example\n", "tcp 198.51.100.1 80", "deny 0", "... and one that has expired");
	world.view.now_ms = 1000;
}

/* What a judgement costs with @rules rules before the one that matches. */
static void measure(unsigned int rules, const char *what, const char *format)
{
	enum { TIMES = 200000 };
	char *text = malloc(rules * 80 + 80), error[POLICY_ERROR];
	struct timespec t0, t1;
	struct policy_verdict v;
	struct policy_flow f = flow("tcp 198.51.100.1 443");
	unsigned int i, allowed = 0;
	size_t len = 0;
	struct policy *p;

	for (i = 1; i < rules; i++)
		len += (size_t)sprintf(text + len, format, i / 250, i % 250);
	sprintf(text + len, "allow tcp a.example port 443\n");
	p = policy(text, error);
	free(text);
	if (!p)
		abort();
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (i = 0; i < TIMES; i++) {
		policy_judge(p, &f, &world.view, &v);
		allowed += v.allow && v.line == rules;
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	CHECK(allowed == TIMES, "the last of many rules");
	printf("# %u rules, %s: %ld ns a judgement\n", rules, what,
	       ((t1.tv_sec - t0.tv_sec) * 1000000000 + t1.tv_nsec - t0.tv_nsec) / TIMES);
	policy_unref(p);
}

int main(void)
{
	world_new();
	know("a.example", "198.51.100.1");
	know("b.example", "198.51.100.1");
	know("www.c.example", "198.51.100.2");
	know("c.example", "198.51.100.3");
	know("alias.example", "198.51.100.4");
	know("cdn.example", "198.51.100.4");
	know("a.example", "192.168.7.5");
	test_destinations();
	test_ports_and_protocols();
	test_order();
	test_names();
	test_sni();
	test_redirect();
	test_expiry();
	measure(1, "of one name", "");
	measure(1000, "of addresses", "deny tcp 203.%u.%u.0/24\n");
	measure(1000, "of names", "deny tcp n%u.x%u.example\n");
	measure(1000, "for other ports of all", "deny tcp * port 1%u,2%u\n");
	measure(16384, "of wildcards", "deny tcp *.n%u.x%u.example\n");
	world_free();
	return tap_done();
}

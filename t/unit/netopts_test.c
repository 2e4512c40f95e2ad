// SPDX-License-Identifier: ISC
/* netopts_test.c - vm-net's command line: what it comes to, and what it refuses. */
#include "netopts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "util.h"

enum { WORDS = 24 };

static struct netopts o;

static int split(char *line, char *argv[WORDS])
{
	int argc = 0;

	argv[argc++] = (char *)(uintptr_t)"vm-net";
	while (argc < WORDS - 1 && (argv[argc] = strsep(&line, " ")))
		argc++;
	argv[argc] = NULL;
	return argc;
}

/* Read a command line in a process of its own, which then looks at it. Return: its exit status. */
static int parse(const char *text, bool (*look)(void))
{
	static char line[512];
	char *argv[WORDS];
	int status = -1, null;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, 1);
		dup2(null, 2);
		strcpy(line, text);
		netopts_parse(&o, split(line, argv), argv);
		_exit(!look || look() ? 0 : 99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool is(const struct addr *a, const char *text)
{
	struct addr b;

	return !addr_parse(text, &b) && addr_equal(a, &b);
}

static bool defaults(void)
{
	return !strcmp(o.listen, "a") && !o.prog && o.subnet.v4 && o.subnet.v6 && o.subnet.mtu == 65520 && !o.rate &&
	       !o.several && !o.forward && !o.host && !o.policy && o.ready_fd == -1 && is(&o.subnet.guest4, "10.0.2.15");
}

static bool lists(void)
{
	return !strcmp(o.forward[0], "80:80") && !strcmp(o.forward[1], "81:81/udp") && !o.forward[2] &&
	       !strcmp(o.host[0], "a=1.2.3.4") && !o.host[1] && !strcmp(o.map[0], "b=::1") && o.servers == 2 &&
	       is(&o.server[1].addr, "9.9.9.9");
}

static bool program(void)
{
	return !strcmp(o.prog[0], "prog") && !strcmp(o.prog[1], "-x") && !o.prog[2] && o.several && !o.subnet.v6 && o.rate == 2 << 20;
}

static bool networks(void)
{
	return is(&o.subnet.gateway4, "172.16.0.2") && is(&o.subnet.guest4, "172.16.0.10") && is(&o.subnet.dns6, "fd01::3") &&
	       o.subnet_given && o.subnet6_given && o.subnet.mtu == 1280 && !strcmp(o.subnet.domain, "lan.test");
}

static bool domain(void)
{
	return !strcmp(o.subnet.domain, "a_b-1.Lan.test");
}

static void test_good(void)
{
	CHECK(parse("-l a", defaults) == 0, "what is not asked for is as it is");
	CHECK(parse("-p 80:80 -p 81:81/udp --host a=1.2.3.4 --map-host b=::1 --dns ::1 --dns 9.9.9.9 -l a", lists) == 0, "lists");
	CHECK(parse("--switch -4 --rate-limit 2M -- prog -x", program) == 0, "a program keeps its options");
	CHECK(parse("--subnet 172.16.0.0/28 --subnet6 fd01::/64 --mtu 1280 --domain lan.test --frames a", networks) == 0, "networks");
	CHECK(parse("--domain a_b-1.Lan.test. -l a", domain) == 0, "a domain, without the dot at its end");
	CHECK(parse("--check f", NULL) == 0 && parse("--rate-limit 1024 -l a", NULL) == 0 && parse("--rate-limit 1K -l a", NULL) == 0, "least");
	CHECK(parse("--help", NULL) == 0 && parse("--version", NULL) == 0, "help and version");
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"-x", "-l", "-l a --frames b", "-l a -- prog", "--check f -l a", "--check f -- prog", "-4 -6 -l a",
		"--mtu 1279 -l a", "--mtu 65521 -l a", "--mtu 1500x -l a", "--rate-limit 1023 -l a", "--rate-limit K -l a",
		"--rate-limit 1T -l a", "--rate-limit 2048G -l a", "--rate-limit -1K -l a", "--subnet 10.0.0.0/7 -l a",
		"--subnet 10.0.0.0/29 -l a", "--subnet fd00::/64 -l a", "--subnet 10.0.0.0 -l a", "--subnet6 fd00::/63 -l a",
		"--subnet6 10.0.0.0/24 -l a", "--dns host -l a", "--host =1.2.3.4 -l a", "--host a=b -l a", "--map-host a -l a",
		"-p x -l a", "-p 0:0:0:0 -l a", "--ready-fd 99 -l a", "--ready-fd x -l a", "--domain  -l a", "--domain . -l a",
		"--domain a..b -l a", "--domain a/b -l a", "-6 --subnet 10.1.0.0/24 -l a", "--subnet6 fd01::/64 -4 -l a",
		"--check f -4", "-v --check f", "--check f --check g", "--check f -P g",
	};
	char nine[256] = "-l a", many[512] = "-l a";
	size_t i;

	CHECK(parse("-v", NULL) == NETOPTS_USAGE, "nothing to do");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		int status = parse(bad[i], NULL);

		CHECK(status == NETOPTS_USAGE, bad[i]);
	}
	for (i = 0; i < NETOPTS_SERVERS; i++)
		strcat(nine, " --dns=::1");
	CHECK(parse(nine, NULL) == 0, "as many servers as can be");
	strcat(nine, " --dns=::1");
	CHECK(parse(nine, NULL) == NETOPTS_USAGE, "one more");
	for (i = 0; i < NETOPTS_PATHS; i++)
		strcat(many, " -punix:/a:1");
	CHECK(parse(many, NULL) == 0, "as many UNIX sockets as can be");
	strcat(many, " -punix:/a:1");
	CHECK(parse(many, NULL) == NETOPTS_USAGE, "one more");
}

int main(void)
{
	test_good();
	test_bad();
	return tap_done();
}

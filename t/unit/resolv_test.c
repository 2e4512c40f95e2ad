// SPDX-License-Identifier: ISC
/* resolv_test.c - resolv.conf: what is read of it, and that every way to change it is noticed. */
#include "resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "loop.h"
#include "tap.h"
#include "util.h"

static struct dns_server servers[RESOLV_SERVERS];
static size_t count;

/* Whether these are the servers: "ADDRESS ADDRESS%SCOPE ...". */
static bool are(const char *want)
{
	char text[ADDR_TEXT], all[RESOLV_SERVERS * 60] = "";
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? " " : "", addr_format(&servers[i].addr, text));
		if (servers[i].scope)
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%%%u", servers[i].scope);
	}
	if (strcmp(all, want) != 0)
		printf("# %s\n", all);
	return !strcmp(all, want);
}

static bool parses(const char *text, const char *want)
{
	count = resolv_parse(text, strlen(text), servers);
	return are(want);
}

static void test_parse(void)
{
	char want[32];

	CHECK(parses("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n", "127.0.0.53"),
	      "a stub on loopback is a server");
	CHECK(parses("# nameserver 1.1.1.1\n;nameserver 1.1.1.1\n nameserver 1.1.1.1\nNAMESERVER 1.1.1.1\nnameserver1.1.1.1\n", ""),
	      "what is no nameserver line");
	CHECK(parses("nameserver\t10.0.0.1 \r\nnameserver  fd00::1\nnameserver 10.0.0.2#x", "10.0.0.1 fd00::1 10.0.0.2"),
	      "blanks, and no end of line");
	CHECK(parses("nameserver 10.0.0.1\nnameserver 10.0.0.1\nnameserver ::ffff:10.0.0.1\n", "10.0.0.1"),
	      "each once");
	CHECK(parses("nameserver\nnameserver \nnameserver 1.2.3\nnameserver x\nnameserver 10.0.0.1%lo\nnameserver fe80::1%\n", ""),
	      "no addresses");
	snprintf(want, sizeof(want), "fe80::1%%%u fe80::2%%7", if_nametoindex("lo"));
	CHECK(parses("nameserver fe80::1%lo\nnameserver fe80::2%7\nnameserver fe80::3%nowhere0\n", want),
	      "scopes by name and by number");
	CHECK(parses("nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\nnameserver 1.0.0.5\n"
		     "nameserver 1.0.0.6\nnameserver 1.0.0.7\nnameserver 1.0.0.8\nnameserver 1.0.0.9\n",
		     "1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8"), "eight at most");
	CHECK(parses("", "") && parses("nameserver 1111111111111111111111111111111111111111111111111111111111111111111111111.1\n", ""),
	      "nothing, and too much");
}

/* -- following -- */

static struct loop *loop;
static unsigned int told;
static char dir[] = "/tmp/resolv-test-XXXXXX";

static void on_servers(void *arg, const struct dns_server *s, size_t n)
{
	(void)arg;
	memcpy(servers, s, n * sizeof(*s));
	count = n;
	told++;
	loop_stop(loop);
}

static const char *in_dir(const char *name)
{
	static char path[4][200];
	static unsigned int i;

	snprintf(path[++i % 4], sizeof(*path), "%s/%s", dir, name);
	return path[i % 4];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

/* Wait for the next word of the child. */
static bool becomes(const char *want)
{
	loop_run(loop);
	return are(want);
}

static void move(const char *from, const char *to)
{
	if (rename(in_dir(from), in_dir(to)) < 0)
		abort();
}

static void point(const char *target, const char *name)
{
	if (symlink(target, in_dir("new")) < 0)
		abort();
	move("new", name);
}

static void test_follow(void)
{
	struct timespec from, to;
	struct resolv *r;

	if (!mkdtemp(dir) || mkdir(in_dir("etc"), 0755) < 0 || mkdir(in_dir("run"), 0755) < 0)
		abort();
	put("etc/resolv.conf", "nameserver 10.0.0.1\n");
	loop = loop_new();
	r = resolv_follow(loop, in_dir("etc/resolv.conf"), on_servers, NULL);
	CHECK(r && told == 1 && are("10.0.0.1"), "the servers are told before anything is awaited");
	put("etc/resolv.conf", "nameserver 10.0.0.2\n");
	CHECK(becomes("10.0.0.2"), "written in place");
	/* As when it is mounted from elsewhere: the directory hears nothing. */
	if (link(in_dir("etc/resolv.conf"), in_dir("run/alias")) < 0)
		abort();
	put("run/alias", "nameserver 10.0.0.22\n");
	CHECK(becomes("10.0.0.22"), "written in place by another name");
	put("etc/.resolv.conf.tmp", "nameserver 10.0.0.3\n");
	move("etc/.resolv.conf.tmp", "etc/resolv.conf");
	CHECK(becomes("10.0.0.3"), "replaced by rename");
	put("etc/other", "nameserver 10.0.0.9\n");
	put("etc/resolv.conf", "# the same\nnameserver 10.0.0.3\n");
	put("run/stub.conf", "nameserver 127.0.0.53\n");
	point("../run/stub.conf", "etc/resolv.conf");
	CHECK(becomes("127.0.0.53"), "replaced by a link; what does not change the servers is not told");
	put("run/tmp", "nameserver 127.0.0.54\n");
	move("run/tmp", "run/stub.conf");
	CHECK(becomes("127.0.0.54"), "what the link leads to, replaced by rename");
	clock_gettime(CLOCK_MONOTONIC, &from);
	point("../run/later/resolv.conf", "etc/resolv.conf");
	CHECK(becomes(""), "a link that leads nowhere");
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 900,
	      "... is not believed at once");
	mkdir(in_dir("run/later"), 0755);
	put("run/later/resolv.conf", "nameserver 10.0.0.5\n");
	CHECK(becomes("10.0.0.5"), "... until there is something");
	put("run/second", "nameserver fd00::53\n");
	unlink(in_dir("run/later/resolv.conf"));
	point("../second", "run/later/resolv.conf");
	CHECK(becomes("fd00::53"), "a link to a link");
	unlink(in_dir("etc/resolv.conf"));
	put("etc/resolv.conf", "nameserver 10.0.0.7\n");
	CHECK(becomes("10.0.0.7"), "gone for a moment is not gone");
	CHECK(told == 10, "each is told once");
	unlink(in_dir("etc/resolv.conf"));
	mkfifo(in_dir("etc/resolv.conf"), 0644);
	CHECK(becomes(""), "a pipe is no file, and holds nobody up");
	resolv_free(r);
	loop_free(loop);
}

static void test_nowhere(void)
{
	struct resolv *r;

	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "the child is gone");
	loop = loop_new();
	r = resolv_follow(loop, in_dir("nowhere/resolv.conf"), on_servers, NULL);
	CHECK(r && are(""), "a file that was never there");
	mkdir(in_dir("nowhere"), 0755);
	put("nowhere/resolv.conf", "nameserver 10.0.0.8\n");
	CHECK(becomes("10.0.0.8"), "... may come");
	resolv_free(r);
	loop_free(loop);
}

/* The child: what it holds, and that it ends with us however we end. */
static void test_child(void)
{
	int pipes[2];
	pid_t pid;
	char c;

	if (pipe(pipes) < 0)
		abort();
	fflush(stdout);
	pid = fork();
	if (!pid) {
		loop = loop_new();
		dup2(pipes[1], 2);
		resolv_follow(loop, in_dir("etc/resolv.conf"), on_servers, NULL);
		raise(SIGKILL);
	}
	close(pipes[1]);
	waitpid(pid, NULL, 0);
	/* Whoever holds the other end, or stderr, is still there. */
	CHECK(read(pipes[0], &c, 1) == 0, "the child holds no pipe of ours, and ends when we are killed");
	close(pipes[0]);
}

static void test_confined_child(void)
{
	char path[64], target[64];
	struct resolv *r;
	int fds = 0, i;
	ssize_t n;
	pid_t pid;
	FILE *f;

	loop = loop_new();
	r = resolv_follow(loop, in_dir("nowhere/resolv.conf"), on_servers, NULL);
	f = fopen("/proc/thread-self/children", "r");
	if (!f || fscanf(f, "%d", &pid) != 1)
		abort();
	fclose(f);
	put("nowhere/resolv.conf", "nameserver 10.0.0.9\n");
	CHECK(becomes("10.0.0.9"), "it speaks: it is confined");
	kill(pid, SIGINT);
	kill(pid, SIGTERM);
	put("nowhere/resolv.conf", "nameserver 10.0.0.10\n");
	CHECK(becomes("10.0.0.10"), "the terminal's signals are not for it");
	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
		n = readlink(path, target, sizeof(target) - 1);
		fds += n > 0 && !memmem(target, (size_t)n, "/dev/null", 9) && !memmem(target, (size_t)n, "inotify", 7);
	}
	CHECK(fds == 1, "it holds its socket and nothing else");
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	resolv_free(r);
	loop_free(loop);
}

int main(void)
{
	alarm(60);
	test_parse();
	test_follow();
	test_nowhere();
	test_child();
	test_confined_child();
	if (fork() == 0) {
		execlp("rm", "rm", "-r", dir, NULL);
		_exit(1);
	}
	wait(NULL);
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* dns_failover_test.c - servers that are dead, slow or replaced, and more questions than there is room for. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "dns_world.h"
#include "sandbox.h"
#include "util.h"

static const struct dns_config plain;
static struct build m;

static void answer(struct heard *h)
{
	server_answer(h, &m, DNS_NOERROR);
	ba(&m, "@12", 60, "\1\2\3\4");
	server_say(h, m.b, m.n);
}

static void silent(struct heard *h)
{
	(void)h;
}

/* Answers the first of its queries when the second comes. */
static void late(struct heard *h)
{
	if (h->s->heard == 2)
		answer(server_last(h->s, 1));
}

static void garbage(struct heard *h)
{
	/* Right to the end of the question, and then more records than there are. */
	server_answer(h, &m, DNS_NOERROR);
	bcount(&m, 1);
	server_say(h, m.b, m.n);
}

static unsigned int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_dead_first(void)
{
	uint64_t start;
	unsigned int i;

	w_start(silent, answer, &plain);
	start = w_now(NULL);
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w_now(NULL) - start >= 100, "a silent server costs a question its time");
	for (i = 0; i < 20; i++)
		w_ask("b", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 1 && w.two.heard == 21,
	      "... one question, for then it stands back");
	w.offset += 2000;
	w_send(1, false, "c", DNS_A, 0);
	w_send(2, false, "c", DNS_A, 0);
	w_send(3, false, "c", DNS_A, 0);
	i = w.answers;
	w_run(i + 3);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 2, "after a while one question finds out about it");
	for (i = 0; i < 5; i++)
		w_ask("d", DNS_A);
	w.offset += 2500;
	w_ask("d", DNS_A);
	CHECK(w.one.heard == 2, "... and longer after that");
	w.offset += 2000;
	w.one.behave = answer;
	w_ask("e", DNS_A);
	w_ask("e", DNS_A);
	CHECK(w.one.heard == 4 && w_says(DNS_NOERROR, 1), "one that is there again is the first again");
	w_end();
}

static void test_finding_out(void)
{
	struct dns_server three[3];
	uint64_t start;

	w_start(silent, answer, &(struct dns_config){ .try_msec = 800, .total_msec = 10000 });
	w_ask("a", DNS_A);
	w.offset += 2000;
	start = w_now(NULL);
	w_ask("b", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 2 && w_now(NULL) - start < 700,
	      "finding out about a server costs a quarter");
	three[0] = w.one.at;
	three[1] = three[2] = w.two.at;
	three[2].port = 1;
	dns_servers(w.dns, three, 3);
	w_ask("c", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 2, "what is known of a server is kept when another is added");
	w_end();
}

static void test_closed_port(void)
{
	struct dns_server gone;

	w_start(silent, answer, &(struct dns_config){ .try_msec = 60000, .total_msec = 60000 });
	gone = w.one.at;
	loop_del(w.loop, &w.one.udp_watch);
	close(w.one.udp);
	w.one.udp = dup(w.two.udp);
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1), "a port where nobody listens is known at once");
	dns_servers(w.dns, &gone, 1);
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_SERVFAIL, 0), "... also when it is the only one");
	w_end();
}

static void test_all_dead(void)
{
	uint64_t start;

	w_start(silent, silent, &plain);
	start = w_now(NULL);
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_SERVFAIL, 0) && w_now(NULL) - start >= 400 && w_now(NULL) - start < 5000,
	      "a question is over in time");
	CHECK(w.one.heard >= 2 && w.two.heard >= 1 && !dns_waiting(w.dns), "... servers were asked again");
	w_send(1, true, "a", DNS_A, 0);
	w_run(2);
	CHECK(w_says(DNS_SERVFAIL, 0) && w.one.heard_tcp, "over TCP, too");
	w_end();

	w_start(late, NULL, &plain);
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.one.heard == 2, "a slow server is heard when it was asked again already");
	w_end();

	w_start(garbage, answer, &plain);
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1) && w.two.heard == 1 && dns_stats(w.dns)->bad_answers == 1,
	      "a broken answer makes the next one's turn");
	w_end();
}

static void test_merge(void)
{
	struct dns_client c = w_client(1, false);
	struct build again;

	w_start(silent, NULL, &plain);
	w_send(1, false, "a", DNS_A, 0);
	w_send(1, false, "a", DNS_A, 0);
	CHECK(dns_waiting(w.dns) == 1 && dns_stats(w.dns)->merged == 1,
	      "a client that asks again is not asked for again");
	w_send(2, false, "a", DNS_A, 0);
	w_send(1, true, "a", DNS_A, 0);
	w_send(1, false, "A", DNS_A, 0);
	w_send(1, false, "a", DNS_AAAA, 0);
	CHECK(dns_waiting(w.dns) == 5, "another client, way, case or type is another question");
	w_end();

	w_start(answer, NULL, &plain);
	w_send(1, false, "a", DNS_A, 0);
	w_send(1, false, "a", DNS_A, 0);
	bheader(&again, 0x7777, RD, "a", DNS_A);
	dns_query(w.dns, &c, again.b, again.n);
	w_run(2);
	CHECK(w_says(DNS_NOERROR, 1) && dns_get16(w.msg) == 0x7777 && w.one.heard == 1,
	      "under another id it gets both answers");
	w_ask("b", DNS_A);
	CHECK(w.answers == 3, "... and no more");
	w_end();
}

static void test_room(void)
{
	unsigned int before, i;

	w_start(silent, NULL, &(struct dns_config){ .flights = 8 });
	before = open_files();
	for (i = 0; i < 8; i++)
		w_send((uint8_t)i, false, "a", DNS_A, 0);
	CHECK(!w.answers && dns_waiting(w.dns) == 8, "eight wait");
	w_send(8, false, "a", DNS_A, 0);
	w_run(1);
	CHECK(w_says(DNS_SERVFAIL, 0) && w.client == 8 && dns_stats(w.dns)->overflow == 1, "one more fails at once");
	dns_cancel(w.dns, &(struct dns_client){ .ref = { 3 } });
	CHECK(dns_waiting(w.dns) == 7 && dns_stats(w.dns)->cancelled == 1, "a client that is gone makes room");
	w_send(9, false, "a", DNS_A, 0);
	CHECK(dns_waiting(w.dns) == 8, "... for another");
	w_run(9);
	CHECK(w.answers == 9 && !dns_waiting(w.dns) && open_files() == before,
	      "all are over in time, and nothing is left");
	w_end();
}

static void test_servers(void)
{
	w_start(silent, NULL, &(struct dns_config){ .try_msec = 60000, .total_msec = 60000 });
	w.two.behave = answer;
	w_send(1, false, "a", DNS_A, 0);
	w_send(2, true, "a", DNS_A, 0);
	dns_servers(w.dns, &w.two.at, 1);
	w_run(2);
	CHECK(w_says(DNS_NOERROR, 1) && w.two.heard == 2,
	      "what waits when the servers change is asked of the new ones");
	w.two.behave = silent;
	w_send(1, false, "a", DNS_A, 0);
	dns_servers(w.dns, &w.two.at, 1);
	CHECK(dns_waiting(w.dns) == 1 && dns_stats(w.dns)->asked == 5, "... and is left alone when they do not");
	dns_servers(w.dns, NULL, 0);
	w_run(3);
	CHECK(w_says(DNS_SERVFAIL, 0), "no server: failure");
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_SERVFAIL, 0) && !dns_waiting(w.dns), "... at once");
	dns_servers(w.dns, &w.two.at, 1);
	w.two.behave = answer;
	w_ask("a", DNS_A);
	CHECK(w_says(DNS_NOERROR, 1), "... until there is one");
	w_send(1, false, "a", DNS_A, 0);
	w_send(1, true, "a", DNS_A, 0);
	w_end();
	CHECK(true, "freed with questions on their way");
}

/* In a process that can open nothing but sockets; the servers of the test need accept4(2), too. */
static void test_confined(void)
{
	static const struct sandbox_call calls[] = {
		{ .nr = SYS_epoll_wait }, { .nr = SYS_epoll_ctl }, { .nr = SYS_recvfrom }, { .nr = SYS_sendto },
		{ .nr = SYS_close }, { .nr = SYS_getrandom }, { .nr = SYS_timerfd_settime }, { .nr = SYS_read },
		{ .nr = SYS_socket, .arg = 0, .mask = 0xffffffff, .value = AF_INET },
		{ .nr = SYS_socket, .arg = 0, .mask = 0xffffffff, .value = AF_INET6 },
		{ .nr = SYS_connect }, { .nr = SYS_getsockopt }, { .nr = SYS_accept4 }, { .nr = SYS_clock_gettime },
		{ .nr = SYS_mmap }, { .nr = SYS_munmap }, { .nr = SYS_brk }, { .nr = SYS_exit_group },
	};
	int status;

	fflush(stdout);
	if (fork() == 0) {
		bool ok;

		w_start(silent, answer, &plain);
		if (sandbox_calls(calls, ARRAY_SIZE(calls)) || open("/dev/null", O_RDONLY) >= 0)
			_exit(2);
		w_ask("a", DNS_A);
		ok = w_says(DNS_NOERROR, 1);
		w_send(1, true, "a", DNS_A, 0);
		w_run(2);
		_exit(!ok || !w_says(DNS_NOERROR, 1) || !w.two.heard_tcp);
	}
	wait(&status);
	CHECK(status == 0, "all this works in a process that can open no file");
}

int main(void)
{
	alarm(60);
	test_dead_first();
	test_finding_out();
	test_closed_port();
	test_all_dead();
	test_merge();
	test_room();
	test_servers();
	test_confined();
	return tap_done();
}

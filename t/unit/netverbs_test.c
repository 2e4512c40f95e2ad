// SPDX-License-Identifier: ISC
/* netverbs_test.c - what vm-net's control socket answers, verb by verb, with a network behind it. */
#include "netverbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "msg.h"
#include "netctl.h"
#include "net_stack.h"
#include "router.h"

/* make_world() wants them; its own stack and filter have nothing to do. */
static const struct filter_ops none = { .output = guest_hears, .dns = on_query };

static struct router *r;
static struct msg m;

/* Ask in words, ended by NULL, with a descriptor (consumed) or -1. The answer is in m. Return: what to serve from now on. */
static int ask(bool shared, int fd, const char *const words[])
{
	struct msg req;
	int served;

	msg_drop(&m);
	msg_init(&req);
	for (; *words; words++)
		msg_add(&req, *words);
	if (fd >= 0)
		msg_add_fd(&req, &fd);
	served = netverb_run(r, shared, &req, &m);
	msg_drop(&req);
	return served;
}

#define ASK(...) ask(false, -1, (const char *const[]){ __VA_ARGS__, NULL })

static bool refused(const char *err)
{
	return m.words == 3 && !strcmp(m.word[0], "error") && !strcmp(m.word[1], err) && *m.word[2] && !m.fds;
}

static bool ok(int words)
{
	return m.words == words && !strcmp(m.word[0], "ok") && !m.overflow;
}

/* A word of the answer. */
static bool told(const char *word)
{
	int i;

	for (i = 1; i < m.words; i++)
		if (!strcmp(m.word[i], word))
			return true;
	return false;
}

static int file(const char *text)
{
	int fd = memfd_create("policy", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		_exit(1);
	return fd;
}

static void test_nonsense(void)
{
	msg_drop(&m);
	netverb_run(r, false, NULL, &m);
	CHECK(refused("EBADMSG"), "a packet that means nothing");
	ASK("dance");
	CHECK(refused("EOPNOTSUPP"), "a verb that there is not");
	ASK("status", "now");
	CHECK(refused("EINVAL"), "too many words");
	ASK("forward");
	CHECK(refused("EINVAL"), "too few");
	ASK("policy");
	CHECK(refused("EINVAL"), "a descriptor is missing");
	ask(false, open("/dev/null", O_RDONLY | O_CLOEXEC), (const char *const[]){ "status", NULL });
	CHECK(refused("EINVAL"), "or was not asked for");
}

static void test_frames(void)
{
	int fd;

	ASK("guests");
	CHECK(ok(1), "no guests yet");
	ASK("status");
	CHECK(m.words > 10 && told("guest=down") && told("addr=10.0.2.15/24") && told("addr6=fd00::f/64") && told("flows=0"), "status");
	ASK("frames");
	CHECK(m.words == 7 && m.fds == 1 && told("mtu=65520") && told("addr=10.0.2.15/24") && told("gateway=10.0.2.2") &&
	      told("gateway6=fd00::2") && told("dns=10.0.2.3,fd00::3"), "frames");
	fd = msg_take_fd(&m, 0);
	ASK("frames");
	CHECK(refused("EBUSY"), "a second taker");
	ASK("status");
	CHECK(told("guest=up"), "the guest is there");
	ASK("guests");
	CHECK(ok(2) && !strncmp(m.word[1], "name=,addr=10.0.2.15,addr6=fd00::f,mac=", 38), "and listed");
	ASK("guests", "1");
	CHECK(ok(1), "... from the second on, of which there is none");
	ASK("guests", "x");
	CHECK(refused("EINVAL"), "... from a number on");
	close(fd);
}

static void test_policy(void)
{
	ask(false, file("default deny\n"), (const char *const[]){ "policy", NULL });
	CHECK(ok(2) && told("ended=0"), "another policy");
	ask(false, file("default deny\n"), (const char *const[]){ "policy", "live", NULL });
	CHECK(ok(2), "... for what is under way, too");
	ask(false, file("default deny\n"), (const char *const[]){ "policy", "dead", NULL });
	CHECK(refused("EINVAL"), "... or what?");
	ask(false, file("allow tcp\n"), (const char *const[]){ "policy", NULL });
	CHECK(refused("EINVAL") && strstr(m.word[2], "policy:1"), "one with an error is told with its line");
}

static void test_forwards(void)
{
	ASK("forward", "list");
	CHECK(ok(1), "no forwards");
	ASK("forward", "add", "127.0.0.1:8001:80");
	CHECK(ok(2) && told("127.0.0.1:8001:80/tcp"), "one");
	ASK("forward", "add", "127.0.0.1:8001:81");
	CHECK(m.words == 3 && !strcmp(m.word[0], "error"), "its port is taken");
	ASK("forward", "list");
	CHECK(ok(2) && told("127.0.0.1:8001:80/tcp"), "listed");
	ASK("forward", "list", "1");
	CHECK(ok(1), "... from the second on");
	ASK("forward", "list", "-1");
	CHECK(refused("EINVAL"), "... from a number on");
	ASK("forward", "add", "127.0.0.1:9000-9099:9000-9099");
	ASK("forward", "del", "127.0.0.1:8001:80");
	CHECK(ok(1), "taken away");
	ASK("forward", "del", "127.0.0.1:8001:80");
	CHECK(refused("ENOENT"), "once");
	ASK("forward", "add");
	CHECK(refused("EINVAL"), "add what");
	ASK("forward", "mend", "1:1");
	CHECK(refused("EINVAL"), "a word that there is not");
	ASK("forward", "add", "x");
	CHECK(refused("EINVAL"), "what is no forward");
}

static void test_many(void)
{
	char spec[64];
	int i, count = 0, packets = 0;
	char skip[32] = "0";

	for (i = 0; i < 200; i++) {
		snprintf(spec, sizeof(spec), "127.0.0.1:%d:%d", 10000 + 2 * i, 80 + i);
		ASK("forward", "add", spec);
	}
	do {
		ASK("forward", "list", skip);
		*skip = 0;
		for (i = 1; i < m.words; i++)
			if (!strncmp(m.word[i], "more=", 5))
				snprintf(skip, sizeof(skip), "%s", m.word[i] + 5);
			else
				count++;
	} while (packets++ < 10 && *skip);
	CHECK(count == 201 && packets > 1 && packets < 10, "a long list is told in several packets, each forward once");
}

static void test_shared(void)
{
	char c;
	int served, fd;

	ask(true, -1, (const char *const[]){ "status", NULL });
	CHECK(refused("EPERM"), "where others could take the answer, most is refused");
	served = ask(true, -1, (const char *const[]){ "dial", NULL });
	CHECK(ok(1) && m.fds == 1 && served >= 0, "but for a connection of one's own");
	fd = msg_take_fd(&m, 0);
	CHECK(send(fd, "x", 1, 0) == 1 && recv(served, &c, 1, MSG_DONTWAIT) == 1 && c == 'x', "... which is one");
	close(fd);
	close(served);
}

/* All that is told, in this order, whatever there was. */
static void test_status(void)
{
	static const char *const keys[] = {
		"guest", "mtu", "addr", "gateway", "addr6", "gateway6", "dns", "frames_in", "bytes_in", "frames_out", "bytes_out",
		"frames_out_dropped", "flows", "flows_opened", "flows_refused", "names", "names_refused", "dns_queries",
		"dns_answered", "dns_refused", "dns_failed", "dns_overflow", "dns_tcp_refused", "nat_refused", "held_refused",
		"redirects", "redirects_refused", "redirects_failed", "forwards_refused", "questions_refused",
		"control_refused", "pcap_frames", "pcap_dropped", "log_lines", "log_dropped",
	};
	bool all = true;
	size_t i;

	ASK("status");
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *word = (int)i + 1 < m.words ? m.word[i + 1] : "";

		if (strncmp(word, keys[i], strlen(keys[i])) || word[strlen(keys[i])] != '=') {
			printf("# %s in the place of %s\n", word, keys[i]);
			all = false;
		}
	}
	CHECK(all, "status: every word of it");
	for (; (int)i + 1 < m.words; i++)
		all = all && (!strncmp(m.word[i + 1], "guest_", 6) || !strncmp(m.word[i + 1], "stack_", 6));
	CHECK(all, "... and then drops alone");
}

static void test_figures(void)
{
	struct filter *f = &r->member[0]->filter;
	struct netctl ctl;
	int i, err = 0, pair[2];

	netctl_init(&ctl, r);
	for (i = 0; i <= NETCTL_CONNS && !err && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); i++) {
		err = netctl_adopt(&ctl, &pair[0]);
		close(pair[1]);
	}
	netctl_free(&ctl);
	f->flows.refused = 2;
	f->nat.refused = 3;
	f->hold.ended[HOLD_FULL] = 4;
	r->questions_refused = 5;
	r->pcap.frames = 6;
	r->pcap.dropped = 7;
	ASK("status");
	CHECK(i == NETCTL_CONNS + 1 && err == -EMFILE && told("control_refused=1"), "a connection too many is refused and counted");
	CHECK(told("flows_refused=2") && told("nat_refused=3") && told("held_refused=4") && told("questions_refused=5") &&
	      told("pcap_frames=6") && told("pcap_dropped=7"), "what found no room is told");
	memset(f->guest, 0xff, sizeof(f->guest));
	memset(f->stack, 0xff, sizeof(f->stack));
	f->flows.refused = f->nat.refused = r->questions_refused = r->pcap.dropped = UINT64_MAX;
	ASK("status");
	CHECK(ok(m.words) && m.len < MSG_SIZE - 512, "a guest that was dropped for every reason makes it no longer than a packet");
}

int main(void)
{
	struct policy *policy = policy_open();

	if (!make_world(&none)) {
		CHECK(true, "verbs in a network of its own # skip no user and network namespaces, or no ip(8)");
		return tap_done();
	}
	r = router_new(n.loop, &n.s, policy, false);
	if (!r)
		return 1;
	msg_init(&m);
	test_nonsense();
	test_frames();
	test_policy();
	test_forwards();
	test_many();
	test_shared();
	test_status();
	test_figures();
	msg_drop(&m);
	router_free(r);
	policy_unref(policy);
	end_world();
	return tap_done();
}

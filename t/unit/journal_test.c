// SPDX-License-Identifier: ISC
/* journal_test.c - the log's lines, and a reader that does not keep up. */
#include "journal.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"
#include "util.h"

static struct journal j;
static int out = -1;
static char text[1 << 20];

static void begin(void)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0 || journal_open(&j, p[1]))
		_exit(1);
	close(p[1]);
	out = p[0];
}

/* What was written, without the times, which are 24 characters. */
static const char *written(void)
{
	ssize_t n = read(out, text, sizeof(text) - 1);
	char *at = text;

	text[MAX(n, 0)] = 0;
	while ((at = strstr(at, "\"time\":\""))) {
		at += strlen("\"time\":\"");
		if (at[24] == '"')
			memmove(at, at + 24, strlen(at + 24) + 1);
	}
	return text;
}

static bool wrote(const char *want)
{
	journal_flush(&j);
	if (!strcmp(written(), want))
		return true;
	printf("# %s", text);
	return false;
}

static struct flow_key key(const char *guest, const char *remote, uint8_t proto)
{
	struct flow_key k = { .guest_port = 4000, .remote_port = 80, .proto = proto };

	if (addr_parse(guest, &k.guest) || addr_parse(remote, &k.remote))
		_exit(1);
	return k;
}

static void test_lines(void)
{
	struct flow_key tcp = key("10.0.2.15", "192.0.2.1", PKT_PROTO_TCP), echo = key("fd00::f", "2001:db8::1", PKT_PROTO_ICMP6);
	struct policy_verdict v = { .allow = true, .line = 3, .log_line = 2, .name = "www.example" };
	static const struct policy_target target;
	struct flow f = { .key = tcp, .start = 1000, .sent.bytes = 10, .received.bytes = 20, .verdict.rule = 3 };

	begin();
	CHECK(journal_wanted(&j), "somebody wants to know");
	journal_flow(&j, &tcp, &v);
	CHECK(read(out, text, 1) < 0, "lines are gathered");
	CHECK(wrote("{\"time\":\"\",\"event\":\"flow\",\"verdict\":\"allow\",\"line\":3,\"log_line\":2,\"name\":\"www.example\",\"proto\":\"tcp\","
		    "\"guest\":\"10.0.2.15\",\"guest_port\":4000,\"addr\":\"192.0.2.1\",\"port\":80}\n"), "a flow");
	journal_flow(&j, &echo, &(struct policy_verdict){ .protected = true });
	CHECK(wrote("{\"time\":\"\",\"event\":\"flow\",\"verdict\":\"deny\",\"protected\":true,\"proto\":\"icmp\",\"guest\":\"fd00::f\","
		    "\"addr\":\"2001:db8::1\"}\n"), "a protected one, without ports");
	v = (struct policy_verdict){ .allow = true, .line = 1, .redirect = &target };
	journal_name(&j, "a\"b", &v);
	CHECK(wrote("{\"time\":\"\",\"event\":\"name\",\"verdict\":\"redirect\",\"line\":1,\"name\":\"a\\\"b\"}\n"), "a name, quoted");
	journal_end(&j, &f, "www.example", FLOW_END_CLOSED, 2500);
	CHECK(wrote("{\"time\":\"\",\"event\":\"end\",\"end\":\"closed\",\"line\":3,\"name\":\"www.example\",\"proto\":\"tcp\",\"guest\":\"10.0.2.15\","
		    "\"guest_port\":4000,\"addr\":\"192.0.2.1\",\"port\":80,\"sent\":10,\"received\":20,\"seconds\":1.500}\n"), "an end");
	f.inbound = true;
	journal_end(&j, &f, "", FLOW_END_RESET, 1000);
	journal_flush(&j);
	CHECK(strstr(written(), "\"end\":\"reset\",\"forward\":true,\"proto\"") && j.lines == 5 && !j.dropped, "a forward's");
	journal_close(&j);
	close(out);
}

static void test_slow_reader(void)
{
	struct flow_key tcp = key("10.0.2.15", "192.0.2.1", PKT_PROTO_TCP);
	struct policy_verdict v = { 0 };
	uint64_t lines = 0;
	const char *at;
	int i;

	begin();
	for (i = 0; i < 5000; i++)
		journal_flow(&j, &tcp, &v);
	CHECK(j.dropped > 0 && j.lines + j.dropped == 5000, "a reader that does not keep up costs lines, which are counted");
	for (i = 0; i < 100 && j.len; i++) {
		journal_flush(&j);
		for (at = written(); (at = strchr(at, '\n')); at++)
			lines++;
	}
	for (at = written(); (at = strchr(at, '\n')); at++)
		lines++;
	CHECK(lines == j.lines, "the others are there");
	close(out);
	journal_flow(&j, &tcp, &v);
	journal_flush(&j);
	CHECK(!journal_wanted(&j) && !j.len, "one that is gone ends it");
	journal_flow(&j, &tcp, &v);
	journal_close(&j);
	CHECK(!j.len, "... without harm");
}

int main(void)
{
	struct flow_key tcp = key("10.0.2.15", "192.0.2.1", PKT_PROTO_TCP);

	signal(SIGPIPE, SIG_IGN);
	CHECK(!journal_open(&j, -1) && !journal_wanted(&j), "nobody wants to know");
	journal_flow(&j, &tcp, &(struct policy_verdict){ 0 });
	CHECK(!j.lines && !j.len, "... and nothing is kept");
	test_lines();
	test_slow_reader();
	return tap_done();
}

// SPDX-License-Identifier: ISC
/* policy_parse_test.c - what is no policy, and how that is said. */
#include "policy_world.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define TARGETS "expected unix:/PATH, ADDRESS:PORT or [IPV6]:PORT"
#define DESTS "expected an address, ADDRESS/BITS, FIRST-LAST, a name, *.NAME, host or *"
#define PREFIX "is no prefix; expected ADDRESS/BITS, at most 32 bits, of IPv6 128, and none of the address beyond them"
#define RANGE "is no range; expected two addresses of one family, the lower one first"
#define PORT "is no port; expected 1 to 65535, P-P, or a list of these with commas"
#define PATH100 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct { const char *text, *error; } bad[] = {
	{ "permit tcp *", "p:1: 'permit' is no action; expected allow, deny, log, redirect or default" },
	{ "\n# c\nAllow tcp *", "p:3: 'Allow' is no action; expected allow, deny, log, redirect or default" },
	{ "allow", "p:1: the line ends too early; expected tcp, udp, icmp, dns or any" },
	{ "allow sctp *", "p:1: 'sctp' is no protocol; expected tcp, udp, icmp, dns or any" },
	{ "allow tcp", "p:1: the line ends too early; " DESTS },
	{ "allow tcp # *", "p:1: the line ends too early; " DESTS },
	{ "allow tcp 10.0.0.256", "p:1: '10.0.0.256' is no destination; " DESTS },
	{ "allow tcp 10.0.0", "p:1: '10.0.0' is no destination; " DESTS },
	{ "allow tcp 0x7f.1", "p:1: '0x7f.1' is no destination; " DESTS },
	{ "allow tcp 127.0.0.0x1", "p:1: '127.0.0.0x1' is no destination; " DESTS },
	{ "allow tcp 2130706433", "p:1: '2130706433' is no destination; " DESTS },
	{ "allow tcp 1:2", "p:1: '1:2' is no destination; " DESTS },
	{ "allow tcp fe80::1%eth0", "p:1: 'fe80::1%eth0' is no destination; " DESTS },
	{ "allow tcp a..example", "p:1: 'a..example' is no destination; " DESTS },
	{ "allow tcp .example", "p:1: '.example' is no destination; " DESTS },
	{ "allow tcp a.*.example", "p:1: 'a.*.example' is no destination; " DESTS },
	{ "allow tcp *example", "p:1: '*example' is no destination; " DESTS },
	{ "allow tcp *.", "p:1: '*.' is no destination; " DESTS },
	{ "allow tcp *.*", "p:1: '*.*' is no destination; " DESTS },
	{ "allow tcp https://a.example", "p:1: 'https://a.example' is no destination; " DESTS },
	{ "allow tcp a.example:443", "p:1: 'a.example:443' is no destination; " DESTS },
	{ "allow tcp b\xc3\xbc.example", "p:1: 'b??.example' is no destination; " DESTS },
	{ "allow tcp " LABEL63 "x.example", "p:1: '" LABEL63 "x.example' is no destination; " DESTS },
	{ "allow tcp a\033[2J", "p:1: 'a?[2J' is no destination; " DESTS },
	{ "allow tcp 10.0.0.0/33", "p:1: '10.0.0.0/33' " PREFIX },
	{ "allow tcp 10.0.0.1/8", "p:1: '10.0.0.1/8' " PREFIX },
	{ "allow tcp 10.0.0.0/", "p:1: '10.0.0.0/' " PREFIX },
	{ "allow tcp 10.0.0.0/-1", "p:1: '10.0.0.0/-1' " PREFIX },
	{ "allow tcp 10.0.0.0/255.0.0.0", "p:1: '10.0.0.0/255.0.0.0' " PREFIX },
	{ "allow tcp ::/129", "p:1: '::/129' " PREFIX },
	{ "allow tcp 10.0.0.2-10.0.0.1", "p:1: '10.0.0.2-10.0.0.1' " RANGE },
	{ "allow tcp 10.0.0.2-9", "p:1: '10.0.0.2-9' " RANGE },
	{ "allow tcp 10.0.0.2-::1", "p:1: '10.0.0.2-::1' " RANGE },
	{ "allow tcp ::1-10.0.0.2", "p:1: '::1-10.0.0.2' " RANGE },
	{ "allow tcp 10.0.0.2-", "p:1: '10.0.0.2-' " RANGE },
	{ "allow tcp a.example,", "p:1: 'a.example,' has an empty place; expected a list with commas and without blanks" },
	{ "allow tcp a.example, b.example", "p:1: 'a.example,' has an empty place; expected a list with commas and without blanks" },
	{ "allow tcp ,a.example", "p:1: ',a.example' has an empty place; expected a list with commas and without blanks" },
	{ "allow tcp a.example,b..c", "p:1: 'b..c' is no destination; " DESTS },
	{ "allow tcp a.example b.example", "p:1: 'b.example' is too much; expected the end of the line" },
	{ "allow dns 192.0.2.1", "p:1: '192.0.2.1' cannot be resolved; expected a name, *.NAME or * in a rule for dns" },
	{ "deny dns a.example,host", "p:1: 'host' cannot be resolved; expected a name, *.NAME or * in a rule for dns" },
	{ "allow icmp * port 1", "p:1: 'port' needs a protocol that has ports; expected tcp, udp or any" },
	{ "allow dns * port 53", "p:1: 'port' needs a protocol that has ports; expected tcp, udp or any" },
	{ "allow tcp * port", "p:1: the line ends too early; expected a port, P-P, or a list of these with commas" },
	{ "allow tcp * port 0", "p:1: '0' " PORT },
	{ "allow tcp * port 65536", "p:1: '65536' " PORT },
	{ "allow tcp * port 99999999999999999999", "p:1: '99999999999999999999' " PORT },
	{ "allow tcp * port http", "p:1: 'http' " PORT },
	{ "allow tcp * port 90-80", "p:1: '90-80' " PORT },
	{ "allow tcp * port -80", "p:1: '-80' " PORT },
	{ "allow tcp * port 80-", "p:1: '80-' " PORT },
	{ "allow tcp * port 80,", "p:1: '' " PORT },
	{ "allow tcp * port 80,x", "p:1: 'x' " PORT },
	{ "allow tcp * port 80 443", "p:1: '443' is too much; expected the end of the line" },
	{ "allow udp a.example sni", "p:1: 'sni' is not for this rule; expected it after allow tcp" },
	{ "allow any a.example sni", "p:1: 'sni' is not for this rule; expected it after allow tcp" },
	{ "deny tcp a.example sni", "p:1: 'sni' is not for this rule; expected it after allow tcp" },
	{ "allow tcp a.example,192.0.2.1 sni", "p:1: 'sni' needs something to compare with; expected names and nothing else before it" },
	{ "allow tcp * sni", "p:1: 'sni' needs something to compare with; expected names and nothing else before it" },
	{ "allow tcp a.example sni sni", "p:1: 'sni' is too much; expected the end of the line" },
	{ "allow tcp a.example sni port 443", "p:1: 'port' is too much; expected the end of the line" },
	{ "redirect", "p:1: the line ends too early; expected tcp" },
	{ "redirect udp * port 1 to unix:/s", "p:1: 'udp' cannot be redirected; expected tcp" },
	{ "redirect tcp *", "p:1: the line ends too early; expected port P" },
	{ "redirect tcp * to unix:/s", "p:1: 'to' is not the port; expected port P" },
	{ "redirect tcp * port 1", "p:1: the line ends too early; expected to TARGET" },
	{ "redirect tcp * port 1 unix:/s", "p:1: 'unix:/s' is in the place of to; expected to TARGET" },
	{ "redirect tcp * port 1 to", "p:1: the line ends too early; " TARGETS },
	{ "redirect tcp * port 1 to a.example:80", "p:1: 'a.example:80' is no target; " TARGETS },
	{ "redirect tcp * port 1 to 192.0.2.1", "p:1: '192.0.2.1' is no target; " TARGETS },
	{ "redirect tcp * port 1 to 192.0.2.1:", "p:1: '192.0.2.1:' is no target; " TARGETS },
	{ "redirect tcp * port 1 to 192.0.2.1:0", "p:1: '192.0.2.1:0' is no target; " TARGETS },
	{ "redirect tcp * port 1 to ::1:80", "p:1: '::1:80' is no target; " TARGETS },
	{ "redirect tcp * port 1 to [::1]", "p:1: '[::1]' is no target; " TARGETS },
	{ "redirect tcp * port 1 to [::1:80", "p:1: '[::1:80' is no target; " TARGETS },
	{ "redirect tcp * port 1 to [192.0.2.1]:80", "p:1: '[192.0.2.1]:80' is no target; " TARGETS },
	{ "redirect tcp * port 1 to []:80", "p:1: '[]:80' is no target; " TARGETS },
	{ "redirect tcp * port 1 to :80", "p:1: ':80' is no target; " TARGETS },
	{ "redirect tcp * port 1 to [:80", "p:1: '[:80' is no target; " TARGETS },
	{ "redirect tcp * port 1 to unix:", "p:1: 'unix:' is no target; expected a path from / on after unix:" },
	{ "redirect tcp * port 1 to unix:s", "p:1: 'unix:s' is no target; expected a path from / on after unix:" },
	{ "redirect tcp * port 1 to unix:" PATH100 "bcdefghi", "p:1: 'unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaa...' is no target; expected a path of at most 107 bytes" },
	{ "redirect tcp * port 1 to unix:/s proxy-v1", "p:1: 'proxy-v1' is too much; expected the end of the line" },
	{ "redirect tcp * port 1 to unix:/s proxy-v2 x", "p:1: 'x' is too much; expected the end of the line" },
	{ "default", "p:1: the line ends too early; expected default allow or default deny" },
	{ "default permit", "p:1: 'permit' is no default; expected default allow or default deny" },
	{ "default deny now", "p:1: 'now' is too much; expected the end of the line" },
	{ "default deny\ndefault deny", "p:2: 'default' comes after the default; expected default once, as the last line" },
	{ "default deny\n\nallow tcp *", "p:3: 'allow' comes after the default; expected default once, as the last line" },
};

static const char *const good[] = {
	"", "\n\n", "# only this", "allow tcp a-b.example,_x._tcp.example", "allow tcp xn--bcher-kva.example", "allow tcp 1.example",
	"allow tcp dead-beef.example,ab-1.example", "allow tcp localhost", "allow tcp " LABEL63 ".example", "deny any *,host,a.example",
	"redirect tcp * port 1,2-3 to unix:" PATH100 "bcdefg", "redirect tcp * port 1 to unix:/a#b proxy-v2",
	"default deny # and nothing more\n\n# really\n", "allow tcp ::ffff:10.0.0.0/104", "allow tcp 10.0.0.1-10.0.0.1",
	"# c\r\n\r\nallow tcp *\r\nallow tcp a.example sni\r\n",
};

static void test_texts(void)
{
	char error[POLICY_ERROR] = "";
	bool taken = true;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct policy *p = policy(bad[i].text, error);

		CHECK(!p && !strcmp(error, bad[i].error), bad[i].error);
		if (p || strcmp(error, bad[i].error) != 0)
			printf("# %s\n", p ? "taken" : error);
		policy_unref(p);
	}
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct policy *p = policy(good[i], error);

		if (!p)
			printf("# %s\n", error);
		taken &= p != NULL;
		policy_unref(p);
	}
	CHECK(taken, "what is a policy is taken");
}

static void test_limits(void)
{
	char error[POLICY_ERROR], nul[] = "allow tcp *\nallow tcp a\0b", *text = malloc(20 * 16385 + 1), path[600];
	struct policy *p = NULL;
	unsigned int i;

	CHECK(policy_parse(nul, sizeof(nul) - 1, "p", &p, error) == -EINVAL &&
	      !strcmp(error, "p:2: 'allow tcp a' is followed by a NUL; expected text"), "a NUL is no text");
	for (i = 0; i < 16385; i++)
		strcpy(text + 12 * i, "allow tcp *\n");
	p = policy(text, error);
	CHECK(!p && !strcmp(error, "p:16385: 'allow' is one rule too many; expected at most 16384, with lists where there are more"),
	      "rules are counted");
	text[12 * 16384] = '\0';
	p = policy(text, error);
	CHECK(p, "... so many are taken");
	policy_unref(p);
	free(text);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	text = strdup("x");
	CHECK(policy_parse(text, 1, path, &p, error) == -EINVAL && strstr(error, "or default"), "a long path leaves room for the error");
	free(text);
}

/* A file of ours with this in it. */
static int file(const char *text, size_t size)
{
	int fd = memfd_create("policy", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || (size && ftruncate(fd, (off_t)size) < 0) || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

static void test_files(void)
{
	char error[POLICY_ERROR] = "", comment[] = "# long\n";
	struct policy *p = NULL;
	int fd = file("allow tcp 192.0.2.1\ndefault deny", 0), fds[2], i;

	CHECK(!policy_read(fd, "p", &p, error) && p, "a file is read");
	policy_unref(p);
	close(fd);
	fd = file("allow", 0);
	CHECK(policy_read(fd, "dir/p", &p, error) == -EINVAL && !strncmp(error, "dir/p:1: ", 9), "... and its errors have its name");
	close(fd);
	fd = file("", POLICY_BYTES + 1);
	CHECK(policy_read(fd, "p", &p, error) == -EFBIG && !strcmp(error, "p: larger than a policy may be; expected at most 1 MiB"),
	      "a large one is refused");
	close(fd);
	fd = file("", 0);
	for (i = 0; i < POLICY_BYTES / 8; i++)
		if (write(fd, "# abcde\n", 8) != 8)
			abort();
	lseek(fd, 0, SEEK_SET);
	CHECK(!policy_read(fd, "p", &p, error), "... one that is just as large is not");
	policy_unref(p);
	close(fd);
	CHECK(policy_read(-1, "p", &p, error) == -EBADF && !strncmp(error, "p: ", 3), "one that cannot be read");
	if (pipe(fds) < 0 || write(fds[1], comment, strlen(comment)) < 0)
		abort();
	close(fds[1]);
	CHECK(!policy_read(fds[0], "p", &p, error), "a pipe is as good");
	policy_unref(p);
	close(fds[0]);
}

/* Every display in the manual's examples is a policy. */
static void test_manual(void)
{
	FILE *page = fopen("man/vm-policy.5", "re");
	char line[200], text[2000] = "", error[POLICY_ERROR] = "";
	bool examples = false, display = false, all = true;
	unsigned int n = 0;

	if (!page) {
		printf("ok %u - the manual's examples # skip not run where man is\n", ++tap_tests);
		return;
	}
	while (fgets(line, sizeof(line), page)) {
		examples |= !strcmp(line, ".Sh EXAMPLES\n");
		if (examples && !strncmp(line, ".Bd", 3)) {
			display = true;
			*text = '\0';
		} else if (display && !strcmp(line, ".Ed\n")) {
			struct policy *p = policy(text, error);

			if (!p)
				printf("# %s\n", error);
			all &= p != NULL;
			display = false;
			n++;
			policy_unref(p);
		} else if (display && strlen(text) + strlen(line) < sizeof(text)) {
			strcat(text, line);
		}
	}
	fclose(page);
	CHECK(all && n >= 5, "the manual's examples are policies");
}

int main(void)
{
	test_texts();
	test_limits();
	test_files();
	test_manual();
	return tap_done();
}

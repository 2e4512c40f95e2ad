// SPDX-License-Identifier: ISC
/* agent_test.c - the parsers of vm-agent: kernel command line, module list, list of mounts. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"
#include "util.h"

static unsigned int tests, failures;

static void check(bool ok, const char *name)
{
	tests++;
	failures += !ok;
	printf("%s %u - %s\n", ok ? "ok" : "not ok", tests, name);
}

struct name_case {
	const char *text;
	const char *name;	/* NULL: none */
};

static void check_names(const struct name_case *c, size_t n, const char *what,
			bool (*parse)(const char *, char *, size_t))
{
	char label[160], name[32];
	bool found;
	size_t i;

	for (i = 0; i < n; i++) {
		found = parse(c[i].text, name, sizeof(name));
		snprintf(label, sizeof(label), "%s: %.40s", what, c[i].text);
		label[strcspn(label, "\n")] = '\0';
		check(found == (c[i].name != NULL) && (!found || strcmp(name, c[i].name) == 0),
		      label);
	}
}

static void test_console(void)
{
	static const struct name_case cases[] = {
		{ "console=ttyS0 quiet panic=-1\n", "ttyS0" },
		{ "console=ttyS0 console=hvc0", "hvc0" },
		{ "console=hvc0 console=ttyS1,115200n8 quiet", "ttyS1" },
		{ "earlycon=uart8250,io,0x3f8 console=hvc0", "hvc0" },
		{ "netconsole=@/eth0,@10.0.0.1/ earlyconsole=x", NULL },
		{ "", NULL },
		{ " \n", NULL },
		{ "quiet", NULL },
		{ "console", NULL },
		{ "console=", NULL },
		{ "console=hvc0 console=", NULL },
		{ "console=null", NULL },
		{ "console=uart8250,io,0x3f8,9600", NULL },
		{ "console=1,9600", "ttyS1" },
		{ "console=,9600", NULL },
		{ "console=../../etc/passwd", NULL },
		{ "console=pts/0", NULL },
		{ "console=DEVNAME:0.0,115200", NULL },
		{ "console=hvc0 -- console=ttyS0", "hvc0" },
		{ "x=\"console=ttyS0\" console=hvc0 y=\"a console=ttyS1 b\"", "hvc0" },
		{ "console=ttyAMA0\tconsole=ttyMSM_1-2", "ttyMSM_1-2" },
		{ "x=\"never closed console=ttyS0", NULL },
		{ "console=tty\xff", NULL },
		{ "console=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ "console=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	check_names(cases, ARRAY_SIZE(cases), "command line", parse_console);
}

static void test_active(void)
{
	static const struct name_case cases[] = {
		{ "ttyS0\n", "ttyS0" },
		{ "tty0 ttyS0\n", "ttyS0" },
		{ "", NULL },
		{ "\n", NULL },
		{ "hvc0", "hvc0" },
	};

	check_names(cases, ARRAY_SIZE(cases), "active", parse_active);
}

static void test_modules(void)
{
	char list[] = "/lib/a.ko\n\n# no\n  /lib/b.ko.xz  x=1 y=\"2 3\" \r\n\t\n"
		      "virtio:d1v* \tvirtio:d2v*  /lib/c.ko z=/d\nvirtio:d3v*\n/lib/e.ko";
	struct parsed_module m;
	char *text = list;

	check(parse_module(&text, &m) && strcmp(m.path, "/lib/a.ko") == 0 && !*m.params && !*m.patterns,
	      "module list: plain path");
	check(parse_module(&text, &m) && strcmp(m.path, "/lib/b.ko.xz") == 0 && !*m.patterns &&
	      strcmp(m.params, "x=1 y=\"2 3\"") == 0, "module list: parameters, blanks around");
	check(parse_module(&text, &m) && strcmp(m.path, "/lib/c.ko") == 0 &&
	      strcmp(m.params, "z=/d") == 0, "module list: patterns in front");
	check(strcmp(parse_word(&m.patterns), "virtio:d1v*") == 0 &&
	      strcmp(parse_word(&m.patterns), "virtio:d2v*") == 0 && !*parse_word(&m.patterns),
	      "module list: the patterns, one after the other");
	check(parse_module(&text, &m) && strcmp(m.patterns, "virtio:d3v*") == 0 && !*m.path && !*m.params,
	      "module list: a pattern without a path");
	check(parse_module(&text, &m) && strcmp(m.path, "/lib/e.ko") == 0 && !*m.params && !*m.patterns,
	      "module list: last line without newline");
	check(!parse_module(&text, &m), "module list: end");
	check(!parse_module(&text, &m), "module list: end again");
}

static void test_aliases(void)
{
	static const char net[] = "virtio:d00000001v00001AF4";

	check(parse_matches("virtio:d00000001v*", net), "alias: any end");
	check(parse_matches("virtio:d*v*", net) && parse_matches("*", net) &&
	      parse_matches(net, net), "alias: more stars, one, none");
	check(parse_matches("*1*1A*4*", net) && parse_matches("**", ""), "alias: the star takes more");
	check(!parse_matches("virtio:d00000002v*", net), "alias: another device");
	check(!parse_matches("virtio:d00000001", net) && !parse_matches("", net) &&
	      !parse_matches("virtio:d00000001v00001AF4x*", net), "alias: too short, too long");
	check(!parse_matches("*1AF5", net) && !parse_matches("*v00001AF", net), "alias: wrong end");
}

static void test_mounts(void)
{
	char list[] = "rootfs / rootfs rw 0 0\nshort line\n"
		      "host /mnt/a\\040b\\134c virtiofs rw 0 0\n/dev/vda /x\\9\\04 ext4 rw 0 0";
	char *text = list, *dir, *type;

	check(parse_mount(&text, &dir, &type) && strcmp(dir, "/") == 0 &&
	      strcmp(type, "rootfs") == 0, "mounts: root");
	check(parse_mount(&text, &dir, &type) && strcmp(dir, "/mnt/a b\\c") == 0 &&
	      strcmp(type, "virtiofs") == 0, "mounts: escapes undone, short line skipped");
	check(parse_mount(&text, &dir, &type) && strcmp(dir, "/x\\9\\04") == 0 &&
	      strcmp(type, "ext4") == 0, "mounts: what is no escape stays");
	check(!parse_mount(&text, &dir, &type), "mounts: end");
}

int main(void)
{
	test_console();
	test_active();
	test_modules();
	test_aliases();
	test_mounts();
	printf("1..%u\n", tests);
	return failures != 0;
}

// SPDX-License-Identifier: ISC
/* netopts.c - what vm-net's command line asks for. */
#include "netopts.h"

#include <errno.h>
#include <fcntl.h>

#include "dnsname.h"
#include "fwdspec.h"
#include "log.h"
#include "opts.h"
#include "util.h"

enum {
	OPT_SUBNET = OPT_LONG,
	OPT_SUBNET6,
	OPT_MTU,
	OPT_RATE_LIMIT,
	OPT_DOMAIN,
	OPT_DNS,
	OPT_HOST,
	OPT_MAP_HOST,
	OPT_FRAMES,
	OPT_SWITCH,
	OPT_LOG,
	OPT_PCAP,
	OPT_CHECK,
	OPT_READY_FD,
	OPT_NO_SANDBOX,
};

static const struct opt table[] = {
	{ 'P', "policy", "FILE", "what the guest may reach, vm-policy(5); none: all but this host" },
	{ 'p', "publish", "SPEC", "[ADDR:]HOST:GUEST[/udp]: what comes to this port goes to the guest's" },
	{ 'l', "listen", "PATH", "serve the VM that comes there, VM_NET=PATH" },
	{ OPT_FRAMES, "frames", "PATH", "the same with bare frames, as those of QEMU's stream netdev" },
	{ 'V', "vm", "VM", "plug into this VM, which runs and has a card that waits for a network" },
	{ OPT_SWITCH, "switch", NULL, "one network for several VMs, which see each other" },
	{ '4', "ipv4-only", NULL, "no IPv6" },
	{ '6', "ipv6-only", NULL, "no IPv4" },
	{ OPT_SUBNET, "subnet", "ADDR/BITS", "of the guest (10.0.2.0/24)" },
	{ OPT_SUBNET6, "subnet6", "ADDR/64", "of the guest (fd00::/64)" },
	{ OPT_MTU, "mtu", "N", "bytes of a packet, 1280 to 65520 (65520)" },
	{ OPT_RATE_LIMIT, "rate-limit", "RATE", "bytes a second, either way, or with K, M, G; at least 1K" },
	{ OPT_DOMAIN, "domain", "NAME", "that DHCP tells the guest to look names up in" },
	{ OPT_DNS, "dns", "ADDR", "ask this server, and not those of resolv.conf; repeat for more" },
	{ OPT_HOST, "host", "NAME=ADDR", "answer the guest so when it asks for NAME" },
	{ OPT_MAP_HOST, "map-host", "NAME=ADDR", "the same, and let NAME open ADDR if it is protected" },
	{ OPT_LOG, "log", "FILE", "append decisions and finished flows there, a JSON object a line" },
	{ OPT_PCAP, "pcap", "FILE", "write the guest's frames there, for tshark" },
	{ OPT_CHECK, "check", "FILE", "see whether FILE is a policy, and exit" },
	{ OPT_READY_FD, "ready-fd", "N", "write a line there when -l or --frames can be connected to, or -V is done" },
	{ OPT_NO_SANDBOX, "no-sandbox", NULL, "do not confine this process" },
	{ 'v', "verbose", NULL, "tell what is going on" },
};

static const struct opts opts = {
	.tool = "vm-net",
	.synopsis = "[OPTION]... [--] PROGRAM [ARG]...\n"
		    "       vm-net [OPTION]... -l PATH | --frames PATH | -V VM\n"
		    "       vm-net --check FILE",
	.about = "Give a VM a network without root: what its policy allows, by this host's own sockets.",
	.epilog = "PROGRAM is vm-boot, or what starts it: it finds its network in VM_NET.\n"
		  "See vm-net(1) and vm-policy(5).",
	.table = table,
	.count = ARRAY_SIZE(table),
	.usage_status = NETOPTS_USAGE,
};

/**
 * netopts_subnet() - another network for the guest; who is who in it follows from the default
 * @s: changed
 * @text: ADDR/BITS: IPv4 with 8 to 28 bits, IPv6 with 64
 * @v6: which is to be changed
 * Return: 0, -EINVAL.
 */
int netopts_subnet(struct subnet *s, const char *text, bool v6)
{
	struct addr_range r;

	if (!strchr(text, '/') || addr_parse_range(text, &r) || addr_is_v4(&r.addr) == v6)
		return -EINVAL;
	if (v6 ? r.bits != 64 : r.bits < 96 + 8 || r.bits > 96 + 28)
		return -EINVAL;
	if (v6) {
		s->net6 = r;
		s->gateway6 = s->dns6 = s->guest6 = r.addr;
		s->gateway6.b[15] = 2;
		s->dns6.b[15] = 3;
		s->guest6.b[15] = 15;
		return 0;
	}
	s->net4 = r;
	s->gateway4 = s->dns4 = s->guest4 = r.addr;
	s->gateway4.b[15] |= 2;
	s->dns4.b[15] |= 3;
	s->guest4.b[15] |= r.bits > 96 + 27 ? 10 : 15;
	return 0;
}

static void take_server(struct netopts *o, const char *arg)
{
	struct dns_server *s = &o->server[o->servers];

	if (o->servers == NETOPTS_SERVERS)
		opts_usage(&opts, "--dns: at most %d servers", NETOPTS_SERVERS);
	if (addr_parse(arg, &s->addr))
		opts_usage(&opts, "--dns %s: is no address", arg);
	o->servers++;
}

static void append(const char ***list, const char *arg)
{
	size_t n = 0;

	while (*list && (*list)[n])
		n++;
	*list = reallocarray(*list, n + 2, sizeof(**list));
	if (!*list)
		die(NETOPTS_FAILED, "out of memory");
	(*list)[n] = arg;
	(*list)[n + 1] = NULL;
}

static void take_host(const char ***list, const char *option, const char *arg)
{
	const char *equals = strchr(arg, '=');
	struct addr a;

	if (!equals || equals == arg || addr_parse(equals + 1, &a))
		opts_usage(&opts, "--%s %s: takes NAME=ADDRESS", option, arg);
	append(list, arg);
}

static void take_forward(struct netopts *o, const char *arg)
{
	char why[256];
	struct fwdspec f;

	if (fwdspec_parse(arg, &f, why, sizeof(why)))
		opts_usage(&opts, "-p: %s", why);
	o->paths += *f.path != '\0';
	if (o->paths > NETOPTS_PATHS)
		opts_usage(&opts, "-p: at most %d UNIX sockets", NETOPTS_PATHS);
	append(&o->forward, arg);
}

static int parse_rate(const char *arg, uint64_t *rate)
{
	static const char suffix[] = "KMG";
	char number[24];
	size_t len = strlen(arg);
	const char *s = len ? strchr(suffix, arg[len - 1]) : NULL;
	unsigned int shift = s && *s ? 10 * (unsigned int)(s - suffix + 1) : 0;

	if (len - !!shift >= sizeof(number))
		return -EINVAL;
	memcpy(number, arg, len - !!shift);
	number[len - !!shift] = '\0';
	if (parse_u64(number, 1, UINT64_C(1) << 40, rate) || *rate > (UINT64_C(1) << 40) >> shift)
		return -EINVAL;
	*rate <<= shift;
	return *rate < 1024 ? -EINVAL : 0;
}

static void take_domain(struct netopts *o, const char *arg)
{
	uint8_t name[DNSNAME_MAX];
	size_t len = strlen(arg);

	if (dnsname_parse(arg, name) || len >= sizeof(o->subnet.domain))
		opts_usage(&opts, "--domain %s: takes a name of letters, digits, hyphens and dots", arg);
	len -= arg[len - 1] == '.';
	memcpy(o->subnet.domain, arg, len);
	o->subnet.domain[len] = '\0';
}

static void take_network(struct netopts *o, int id, const char *arg)
{
	uint64_t mtu;

	switch (id) {
	case OPT_SUBNET:
		if (netopts_subnet(&o->subnet, arg, false))
			opts_usage(&opts, "--subnet %s: takes an IPv4 network of 8 to 28 bits, as 10.0.2.0/24", arg);
		o->subnet_given = true;
		break;
	case OPT_SUBNET6:
		if (netopts_subnet(&o->subnet, arg, true))
			opts_usage(&opts, "--subnet6 %s: takes an IPv6 network of 64 bits, as fd00::/64", arg);
		o->subnet6_given = true;
		break;
	case OPT_MTU:
		if (parse_u64(arg, 1280, 65520, &mtu))
			opts_usage(&opts, "--mtu %s: takes 1280 to 65520", arg);
		o->subnet.mtu = (unsigned int)mtu;
		break;
	case OPT_RATE_LIMIT:
		if (parse_rate(arg, &o->rate))
			opts_usage(&opts, "--rate-limit %s: takes bytes a second, 1K or more, with K, M or G", arg);
		break;
	case OPT_DOMAIN:
		take_domain(o, arg);
		break;
	}
}

static void take_ready_fd(struct netopts *o, const char *arg)
{
	if (parse_fd(arg, &o->ready_fd) || fcntl(o->ready_fd, F_GETFD) < 0)
		opts_usage(&opts, "--ready-fd %s: is not an open descriptor", arg);
	if (o->ready_fd > STDERR_FILENO)
		fcntl(o->ready_fd, F_SETFD, FD_CLOEXEC);
}

static void take(struct netopts *o, int id, const char *arg)
{
	switch (id) {
	case 'P':
		o->policy = arg;
		break;
	case 'p':
		take_forward(o, arg);
		break;
	case 'l':
		o->listen = arg;
		break;
	case OPT_FRAMES:
		o->frames = arg;
		break;
	case 'V':
		o->vm = arg;
		break;
	case OPT_SWITCH:
		o->several = true;
		break;
	case '4':
		o->subnet.v6 = false;
		break;
	case '6':
		o->subnet.v4 = false;
		break;
	case OPT_DNS:
		take_server(o, arg);
		break;
	case OPT_HOST:
		take_host(&o->host, "host", arg);
		break;
	case OPT_MAP_HOST:
		take_host(&o->map, "map-host", arg);
		break;
	case OPT_LOG:
		o->log = arg;
		break;
	case OPT_PCAP:
		o->pcap = arg;
		break;
	case OPT_CHECK:
		o->check = arg;
		break;
	case OPT_READY_FD:
		take_ready_fd(o, arg);
		break;
	case OPT_NO_SANDBOX:
		o->no_sandbox = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	default:
		take_network(o, id, arg);
	}
}

/* What each option is content with, and others are not. @count: of options. */
static void check_together(const struct netopts *o, unsigned int count)
{
	if (!o->subnet.v4 && !o->subnet.v6)
		opts_usage(&opts, "-4 and -6: one of them, or neither");
	if (!o->subnet.v4 && o->subnet_given)
		opts_usage(&opts, "--subnet: is of IPv4, and -6 wants none");
	if (!o->subnet.v6 && o->subnet6_given)
		opts_usage(&opts, "--subnet6: is of IPv6, and -4 wants none");
	if (!!o->prog + !!o->listen + !!o->frames + !!o->vm + !!o->check != 1)
		opts_usage(&opts, "takes one of PROGRAM, -l PATH, --frames PATH, -V VM and --check FILE");
	if (o->check && count > 1)
		opts_usage(&opts, "--check: looks at FILE and does nothing else: no other option goes with it");
	if (o->vm && o->several)
		opts_usage(&opts, "--switch: is for several VMs, and -V names one");
}

/** netopts_parse() - read a command line. @o: filled in. @argc, @argv. Exits when it means nothing, or asks for help. */
void netopts_parse(struct netopts *o, int argc, char *argv[])
{
	unsigned int count = 0;
	const char *arg;
	int id;

	*o = (struct netopts){ .ready_fd = -1 };
	subnet_default(&o->subnet);
	while ((id = opts_next(&opts, argc, argv, &arg)) != -1) {
		take(o, id, arg);
		count++;
	}
	if (opts_end() < argc)
		o->prog = argv + opts_end();
	check_together(o, count);
}

/* SPDX-License-Identifier: ISC */
/* netopts.h - what vm-net's command line asks for. */
#ifndef NETOPTS_H
#define NETOPTS_H

#include <stdbool.h>

#include "dnsask.h"
#include "netconfine.h"
#include "subnet.h"

enum {
	NETOPTS_USAGE = 2,              /* exit status of a command line or a policy that means nothing */
	NETOPTS_FAILED = 125,           /* of all else that is ours */
	NETOPTS_SERVERS = 8,
	NETOPTS_PATHS = NETCONFINE_DIRS - 1,    /* the socket of -l has a directory, too */
};

struct netopts {
	bool verbose, no_sandbox;
	bool several;                   /* guests on a switch */
	bool subnet_given, subnet6_given;
	const char *policy;             /* file, NULL: none */
	const char *check;              /* file to be checked, and nothing else */
	const char *listen, *frames;    /* sockets to be made */
	const char *vm;                 /* that runs, to be plugged into */
	const char *log, *pcap;
	struct subnet subnet;
	struct dns_server server[NETOPTS_SERVERS];      /* instead of the host's */
	unsigned int servers;
	const char **host, **map;       /* NAME=ADDR, ended by NULL */
	const char **forward;           /* ended by NULL */
	unsigned int paths;             /* of them that are UNIX sockets */
	uint64_t rate;                  /* bytes a second; 0: no limit */
	int ready_fd;
	char **prog;                    /* NULL: none */
};

void netopts_parse(struct netopts *o, int argc, char *argv[]);
int netopts_subnet(struct subnet *s, const char *text, bool v6);

#endif

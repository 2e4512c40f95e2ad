/* SPDX-License-Identifier: ISC */
/* config.h - what vm-boot put into the initial file system for us. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "networds.h"
#include "proto.h"
#include "request.h"

struct wire_record;

enum { CONFIG_NETS = 4 };

struct config {
	bool has_token;
	uint8_t token[PROTO_ID];
	unsigned int nets;
	char net[CONFIG_NETS][NETWORDS_SIZE];	/* PROTO_K_NET */
	struct request main;		/* the main command; PROTO_TTY: the console is its terminal */
};

void config_load(struct config *c);
int config_command(struct request *r, const struct wire_record *record);

#endif

/* SPDX-License-Identifier: ISC */
/* config.h - what vm-boot put into the initial file system for us. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto.h"
#include "request.h"

struct config {
	bool has_token;
	uint8_t token[PROTO_ID];
	struct request main;		/* the main command; PROTO_TTY: the console is its terminal */
};

void config_load(struct config *c);

#endif

/* SPDX-License-Identifier: ISC */
/* space.h - what addresses are: protected, of this host, the virtual router's, or given a name on purpose. */
#ifndef SPACE_H
#define SPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "names.h"

enum { SPACE_RANGES = 32, SPACE_ROUTERS = 8, SPACE_MAPS = 64 };

enum space_role {
	SPACE_ORDINARY,
	SPACE_GATEWAY,                  /* behind it is this host's loopback */
	SPACE_DNS,                      /* our forwarder */
};

struct hostaddr;

/* Plain data; the caller sets `host`, or leaves it NULL for a host without addresses (tests). */
struct space {
	struct addr_range range[SPACE_RANGES];  /* protected everywhere, then those of the virtual network */
	size_t ranges;
	struct { struct addr addr; enum space_role role; } router[SPACE_ROUTERS];
	size_t routers;
	struct { struct addr addr; char name[NAMES_TEXT]; } map[SPACE_MAPS];
	size_t maps;
	const struct hostaddr *host;
};

void space_init(struct space *s);
int space_add_virtual(struct space *s, const struct addr_range *r);
int space_add_router(struct space *s, const struct addr *a, enum space_role role);
int space_map(struct space *s, const char *text);

const struct addr_range *space_virtual(const struct space *s, const struct addr *a);
bool space_protected(const struct space *s, const struct addr *a);
bool space_host(const struct space *s, const struct addr *a);
enum space_role space_role(const struct space *s, const struct addr *a);
const char *space_mapped(const struct space *s, const struct addr *a, size_t *at);
bool space_knows(const struct space *s, const char *name);

#endif
